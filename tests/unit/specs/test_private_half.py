"""The private half: opens for those who hold the seed, and tells nobody else anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.apps.types import PrivateComponent, PrivateSpec, RegistryCredential
from flux.specs.private_half import (
    PADDING,
    PrivateHalfError,
    decrypt,
    encrypt,
    new_key_pair,
    open_box,
    public_key_of,
    seal,
)

PASSWORD = "correct horse battery staple"
PRIVATE = PrivateSpec(
    components=(PrivateComponent("db", environment=(("PASSWORD", PASSWORD),), command=("serve", "--fast")),),
    registries=(RegistryCredential("ghcr.io", "me", "token"),),
)


def test_what_is_encrypted_comes_back_and_cannot_be_read_in_between() -> None:
    ciphertext, seed = encrypt(PRIVATE)
    assert decrypt(ciphertext, seed) == PRIVATE
    assert PASSWORD.encode() not in ciphertext
    assert len(seed) == 16


@given(st.text(max_size=600))
def test_the_length_is_a_multiple_of_256_whatever_is_inside(value: str) -> None:
    private = PrivateSpec((PrivateComponent("web", (("A", value),)),))
    ciphertext, seed = encrypt(private)
    assert len(ciphertext) % PADDING == 0
    assert decrypt(ciphertext, seed) == private


def test_the_same_text_under_the_same_seed_gives_another_ciphertext() -> None:
    first, seed = encrypt(PRIVATE)
    second, same_seed = encrypt(PRIVATE, seed)
    assert seed == same_seed
    assert first != second


def test_another_seed_does_not_open_it_and_the_error_says_nothing_of_the_content() -> None:
    ciphertext, _ = encrypt(PRIVATE)
    with pytest.raises(PrivateHalfError, match="does not open with this seed") as caught:
        decrypt(ciphertext, bytes(16))
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("position", [0, 30, 100, 255])
def test_one_altered_byte_is_noticed(position: int) -> None:
    ciphertext, seed = encrypt(PRIVATE)
    altered = ciphertext[:position] + bytes((ciphertext[position] ^ 1,)) + ciphertext[position + 1 :]
    with pytest.raises(PrivateHalfError):
        decrypt(altered, seed)


@given(st.binary(max_size=600), st.binary(max_size=20))
def test_arbitrary_bytes_are_refused_with_a_typed_error(ciphertext: bytes, seed: bytes) -> None:
    with pytest.raises(PrivateHalfError):
        decrypt(ciphertext, seed)


def test_a_private_half_that_is_too_long_is_refused_before_it_is_sent() -> None:
    private = PrivateSpec((PrivateComponent("web", (("A", "x" * 300_000),)),))
    with pytest.raises(PrivateHalfError, match="shorten"):
        encrypt(private)


def test_a_sealed_seed_opens_for_its_reader_only() -> None:
    secret_key, public_key = new_key_pair()
    other_key, _ = new_key_pair()
    _, seed = encrypt(PRIVATE)
    box = seal(seed, public_key)
    assert public_key_of(secret_key) == public_key
    assert open_box(box, secret_key) == seed
    with pytest.raises(PrivateHalfError, match="sealed to another key"):
        open_box(box, other_key)


@given(st.binary(max_size=100))
def test_an_arbitrary_box_is_refused_with_a_typed_error(box: bytes) -> None:
    with pytest.raises(PrivateHalfError):
        open_box(box, bytes(range(32)))


@pytest.mark.parametrize(
    ("seed", "key"), [(bytes(15), bytes(range(32))), (bytes(16), bytes(31)), (bytes(16), bytes(32))]
)
def test_a_seed_or_key_that_is_none_is_refused(seed: bytes, key: bytes) -> None:
    with pytest.raises(PrivateHalfError):
        seal(seed, key)


def test_a_secret_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(PrivateHalfError, match="32 bytes"):
        open_box(bytes(64), bytes(5))

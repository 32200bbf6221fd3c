"""Signing and recovering, against eth-keys and eth-account."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys import keys
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.primitives.keccak import keccak256
from flux.primitives.signature import (
    CURVE_ORDER,
    HALF_CURVE_ORDER,
    Signature,
    SignatureError,
    SigningKey,
    address_of,
    personal_message_hash,
    recover,
    sign,
)

private_keys = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
hashes = st.binary(min_size=32, max_size=32)
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
HASH = keccak256(b"message")


@settings(max_examples=50, deadline=None)
@given(private_keys, hashes)
def test_a_signature_is_the_one_of_eth_keys_and_recovers_its_signer(key: bytes, digest: bytes) -> None:
    signature = sign(digest, key)
    expected = keys.PrivateKey(key).sign_msg_hash(digest)
    assert (signature.y_parity, signature.r, signature.s) == expected.vrs
    address = recover(digest, signature.y_parity, signature.r, signature.s)
    assert address == address_of(key) == keys.PrivateKey(key).public_key.to_canonical_address()
    assert signature.s <= HALF_CURVE_ORDER


def test_the_well_known_development_key_has_its_well_known_address() -> None:
    assert address_of(KEY).hex() == "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300))
def test_personal_messages_are_those_that_wallets_sign(message: bytes) -> None:
    signed = Account.sign_message(encode_defunct(message), KEY)
    signature = Signature.from_bytes(bytes(signed.signature))
    assert personal_message_hash(message) == signed.message_hash
    assert recover(signed.message_hash, signature.y_parity, signature.r, signature.s) == address_of(KEY)
    assert signature.to_bytes() == signed.signature


def test_the_mirrored_signature_is_refused_unless_asked_for() -> None:
    signature = sign(HASH, KEY)
    mirrored = (1 - signature.y_parity, signature.r, CURVE_ORDER - signature.s)
    with pytest.raises(SignatureError, match="EIP-2"):
        recover(HASH, *mirrored)
    assert recover(HASH, *mirrored, require_low_s=False) == address_of(KEY)


@pytest.mark.parametrize(
    ("y_parity", "r", "s", "sentence"),
    [
        (2, 1, 1, "y parity"),
        (-1, 1, 1, "y parity"),
        (27, 1, 1, "y parity"),
        (0, 0, 1, "r of the signature"),
        (0, CURVE_ORDER, 1, "r of the signature"),
        (0, -1, 1, "r of the signature"),
        (0, 1, 0, "s of the signature"),
        (0, 1, HALF_CURVE_ORDER + 1, "s of the signature"),
        (0, 1, -5, "s of the signature"),
        (0, 5, 1, "r is not on the curve"),
    ],
)
def test_a_signature_out_of_range_is_refused(y_parity: int, r: int, s: int, sentence: str) -> None:
    with pytest.raises(SignatureError, match=sentence):
        recover(HASH, y_parity, r, s)


def test_s_of_the_curve_order_is_refused_even_when_high_s_is_allowed() -> None:
    with pytest.raises(SignatureError, match="s of the signature"):
        recover(HASH, 0, 1, CURVE_ORDER, require_low_s=False)


@settings(max_examples=50, deadline=None)
@given(hashes, st.integers(0, 1), st.integers(1, CURVE_ORDER - 1), st.integers(1, HALF_CURVE_ORDER))
def test_random_signatures_recover_to_what_eth_keys_says_or_are_refused(
    digest: bytes, y_parity: int, r: int, s: int
) -> None:
    try:
        address = recover(digest, y_parity, r, s)
    except SignatureError:
        return
    public_key = keys.Signature(vrs=(y_parity, r, s)).recover_public_key_from_msg_hash(digest)
    assert address == public_key.to_canonical_address()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_hash_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(SignatureError, match="32 bytes"):
        sign(bytes(size), KEY)
    with pytest.raises(SignatureError, match="32 bytes"):
        recover(bytes(size), 0, 1, 1)


@pytest.mark.parametrize("key", [b"", bytes(32), CURVE_ORDER.to_bytes(32, "big"), b"\xff" * 32, KEY + b"\x00", KEY[1:]])
def test_a_private_key_out_of_range_is_refused_without_being_shown(key: bytes) -> None:
    with pytest.raises(SignatureError) as caught:
        SigningKey(key)
    assert not key or key.hex() not in str(caught.value)


def test_a_signing_key_does_not_show_its_secret() -> None:
    assert KEY.hex()[:16] not in repr(SigningKey(KEY))
    assert "f39fd6e5" in repr(SigningKey(KEY))


def test_signature_bytes_are_checked() -> None:
    data = sign(HASH, KEY).to_bytes()
    assert Signature.from_bytes(data[:64] + bytes((data[64] - 27,))) == Signature.from_bytes(data)
    with pytest.raises(SignatureError, match="65 bytes"):
        Signature.from_bytes(data[:64])
    with pytest.raises(SignatureError, match="last byte"):
        Signature.from_bytes(data[:64] + b"\x1d")

"""Mnemonics and derivation: the standards' own vectors, and agreement with eth-account."""

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from flux.primitives.address import to_text
from flux.primitives.signature import address_of
from flux.wallet.derivation import check_mnemonic, derive, key_of_mnemonic, new_mnemonic
from flux.wallet.errors import InvalidMnemonic

Account.enable_unaudited_hdwallet_features()

SEED_1 = bytes.fromhex("000102030405060708090a0b0c0d0e0f")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("m", "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"),
        ("m/0'", "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"),
        ("m/0'/1", "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"),
        ("m/0h/1/2H", "cbce0d719ecf7431d88e6a89fa1483e02e35092af60c042b1df2ff59fa424dca"),
        ("m/0'/1/2'/2/1000000000", "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8"),
    ],
)
def test_the_first_vector_of_bip_32_derives_as_published(path: str, key: str) -> None:
    assert derive(SEED_1, path).hex() == key


def test_the_development_mnemonic_gives_the_addresses_every_tool_knows() -> None:
    words = "test test test test test test test test test test test junk"
    addresses = [to_text(address_of(key_of_mnemonic(words, index=index))) for index in (0, 1, 9)]
    assert addresses == [
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
    ]


@settings(max_examples=5, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**31 - 1), st.text(max_size=8))
def test_any_mnemonic_gives_the_key_that_eth_account_gives(entropy: bytes, index: int, passphrase: str) -> None:
    words = Mnemonic("english").to_mnemonic(entropy)
    theirs = Account.from_mnemonic(words, passphrase=passphrase, account_path=f"m/44'/60'/0'/0/{index}")
    assert key_of_mnemonic(words, index=index, passphrase=passphrase) == theirs.key


@pytest.mark.parametrize("words", [12, 24])
def test_a_new_mnemonic_is_valid_and_never_the_same(words: int) -> None:
    first, second = new_mnemonic(words=words), new_mnemonic(words=words)
    assert first != second
    assert len(first.split()) == words
    assert check_mnemonic(f"  {first.upper()}\n") == first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got 0"),
        ("test test", "got 2"),
        ("test " * 11 + "jnuk", "word 12 is not in the English word list"),
        ("test " * 12, "checksum"),
    ],
)
def test_words_that_are_no_mnemonic_are_refused_without_repeating_them(text: str, words: str) -> None:
    with pytest.raises(InvalidMnemonic, match=words) as caught:
        check_mnemonic(text)
    assert "jnuk" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "44'/60'", "m/x", "m/-1", "m/2147483648", "m/", "m" + "/0" * 17])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(InvalidMnemonic):
        derive(SEED_1, path)


def test_a_mnemonic_of_an_odd_length_is_not_made() -> None:
    with pytest.raises(InvalidMnemonic, match="12 or 24"):
        new_mnemonic(words=13)

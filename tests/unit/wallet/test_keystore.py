"""Keystore files: the published vectors, agreement with eth-account both ways, and damaged files."""

import json

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.wallet.errors import CorruptKeystore, InvalidPrivateKey, WrongPassword
from flux.wallet.keystore import LIGHT_WORK, address_in, decrypt, encrypt, read_keystore

KEY = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
# The two test vectors of the Web3 Secret Storage Definition (password "testpassword").
VECTOR_PBKDF2 = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
VECTOR_SCRYPT = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "r": 1,
            "p": 8,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


@pytest.mark.parametrize("vector", [VECTOR_PBKDF2, VECTOR_SCRYPT])
def test_the_published_vectors_open_with_their_password(vector: dict[str, object]) -> None:
    assert decrypt(read_keystore(json.dumps(vector).encode()), "testpassword") == KEY


def test_a_file_of_eth_account_opens_here() -> None:
    theirs = Account.encrypt(KEY, "pässword", kdf="scrypt", iterations=LIGHT_WORK)
    stored = read_keystore(json.dumps(theirs).encode())
    assert decrypt(stored, "pässword") == KEY
    assert address_in(stored) == bytes.fromhex(Account.from_key(KEY).address[2:])


def test_a_file_written_here_opens_in_eth_account_and_names_its_address_as_geth_does() -> None:
    data = encrypt(KEY, "pässword", work=LIGHT_WORK)
    assert Account.decrypt(data.decode(), "pässword") == KEY
    assert json.loads(data)["address"] == Account.from_key(KEY).address[2:].lower()


def test_a_wrong_password_is_told_from_a_damaged_file() -> None:
    data = encrypt(KEY, "right", work=2)
    with pytest.raises(WrongPassword, match="does not open"):
        decrypt(read_keystore(data), "wrong")
    damaged = data.replace(b'"n":2,', b'"n":3,')
    assert damaged != data
    with pytest.raises(CorruptKeystore, match="scrypt"):
        decrypt(read_keystore(damaged), "right")


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        (("crypto", "kdfparams", "n"), 2**40, "scrypt"),
        (("crypto", "kdfparams", "p"), 10**9, "scrypt"),
        (("crypto", "kdfparams", "r"), 0, "scrypt"),
        (("crypto", "kdfparams", "dklen"), 64, "wrong length"),
        (("crypto", "kdfparams", "salt"), "zz", "hexadecimal"),
        (("crypto", "cipherparams", "iv"), "00", "wrong length"),
        (("crypto", "cipher"), "aes-256-gcm", "cipher"),
        (("crypto", "kdf"), "argon2", "argon2"),
        (("crypto", "mac"), "00", "wrong length"),
        (("address",), "00", "address"),
        (("address",), "11" * 20, "another address"),
    ],
)
def test_a_keystore_with_a_damaged_part_is_refused_with_the_reason(
    part: tuple[str, ...], value: object, words: str
) -> None:
    document = json.loads(encrypt(KEY, "right", work=2))
    holder = document
    for name in part[:-1]:
        holder = holder[name]
    holder[part[-1]] = value
    with pytest.raises(CorruptKeystore, match=words):
        decrypt(read_keystore(json.dumps(document).encode()), "right")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": 1}',
        b"[" * 100_000,
        b"x" * 100_000,
        b'{"crypto": 3, "version": 3}',
    ],
)
def test_a_file_that_is_no_keystore_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptKeystore):
        read_keystore(data)


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.text(max_size=20))
def test_every_key_comes_back_under_its_password(key: bytes, password: str) -> None:
    try:
        data = encrypt(key, password, work=2)
    except InvalidPrivateKey:
        return
    assert decrypt(read_keystore(data), password) == key


def test_a_key_of_zero_is_not_stored() -> None:
    with pytest.raises(InvalidPrivateKey):
        encrypt(bytes(32), "password", work=2)

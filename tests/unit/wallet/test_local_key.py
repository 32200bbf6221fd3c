"""Signing with an unlocked key, and the development keys that only a local chain takes."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from flux.primitives.keccak import keccak256
from flux.primitives.signature import recover
from flux.wallet.development import (
    check_account_allowed,
    check_development_key_allowed,
    development_addresses,
    development_key,
    is_development_address,
)
from flux.wallet.errors import DevelopmentKeyRefused, InvalidPrivateKey, InvalidTypedData
from flux.wallet.local_key import LocalKey, typed_data_hash

KEY = bytes.fromhex("11" * 32)
TYPED: dict[str, object] = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Vote": [{"name": "proposal", "type": "uint256"}, {"name": "voter", "type": "Voter"}],
        "Voter": [{"name": "account", "type": "address"}],
    },
    "primaryType": "Vote",
    "domain": {"name": "Flux", "chainId": 19169},
    "message": {"proposal": 7, "voter": {"account": "0x" + "22" * 20}},
}


def test_a_message_is_signed_as_personal_sign_does() -> None:
    theirs = Account.sign_message(encode_defunct(b"hello"), KEY).signature
    assert LocalKey(KEY).sign_message(b"hello") == theirs


def test_typed_data_is_signed_as_other_wallets_do() -> None:
    theirs = Account.sign_message(encode_typed_data(full_message=TYPED), KEY).signature
    assert LocalKey(KEY).sign_typed_data(TYPED) == theirs
    assert typed_data_hash(TYPED) != typed_data_hash({**TYPED, "domain": {"name": "Flux", "chainId": 1}})


def test_a_hash_is_signed_for_the_key_s_address() -> None:
    key = LocalKey(KEY)
    message_hash = keccak256(b"content")
    signature = key.sign_hash(message_hash)
    assert recover(message_hash, signature.y_parity, signature.r, signature.s) == key.address


@pytest.mark.parametrize(
    "document", [{}, {"types": 1}, {**TYPED, "primaryType": "Nothing"}, {**TYPED, "message": {"proposal": "x"}}]
)
def test_a_document_that_is_no_typed_data_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(InvalidTypedData):
        LocalKey(KEY).sign_typed_data(document)


def test_a_key_never_shows_itself() -> None:
    assert KEY.hex() not in repr(LocalKey(KEY))
    with pytest.raises(InvalidPrivateKey):
        LocalKey(bytes(32))


def test_development_keys_are_for_local_chains_only() -> None:
    assert development_key(0, 19169).address == development_addresses()[0]
    assert len(set(development_addresses())) == 10
    for chain_id in (1, 19167, 19168):
        with pytest.raises(DevelopmentKeyRefused, match="known to everybody"):
            development_key(0, chain_id)
    with pytest.raises(DevelopmentKeyRefused, match="0 to 9"):
        development_key(10, 19169)
    check_development_key_allowed(19169)


def test_a_development_account_is_recognised_by_its_address() -> None:
    address = development_addresses()[3]
    assert is_development_address(address)
    assert not is_development_address(LocalKey(KEY).address)
    check_account_allowed(LocalKey(KEY).address, 1)
    with pytest.raises(DevelopmentKeyRefused):
        check_account_allowed(address, 19167)

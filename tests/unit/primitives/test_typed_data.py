"""Typed data (EIP-712), against eth_account's own encoding."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from flux.primitives.keccak import keccak256
from flux.primitives.typed_data import Domain, digest, find_signer, struct_hash
from flux.primitives.types import Address, Hash

DOMAIN = Domain("Flux Governor", "1", 19169, Address(bytes(18) + b"\xf1\x0b"))
KIND = "Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)"
KEY = keccak256(b"a key")


def test_hashes_and_signatures_are_those_of_ethereum() -> None:
    voter = Account.from_key(KEY).address
    types = {
        "Ballot": [
            {"name": member.split(" ")[1], "type": member.split(" ")[0]}
            for member in KIND[len("Ballot(") : -1].split(",")
        ]
    }
    domain = {
        "name": "Flux Governor",
        "version": "1",
        "chainId": 19169,
        "verifyingContract": "0x" + DOMAIN.contract.hex(),
    }
    message = {"proposalId": 2**200, "support": 1, "voter": voter, "nonce": 7}
    signable = encode_typed_data(domain, types, message)
    assert DOMAIN.separator() == signable.header
    assert struct_hash(KIND, [2**200, 1, bytes.fromhex(voter[2:]), 7]) == signable.body
    mine = digest(DOMAIN, struct_hash(KIND, [2**200, 1, bytes.fromhex(voter[2:]), 7]))
    signature = bytes(Account.sign_message(signable, KEY).signature)
    assert find_signer(mine, signature) == bytes.fromhex(voter[2:])
    assert find_signer(Hash(bytes(31) + b"\x01"), signature) != bytes.fromhex(voter[2:])


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(65), b"\xff" * 65, bytes(64) + b"\x1b"])
def test_what_is_no_signature_has_no_signer(signature: bytes) -> None:
    assert find_signer(keccak256(b"x"), signature) is None

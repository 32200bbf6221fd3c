"""Hashes of typed structured data (EIP-712) and who signed them: for contracts that take signatures instead of calls.

Source: https://eips.ethereum.org/EIPS/eip-712
"""

from typing import NamedTuple

from flux.primitives import abi
from flux.primitives.keccak import keccak256
from flux.primitives.signature import Signature, SignatureError, recover
from flux.primitives.types import Address, Hash

DYNAMIC = ("string", "bytes")
"""Members of which a struct's hash takes the hash."""
_DOMAIN = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")


class Domain(NamedTuple):
    """What a signature is meant for; the same words signed for another chain or contract are worth nothing here."""

    name: str
    version: str
    chain_id: int
    contract: Address

    def separator(self) -> Hash:
        """Hash of the domain."""
        values = [
            _DOMAIN,
            keccak256(self.name.encode()),
            keccak256(self.version.encode()),
            self.chain_id,
            self.contract,
        ]
        return keccak256(abi.codec(("bytes32", "bytes32", "bytes32", "uint256", "address")).encode(values))


def struct_hash(kind: str, values: list[object]) -> Hash:
    """Hash of one struct without structs or arrays; `kind` is its encoded type, `Ballot(uint256 id,string why)`."""
    members = kind[kind.index("(") + 1 : -1].split(",")
    types = tuple(member.split(" ")[0] for member in members)
    flat = [_hashed(value) if name in DYNAMIC else value for name, value in zip(types, values, strict=True)]
    fixed = ("bytes32" if name in DYNAMIC else name for name in types)
    return keccak256(abi.codec(("bytes32", *fixed)).encode([keccak256(kind.encode()), *flat]))


def _hashed(value: object) -> Hash:
    assert isinstance(value, (str, bytes))
    return keccak256(value.encode() if isinstance(value, str) else value)


def digest(domain: Domain, struct: Hash) -> Hash:
    """What is signed."""
    return keccak256(b"\x19\x01" + domain.separator() + struct)


def find_signer(message: Hash, signature: bytes) -> Address | None:
    """Who signed a hash, by 65 bytes r, s, v; None when nobody can have."""
    try:
        parsed = Signature.from_bytes(signature)
        return recover(message, parsed.y_parity, parsed.r, parsed.s)
    except SignatureError:
        return None

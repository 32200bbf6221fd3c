"""Keccak-256 as Ethereum uses it: the original padding, not SHA3-256's."""

from sha3 import keccak_256

from flux.primitives.types import Hash


def keccak256(data: bytes) -> Hash:
    """The 32-byte hash of `data`."""
    digest: Hash = keccak_256(data).digest()
    return digest


EMPTY_KECCAK = keccak256(b"")
"""Hash of no bytes: the code hash of an account without code (EIP-1052)."""

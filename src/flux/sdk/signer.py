"""Who signs: the port that a wallet, a hardware key or a plain key in memory implements."""

from typing import Protocol

from flux.primitives.signature import Signature, SigningKey
from flux.primitives.types import Address, Hash


class Signer(Protocol):
    """Signs hashes for one address."""

    @property
    def address(self) -> Address: ...
    def sign_hash(self, message_hash: Hash) -> Signature: ...


class LocalSigner:
    """A private key in memory; never shown by repr or logs."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        self._key = SigningKey(private_key)
        self.address = self._key.address

    def sign_hash(self, message_hash: Hash) -> Signature:
        """Deterministic signature (RFC 6979)."""
        return self._key.sign(message_hash)

    def __repr__(self) -> str:
        return f"LocalSigner(0x{self.address.hex()})"

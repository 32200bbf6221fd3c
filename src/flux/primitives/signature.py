"""secp256k1 signatures of 32-byte hashes: signing, recovering the signer (Yellow Paper, appendix F), EIP-191 messages.

Keys at rest and derivation belong to the wallet; which hash a transaction signs, to the chain.
"""

from dataclasses import dataclass

from coincurve import PrivateKey, PublicKey

from flux.primitives.keccak import keccak256
from flux.primitives.types import Address, Hash

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_CURVE_ORDER = CURVE_ORDER // 2


class SignatureError(ValueError):
    """The signature, hash or private key is outside its range, or no key can have made the signature."""


@dataclass(frozen=True, slots=True)
class Signature:
    y_parity: int
    """0 or 1: whether the y of the ephemeral point is odd."""
    r: int
    s: int

    def to_bytes(self) -> bytes:
        """65 bytes r, s, v with v 27 or 28: what `personal_sign` returns."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes((27 + self.y_parity,))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Signature":
        """A signature of 65 bytes r, s, v; v may be 0, 1, 27 or 28. Ranges of r and s are for `recover` to check."""
        if len(data) != 65:
            raise SignatureError(f"a signature has 65 bytes (r, s, v), got {len(data)}")
        if data[64] not in (0, 1, 27, 28):
            raise SignatureError(f"the last byte of a signature is 0, 1, 27 or 28, got {data[64]}")
        y_parity = data[64] - 27 if data[64] >= 27 else data[64]
        return cls(y_parity, int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"))


class SigningKey:
    """A private key made ready once, for those who sign often (preparing costs more than signing)."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        if len(private_key) != 32 or not 0 < int.from_bytes(private_key, "big") < CURVE_ORDER:
            raise SignatureError("a private key is 32 bytes between 1 and the curve order less 1")
        self._key = PrivateKey(private_key)
        self.address: Address = _address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"SigningKey(address=0x{self.address.hex()})"

    def sign(self, message_hash: bytes) -> Signature:
        """The deterministic signature (RFC 6979) of a 32-byte hash, s in the lower half (EIP-2)."""
        if len(message_hash) != 32:
            raise SignatureError(f"a signed hash has 32 bytes, got {len(message_hash)}")
        data = self._key.sign_recoverable(message_hash, hasher=None)
        return Signature(data[64], int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"))


def sign(message_hash: bytes, private_key: bytes) -> Signature:
    """The deterministic signature (RFC 6979) of a 32-byte hash, s in the lower half (EIP-2)."""
    return SigningKey(private_key).sign(message_hash)


def address_of(private_key: bytes) -> Address:
    """The account that a 32-byte private key signs for."""
    return SigningKey(private_key).address


def recover(message_hash: bytes, y_parity: int, r: int, s: int, *, require_low_s: bool = True) -> Address:
    """The account whose key signed the 32-byte hash.

    With `require_low_s` (EIP-2) each signed content has one valid signature per key and nonce point; without it, the
    mirrored s is accepted as well, as Ethereum's ecrecover precompile does.
    """
    if len(message_hash) != 32:
        raise SignatureError(f"a signed hash has 32 bytes, got {len(message_hash)}")
    if y_parity not in (0, 1):
        raise SignatureError(f"the y parity of a signature is 0 or 1, got {y_parity}")
    if not 0 < r < CURVE_ORDER:
        raise SignatureError("r of the signature is zero or not below the curve order")
    if not 0 < s <= (HALF_CURVE_ORDER if require_low_s else CURVE_ORDER - 1):
        raise SignatureError("s of the signature is zero or above half the curve order (EIP-2)")
    compact = r.to_bytes(32, "big") + s.to_bytes(32, "big") + (b"\x01" if y_parity else b"\x00")
    try:
        public_key = PublicKey.from_signature_and_message(compact, message_hash, hasher=None)
    except ValueError as error:
        raise SignatureError("no key can have made this signature: r is not on the curve") from error
    return _address_of(public_key)


def personal_message_hash(message: bytes) -> Hash:
    """What a wallet signs when asked to sign a plain message (EIP-191, version 0x45)."""
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


def _address_of(public_key: PublicKey) -> Address:
    address: bytes = keccak256(public_key.format(compressed=False)[1:])[12:]
    return Address(address)

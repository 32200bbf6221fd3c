"""An unlocked key: signs hashes, messages (EIP-191) and typed data (EIP-712) for one address."""

import re

from flux.primitives.keccak import keccak256
from flux.primitives.signature import Signature, SignatureError, SigningKey, personal_message_hash
from flux.primitives.types import Hash
from flux.wallet.errors import InvalidPrivateKey, InvalidTypedData

_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)


class LocalKey:
    """A private key in memory, never shown by repr; a signer for the SDK."""

    __slots__ = ("_private_key", "_signing_key", "address")

    def __init__(self, private_key: bytes) -> None:
        try:
            self._signing_key = SigningKey(private_key)
        except SignatureError as error:
            raise InvalidPrivateKey(str(error)) from error
        self._private_key = private_key
        self.address = self._signing_key.address

    def __repr__(self) -> str:
        return f"LocalKey(0x{self.address.hex()})"

    @property
    def private_key(self) -> bytes:
        """32 bytes; for exports only."""
        return self._private_key

    def sign_hash(self, message_hash: Hash) -> Signature:
        """Deterministic signature (RFC 6979)."""
        return self._signing_key.sign(message_hash)

    def sign_message(self, message: bytes) -> bytes:
        """65 bytes r, s, v over a plain message, as `personal_sign` gives (EIP-191)."""
        return self.sign_hash(personal_message_hash(message)).to_bytes()

    def sign_typed_data(self, document: dict[str, object]) -> bytes:
        """65 bytes r, s, v over typed data, as `eth_signTypedData_v4` gives (EIP-712)."""
        return self.sign_hash(typed_data_hash(document)).to_bytes()


def parse_private_key(text: str) -> bytes:
    """32 bytes of 64 hexadecimal digits, with or without 0x."""
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise InvalidPrivateKey(f"a private key is 64 hexadecimal digits, got {len(text.strip())} characters")
    return bytes.fromhex(match[1])


def typed_data_hash(document: dict[str, object]) -> Hash:
    """What is signed for a document of types, primaryType, domain and message. Raises InvalidTypedData."""
    # Imported here: eth-account takes most of a second to import, and few sign typed data.
    from eth_abi.exceptions import EncodingError
    from eth_account.messages import encode_typed_data
    from eth_utils.exceptions import ValidationError

    try:
        signable = encode_typed_data(full_message=document)
    except (
        ValidationError,
        EncodingError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        raise InvalidTypedData(f"the document is not EIP-712 typed data: {str(error)[:200]}") from error
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)

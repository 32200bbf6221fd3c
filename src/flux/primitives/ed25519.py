"""Ed25519 signatures (RFC 8032), as libsodium verifies them: small-order and non-canonical keys are refused.

Consensus keys sign votes inside the engine; here they only prove that somebody holds them.
"""

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from flux.primitives.types import Hash

PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64


def verify(public_key: Hash, message: bytes, signature: bytes) -> bool:
    """Whether the key signed the message."""
    if len(public_key) != PUBLIC_KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        VerifyKey(public_key).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature by the key of a 32-byte seed."""
    return SigningKey(seed).sign(message).signature


def public_key_of(seed: bytes) -> Hash:
    """The public key of a 32-byte seed."""
    return Hash(bytes(SigningKey(seed).verify_key))

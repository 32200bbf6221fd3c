"""The private half of a spec: encrypted under a seed, and the seed sealed to those who may read it.

key = HKDF-SHA256(seed of 16 bytes) → XSalsa20-Poly1305 over the length and the JSON, padded, with a random nonce in
front. The seed travels in an X25519 sealed box to each node that holds a lease. (libsodium: secretbox, crypto_box_seal)
"""

import secrets

import nacl.exceptions
import nacl.public
import nacl.secret

from flux.contracts.apps.types import PrivateSpec, decode_private_spec, encode_spec
from flux.primitives.hkdf import hkdf

SEED_SIZE = 16
KEY_SIZE = 32
PADDING = 256
"""Every ciphertext is a multiple of this many bytes, so that its length says little about what is inside."""
MAX_PLAINTEXT = 256 * 1024

_INFO = b"flux private half v1"
_LENGTH_SIZE = 4
_OVERHEAD = nacl.secret.SecretBox.NONCE_SIZE + nacl.secret.SecretBox.MACBYTES


class PrivateHalfError(ValueError):
    """A private half can't be encrypted or opened: wrong seed, wrong key, or altered bytes."""


def new_seed() -> bytes:
    """16 fresh random bytes; each app has its own."""
    return secrets.token_bytes(SEED_SIZE)


def encrypt(private: PrivateSpec, seed: bytes | None = None) -> tuple[bytes, bytes]:
    """Ciphertext and seed. Without a seed a fresh one is drawn; a new revision may keep the seed of the one before."""
    seed = new_seed() if seed is None else seed
    text = encode_spec(private)
    if len(text) > MAX_PLAINTEXT:
        raise PrivateHalfError(
            f"environment, commands and credentials have {len(text)} bytes, at most {MAX_PLAINTEXT} fit: shorten them"
        )
    plaintext = len(text).to_bytes(_LENGTH_SIZE, "big") + text
    missing = -(len(plaintext) + _OVERHEAD) % PADDING
    return bytes(_box(seed).encrypt(plaintext + bytes(missing))), seed


def decrypt(ciphertext: bytes, seed: bytes) -> PrivateSpec:
    """The private half. Raises PrivateHalfError when the seed is another one's or a byte was altered."""
    if len(ciphertext) < PADDING or len(ciphertext) % PADDING:
        raise PrivateHalfError(f"a ciphertext is a multiple of {PADDING} bytes, got {len(ciphertext)}")
    try:
        plaintext = _box(seed).decrypt(ciphertext)
    except nacl.exceptions.CryptoError as error:
        raise PrivateHalfError("the ciphertext does not open with this seed, or was altered") from error
    length = int.from_bytes(plaintext[:_LENGTH_SIZE], "big")
    padding = plaintext[_LENGTH_SIZE + length :]
    if length > len(plaintext) - _LENGTH_SIZE or padding.count(0) != len(padding):
        raise PrivateHalfError("the ciphertext holds no private half: its length does not fit")
    try:
        return decode_private_spec(plaintext[_LENGTH_SIZE : _LENGTH_SIZE + length])
    except ValueError:
        # The decoder's own message may quote what it read, which is private.
        raise PrivateHalfError("the ciphertext holds no private half: it is not in the expected form") from None


def opens(ciphertext: bytes, seed: bytes) -> bool:
    """Whether the seed is the one of the private half."""
    try:
        decrypt(ciphertext, seed)
    except PrivateHalfError:
        return False
    return True


def new_key_pair() -> tuple[bytes, bytes]:
    """Secret and public X25519 key of a reader (a node's agent), 32 bytes each."""
    secret_key = nacl.public.PrivateKey.generate()
    return bytes(secret_key), bytes(secret_key.public_key)


def public_key_of(secret_key: bytes) -> bytes:
    """The X25519 public key to which seeds are sealed."""
    return bytes(_private_key(secret_key).public_key)


def seal(seed: bytes, seal_key: bytes) -> bytes:
    """The seed in a box that only the holder of the secret key opens; each call gives another box."""
    _check_seed(seed)
    if len(seal_key) != KEY_SIZE:
        raise PrivateHalfError(f"a seal key has {KEY_SIZE} bytes, got {len(seal_key)}")
    try:
        return bytes(nacl.public.SealedBox(nacl.public.PublicKey(seal_key)).encrypt(seed))
    except (nacl.exceptions.CryptoError, RuntimeError) as error:
        raise PrivateHalfError("the node's seal key is not usable: nothing can be sealed to it") from error


def open_box(box: bytes, secret_key: bytes) -> bytes:
    """The seed of a sealed box. Raises PrivateHalfError when it was sealed to somebody else, or altered."""
    try:
        seed = bytes(nacl.public.SealedBox(_private_key(secret_key)).decrypt(box))
    except (nacl.exceptions.CryptoError, nacl.exceptions.ValueError, nacl.exceptions.TypeError) as error:
        raise PrivateHalfError("the box was sealed to another key, or altered") from error
    _check_seed(seed)
    return seed


def _box(seed: bytes) -> nacl.secret.SecretBox:
    _check_seed(seed)
    return nacl.secret.SecretBox(hkdf(seed, KEY_SIZE, _INFO))


def _private_key(secret_key: bytes) -> nacl.public.PrivateKey:
    if len(secret_key) != KEY_SIZE:
        raise PrivateHalfError(f"a secret key has {KEY_SIZE} bytes, got {len(secret_key)}")
    return nacl.public.PrivateKey(secret_key)


def _check_seed(seed: bytes) -> None:
    if len(seed) != SEED_SIZE:
        raise PrivateHalfError(f"a seed has {SEED_SIZE} bytes, got {len(seed)}")

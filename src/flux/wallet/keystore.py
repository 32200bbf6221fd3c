"""Keystore files, version 3: a private key under a password, as geth and every Ethereum wallet write them.

(Web3 Secret Storage Definition.) Written here and not with eth-keyfile because a file from elsewhere must not be able
to ask for any amount of memory, and because that library takes most of a second to import.
"""

import hashlib
import hmac
import secrets
import uuid
from typing import Literal

import msgspec
from Crypto.Protocol.KDF import scrypt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from flux.primitives.address import AddressError, parse
from flux.primitives.keccak import keccak256
from flux.primitives.signature import SignatureError, address_of
from flux.primitives.types import Address
from flux.wallet.errors import CorruptKeystore, InvalidPrivateKey, WrongPassword

STANDARD_WORK = 2**18
"""scrypt's n as geth's standard: about a second and 256 MiB."""
LIGHT_WORK = 2**12
"""geth's light: for keys that a machine opens by itself, and for tests."""
MAX_FILE_BYTES = 64 * 1024
MAX_SCRYPT_MEMORY = 2**30
MAX_PBKDF2_ROUNDS = 10_000_000

_BLOCK = 8
_LENGTH = 32


class CipherParams(msgspec.Struct):
    iv: str


class KdfParams(msgspec.Struct, omit_defaults=True):
    """Of scrypt (n, r, p) or of PBKDF2 (c, prf)."""

    dklen: int
    salt: str
    n: int = 0
    r: int = 0
    p: int = 0
    c: int = 0
    prf: str = ""


class Crypto(msgspec.Struct):
    cipher: str
    cipherparams: CipherParams
    ciphertext: str
    kdf: str
    kdfparams: KdfParams
    mac: str


class Keystore(msgspec.Struct):
    crypto: Crypto
    version: Literal[3]
    id: str = ""
    address: str = ""
    """Hexadecimal without 0x; some tools leave it out."""


def read_keystore(data: bytes) -> Keystore:
    """The keystore of a file's bytes. Raises CorruptKeystore."""
    if len(data) > MAX_FILE_BYTES:
        raise CorruptKeystore(f"the file has {len(data)} bytes and is no keystore")
    try:
        raw = msgspec.json.decode(data, type=dict[str, object])
        lowered = {name.lower(): value for name, value in raw.items()}
        return msgspec.convert(lowered, Keystore)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptKeystore(
            "the file is no keystore of version 3, or was damaged: restore it from a copy, or import the mnemonic again"
        ) from error


def address_in(keystore: Keystore) -> Address | None:
    """The address that the file claims; None when it names none. Raises CorruptKeystore."""
    if not keystore.address:
        return None
    try:
        return parse("0x" + keystore.address.removeprefix("0x").lower())
    except AddressError as error:
        raise CorruptKeystore(f"the address in the keystore is damaged: {error}") from error


def encrypt(private_key: bytes, password: str, *, work: int = STANDARD_WORK) -> bytes:
    """The file's bytes for a private key."""
    try:
        address = address_of(private_key)
    except SignatureError as error:
        raise InvalidPrivateKey(str(error)) from error
    salt, iv = secrets.token_bytes(32), secrets.token_bytes(16)
    params = KdfParams(dklen=_LENGTH, salt=salt.hex(), n=work, r=_BLOCK, p=1)
    derived = _scrypt(password, params, salt)
    ciphertext = _aes(derived[:16], iv, private_key)
    crypto = Crypto(
        cipher="aes-128-ctr",
        cipherparams=CipherParams(iv.hex()),
        ciphertext=ciphertext.hex(),
        kdf="scrypt",
        kdfparams=params,
        mac=keccak256(derived[16:32] + ciphertext).hex(),
    )
    keystore = Keystore(crypto, 3, id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), address=address.hex())
    return msgspec.json.encode(keystore)


def decrypt(keystore: Keystore, password: str) -> bytes:
    """The private key. Raises WrongPassword, or CorruptKeystore when the file itself is at fault."""
    crypto = keystore.crypto
    if crypto.cipher.lower() != "aes-128-ctr":
        raise CorruptKeystore(f"the cipher {crypto.cipher[:40]!r} is not known: only aes-128-ctr is")
    salt, iv = _bytes(crypto.kdfparams.salt, "salt"), _bytes(crypto.cipherparams.iv, "iv")
    ciphertext, mac = _bytes(crypto.ciphertext, "ciphertext"), _bytes(crypto.mac, "mac")
    if len(iv) != 16 or len(mac) != 32 or len(ciphertext) != 32 or crypto.kdfparams.dklen != _LENGTH:
        raise CorruptKeystore("a part of the keystore has the wrong length: restore the file from a copy")
    derived = _derive(crypto, password, salt)
    if not hmac.compare_digest(keccak256(derived[16:32] + ciphertext), mac):
        raise WrongPassword("the password does not open this keystore")
    private_key = _aes(derived[:16], iv, ciphertext)
    try:
        address = address_of(private_key)
    except SignatureError as error:
        raise CorruptKeystore("the keystore holds no private key") from error
    if address_in(keystore) not in (None, address):
        raise CorruptKeystore("the keystore holds the key of another address than it says: don't use it")
    return private_key


def _derive(crypto: Crypto, password: str, salt: bytes) -> bytes:
    params = crypto.kdfparams
    match crypto.kdf.lower():
        case "scrypt":
            return _scrypt(password, params, salt)
        case "pbkdf2":
            if params.prf != "hmac-sha256" or not 1 <= params.c <= MAX_PBKDF2_ROUNDS:
                raise CorruptKeystore("the parameters of PBKDF2 in the keystore are not usable")
            return hashlib.pbkdf2_hmac(
                "sha256", password.encode("utf-8", "surrogateescape"), salt, params.c, params.dklen
            )
    raise CorruptKeystore(f"the key derivation {crypto.kdf[:40]!r} is not known: only scrypt and pbkdf2 are")


def _scrypt(password: str, params: KdfParams, salt: bytes) -> bytes:
    memory = 128 * params.n * params.r
    is_power = params.n > 1 and params.n & (params.n - 1) == 0
    if not (is_power and params.r > 0 and 1 <= params.p <= 16 and memory <= MAX_SCRYPT_MEMORY):
        raise CorruptKeystore("the parameters of scrypt in the keystore are not usable")
    secret = password.encode("utf-8", "surrogateescape")
    if params.n >= 2 ** (16 * params.r):
        # OpenSSL keeps to RFC 7914 and refuses these, but some wallets write them.
        return bytes(scrypt(secret, salt, params.dklen, params.n, params.r, params.p))  # type: ignore[arg-type]
    allowed = memory + 128 * params.r * (params.p + 2) + 2**20
    return hashlib.scrypt(secret, salt=salt, n=params.n, r=params.r, p=params.p, maxmem=allowed, dklen=params.dklen)


def _aes(key: bytes, iv: bytes, data: bytes) -> bytes:
    stream = Cipher(AES(key), CTR(iv)).encryptor()
    return stream.update(data) + stream.finalize()


def _bytes(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise CorruptKeystore(f"the {what} in the keystore is not hexadecimal: restore the file from a copy") from error

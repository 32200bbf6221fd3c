"""Backups as files: a header that anybody can read, then the tar of the volumes, encrypted to the owner's account.

    "FLUXBAK1" · u32 length, header (JSON) · secretstream header (24 bytes) · chunks (u32 length, ciphertext)

Chunks are libsodium's secretstream (XChaCha20-Poly1305) over 64 KiB each, the last marked as such: changed, left out,
swapped or missing ones are detected, and the first also authenticates the header. The key is HKDF-SHA256 of the
account's signature (RFC 6979, so always the same) over a fixed text, salted per file: whoever has the wallet can open
it, and nothing else is needed.
"""

import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from flux.primitives.address import to_text
from flux.primitives.hkdf import hkdf
from flux.primitives.signature import personal_message_hash
from flux.sdk.errors import ClientError
from flux.sdk.signer import Signer

MAGIC = b"FLUXBAK1"
CHUNK = 64 * 1024
KEY_TEXT = b"Flux backups v1\n\nWhoever has this signature can read all backups of this account: sign it nowhere else."
MAX_HEADER = 64 * 1024
SALT_BYTES = 32
_INFO = b"flux backup v1"
_LENGTH = 4
_OVERHEAD = sodium.crypto_secretstream_xchacha20poly1305_ABYTES
_STREAM_HEADER = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_MESSAGE = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class BackupUnusable(ClientError):
    """A file that is no backup, was cut off or changed, or belongs to another account."""

    def __init__(self, sentence: str, hint: str = "restore from another backup; nothing was changed") -> None:
        super().__init__(sentence)
        self.hint = hint
        """What to do next."""


class BackupHeader(msgspec.Struct, frozen=True):
    """What the file says of itself."""

    app: str
    app_id: int
    instance: int
    volumes: tuple[str, ...]
    """Each is a folder in the tar."""
    owner: str
    """Address of the account that opens it."""
    created_at: int
    """Unix seconds."""
    salt: str
    """32 bytes, hexadecimal."""


def new_salt() -> str:
    """A fresh one for each file."""
    return os.urandom(SALT_BYTES).hex()


def backup_key(signer: Signer, header: BackupHeader) -> bytes:
    """The key of a file. Raises BackupUnusable when it belongs to another account."""
    if header.owner != to_text(signer.address):
        raise BackupUnusable(
            f"this backup belongs to {header.owner}; {to_text(signer.address)} can't open it",
            "choose the account that made it with --account; nothing was changed",
        )
    signature = signer.sign_hash(personal_message_hash(KEY_TEXT)).to_bytes()
    if signature != signer.sign_hash(personal_message_hash(KEY_TEXT)).to_bytes():
        raise BackupUnusable(
            "this wallet signs differently each time (not RFC 6979): it could never open the backup",
            "use a key that flux or another software wallet keeps",
        )
    try:
        salt = bytes.fromhex(header.salt)
    except ValueError as error:
        raise BackupUnusable("the backup's header is damaged") from error
    # r and s only: wallets write the last byte in different ways.
    return hkdf(signature[:64], 32, _INFO, salt)


class BackupWriter:
    """Encrypts into a file in chunks. Without `finish` the file is refused when it is read."""

    def __init__(self, file: BinaryIO, header: BackupHeader, key: bytes) -> None:
        self._file = file
        self._pending = bytearray()
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        packed = msgspec.json.encode(header)
        self._header_hash: bytes | None = hashlib.sha256(MAGIC + packed).digest()
        stream = sodium.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        file.write(MAGIC + len(packed).to_bytes(_LENGTH, "big") + packed + stream)

    def write(self, data: bytes) -> None:
        """Add to the contents."""
        self._pending += data
        while len(self._pending) > CHUNK:
            self._push(bytes(self._pending[:CHUNK]), _MESSAGE)
            del self._pending[:CHUNK]

    def finish(self) -> None:
        """Write the rest, and that it was all."""
        self._push(bytes(self._pending), _FINAL)
        self._pending.clear()

    def _push(self, data: bytes, tag: int) -> None:
        sealed = sodium.crypto_secretstream_xchacha20poly1305_push(self._state, data, self._header_hash, tag)
        self._header_hash = None
        self._file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)


def read_header(file: BinaryIO) -> BackupHeader:
    """The header, not authenticated yet. Raises BackupUnusable."""
    return _read_header(file)[0]


def read_backup(file: BinaryIO, signer: Signer) -> Iterator[bytes]:
    """The contents from the file's beginning on, piece by piece, each authenticated. Raises BackupUnusable.

    Only when it ends without an error was the file whole: take nothing for complete before.
    """
    file.seek(0)
    header, packed = _read_header(file)
    key = backup_key(signer, header)
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    stream = file.read(_STREAM_HEADER)
    if len(stream) != _STREAM_HEADER:
        raise _cut_off()
    sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, stream, key)
    header_hash: bytes | None = hashlib.sha256(MAGIC + packed).digest()
    while True:
        sealed = _read_chunk(file)
        try:
            data, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(state, sealed, header_hash)
        except (CryptoError, RuntimeError) as error:
            raise BackupUnusable("the backup was changed or damaged: a piece of it does not open") from error
        header_hash = None
        yield data
        if tag == _FINAL:
            if file.read(1):
                raise BackupUnusable("something was added after the backup's end")
            return


def _read_header(file: BinaryIO) -> tuple[BackupHeader, bytes]:
    if file.read(len(MAGIC)) != MAGIC:
        raise BackupUnusable("this file is no Flux backup")
    length = int.from_bytes(file.read(_LENGTH), "big")
    if length > MAX_HEADER:
        raise BackupUnusable("the backup's header is damaged")
    packed = file.read(length)
    if len(packed) != length:
        raise _cut_off()
    try:
        return msgspec.json.decode(packed, type=BackupHeader), packed
    except msgspec.DecodeError as error:
        raise BackupUnusable("the backup's header is damaged") from error


def _read_chunk(file: BinaryIO) -> bytes:
    length = file.read(_LENGTH)
    size = int.from_bytes(length, "big")
    if len(length) != _LENGTH:
        raise _cut_off()
    if not _OVERHEAD <= size <= CHUNK + _OVERHEAD:
        raise BackupUnusable("the backup was changed or damaged: a piece has an impossible length")
    sealed = file.read(size)
    if len(sealed) != size:
        raise _cut_off()
    return sealed


def _cut_off() -> BackupUnusable:
    return BackupUnusable("the backup ends before its end: it was cut off")

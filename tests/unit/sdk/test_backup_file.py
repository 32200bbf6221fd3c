"""The file of a backup: it opens with the wallet alone, and only whole and unchanged."""

import io
import random

import pytest

from flux.primitives.address import to_text
from flux.primitives.signature import Signature
from flux.primitives.types import Hash
from flux.sdk.backup_file import (
    CHUNK,
    BackupHeader,
    BackupUnusable,
    BackupWriter,
    backup_key,
    new_salt,
    read_backup,
    read_header,
)
from flux.sdk.signer import LocalSigner

OWNER = LocalSigner(b"\x01" * 32)
STRANGER = LocalSigner(b"\x02" * 32)


def header(owner: LocalSigner = OWNER) -> BackupHeader:
    return BackupHeader("shop", 2, 0, ("data",), to_text(owner.address), 1_800_000_000, new_salt())


def written(data: bytes, owner: LocalSigner = OWNER) -> bytes:
    file, facts = io.BytesIO(), header(owner)
    writer = BackupWriter(file, facts, backup_key(owner, facts))
    for start in range(0, len(data), 10_000):
        writer.write(data[start : start + 10_000])
    writer.finish()
    return file.getvalue()


def read(data: bytes, signer: LocalSigner = OWNER) -> bytes:
    return b"".join(read_backup(io.BytesIO(data), signer))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 17])
def test_what_was_written_is_read(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert read(written(data)) == data


def test_the_wallet_alone_opens_it_and_another_does_not() -> None:
    file = written(b"secret")
    assert read(file, LocalSigner(b"\x01" * 32)) == b"secret"
    with pytest.raises(BackupUnusable, match=f"belongs to {to_text(OWNER.address)}") as refused:
        read(file, STRANGER)
    assert "--account" in refused.value.hint
    with pytest.raises(BackupUnusable, match="cut off") as damaged:
        read(file[:-1])
    assert "another backup" in damaged.value.hint


def test_a_header_that_was_rewritten_for_another_account_opens_nothing() -> None:
    file = written(b"secret").replace(to_text(OWNER.address).encode(), to_text(STRANGER.address).encode())
    with pytest.raises(BackupUnusable, match="changed or damaged"):
        read(file, STRANGER)
    with pytest.raises(BackupUnusable, match="belongs to"):
        read(file)


def test_two_files_of_the_same_contents_share_no_key() -> None:
    first, second = header(), header()
    assert backup_key(OWNER, first) != backup_key(OWNER, second)
    assert b"secret" not in written(b"secret" * 100)


def test_a_file_cut_off_anywhere_is_refused() -> None:
    file = written(bytes(3 * CHUNK))
    for length in {*range(0, 400, 7), *range(0, len(file), len(file) // 50), len(file) - 1}:
        with pytest.raises(BackupUnusable):
            read(file[:length])


def test_a_file_that_was_never_finished_is_refused() -> None:
    file, facts = io.BytesIO(), header()
    BackupWriter(file, facts, backup_key(OWNER, facts)).write(bytes(2 * CHUNK))
    with pytest.raises(BackupUnusable, match="cut off"):
        read(file.getvalue())


def test_any_changed_byte_is_noticed() -> None:
    file = written(random.Random(1).randbytes(CHUNK + 100))
    for place in {*range(0, 500, 3), *range(500, len(file), 997), len(file) - 1}:
        changed = bytearray(file)
        changed[place] ^= 1
        with pytest.raises(BackupUnusable):
            read(bytes(changed))


def test_swapped_pieces_and_additions_are_noticed() -> None:
    file = written(random.Random(2).randbytes(3 * CHUNK))
    piece = CHUNK + 17 + 4
    end = len(file)
    swapped = file[: end - 2 * piece] + file[end - piece :] + file[end - 2 * piece : end - piece]
    for changed in (swapped, file[: end - piece], file + b"\0", file + file[-piece:]):
        with pytest.raises(BackupUnusable):
            read(changed)


@pytest.mark.parametrize("junk", [b"", b"FLUXBAK1", b"FLUXBAK1\xff\xff\xff\xff", b"FLUXBAK1\0\0\0\2{}", b"PK\3\4" * 30])
def test_what_is_no_backup_is_said_to_be_none(junk: bytes) -> None:
    with pytest.raises(BackupUnusable):
        read_header(io.BytesIO(junk))


def test_a_wallet_that_signs_differently_each_time_is_refused_before_anything_is_written() -> None:
    class Moody(LocalSigner):
        def sign_hash(self, message_hash: Hash) -> Signature:
            return LocalSigner(random.randbytes(32)).sign_hash(message_hash)

    with pytest.raises(BackupUnusable, match="could never open"):
        backup_key(Moody(b"\x01" * 32), header())

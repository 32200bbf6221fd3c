"""Disk: sequential writing and reading, and the latency of small reads at random places.

The page cache is bypassed with O_DIRECT where the file system can; where it cannot (some overlays), written pages are
forced out and dropped instead, and the result says so.
"""

import errno
import mmap
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB = 1024 * 1024
CHUNK: Final = MIB
PAGE: Final = 4096
SIZE_MIB = 256
"""Most that is written."""
SECONDS = 3.0
"""Most that writing, and again reading, lasts."""
READS = 200
"""Most small reads."""


@dataclass(frozen=True, slots=True)
class DiskResult:
    """What the disk under a folder does."""

    write_mib_per_second: float
    read_mib_per_second: float
    read_latency_us: float
    """Median of 4 KiB reads at random places."""
    direct: bool
    """The page cache was bypassed."""


def measure_disk(folder: Path, size_mib: int = SIZE_MIB, seconds: float = SECONDS) -> DiskResult:
    """Write, read and remove a file in the folder. Raises OSError when that is not possible."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"benchmark-{os.getpid()}.tmp"
    try:
        with _opened(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as (file, direct):
            written, write_rate = _write(file, size_mib, seconds)
            _drop(file)
            read_rate = _read(file, written, seconds)
            _drop(file)
            latency = _latency(file, written)
    finally:
        path.unlink(missing_ok=True)
    return DiskResult(write_rate, read_rate, latency, direct)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[tuple[int, bool]]:
    """The file, and whether it bypasses the page cache."""
    try:
        file, direct = os.open(path, flags | os.O_DIRECT, 0o600), True
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
        file, direct = os.open(path, flags, 0o600), False
    try:
        yield file, direct
    finally:
        os.close(file)


def _write(file: int, size_mib: int, seconds: float) -> tuple[int, float]:
    """Bytes written, and MiB a second until they were on the disk."""
    with mmap.mmap(-1, CHUNK) as buffer:
        buffer.write(os.urandom(CHUNK))
        begun = time.perf_counter()
        chunks = 0
        while chunks < size_mib and (chunks == 0 or time.perf_counter() - begun < seconds):
            os.pwrite(file, buffer, chunks * CHUNK)
            chunks += 1
        os.fsync(file)
        return chunks * CHUNK, chunks * CHUNK / MIB / (time.perf_counter() - begun)


def _read(file: int, size: int, seconds: float) -> float:
    with mmap.mmap(-1, CHUNK) as buffer:
        begun = time.perf_counter()
        done = 0
        while done < size and (done == 0 or time.perf_counter() - begun < seconds):
            done += os.preadv(file, [buffer], done)
        return done / MIB / (time.perf_counter() - begun)


def _latency(file: int, size: int) -> float:
    """Microseconds."""
    taken = []
    with mmap.mmap(-1, PAGE) as buffer:
        for _ in range(READS):
            place = random.randrange(size // PAGE) * PAGE
            begun = time.perf_counter()
            os.preadv(file, [buffer], place)
            taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2] * 1e6


def _drop(file: int) -> None:
    """Have the kernel forget the file's pages, where it holds any."""
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)

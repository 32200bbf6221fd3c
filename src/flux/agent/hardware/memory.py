"""Memory: how much there is, how fast it is copied, and the memory-hard task by which others check it.

The task is scrypt (RFC 7914) with r = 8: it writes its memory once and then reads it in an order that nobody can know
before, so it cannot be done with much less memory in the same time.
"""

import hashlib
import time
from dataclasses import dataclass

import psutil

MIB = 1024 * 1024
COPIED_MIB = 64
"""Larger than the caches of most processors."""
SECONDS = 0.5
_BLOCK = 8
_BYTES_PER_STEP = 128 * _BLOCK


@dataclass(frozen=True, slots=True)
class MemoryResult:
    """What the memory is."""

    total_mib: int
    available_mib: int
    copy_mib_per_second: float
    """Bytes read plus bytes written by a plain copy, one thread."""


def measure_memory(seconds: float = SECONDS, copied_mib: int = COPIED_MIB) -> MemoryResult:
    """Copy a buffer back and forth for about `seconds`."""
    memory = psutil.virtual_memory()
    source = memoryview(bytes([1]) * (copied_mib * MIB))
    target = memoryview(bytearray(copied_mib * MIB))
    target[:] = source
    copies = 0
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        target[:] = source
        copies += 1
    return MemoryResult(memory.total // MIB, memory.available // MIB, 2 * copied_mib * copies / passed)


def fill_memory(seed: bytes, index: int, mib: int) -> bytes:
    """The answer of one memory-hard task over `mib` MiB, a power of two. Releases the interpreter's lock."""
    steps = mib * MIB // _BYTES_PER_STEP
    salt = index.to_bytes(4, "big")
    return hashlib.scrypt(seed, salt=salt, n=steps, r=_BLOCK, p=1, maxmem=mib * MIB + 8 * MIB, dklen=32)

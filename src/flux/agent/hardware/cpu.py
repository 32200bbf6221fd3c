"""Processor speed in events a second: one core, and all of them at once. The event is `primitives.cpu_work`."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from flux.primitives.cpu_work import EVENT_BYTES, event

SECONDS = 2.0
"""How long each of the two measurements lasts."""


@dataclass(frozen=True, slots=True)
class CpuResult:
    """What the processor does."""

    cores: int
    """Logical ones."""
    single: float
    """Events a second of one core."""
    all_cores: float
    """Events a second of all of them together."""


def measure_cpu(seconds: float = SECONDS) -> CpuResult:
    """Measure for about twice `seconds`. Threads run in parallel, since an event needs no interpreter's lock."""
    cores = psutil.cpu_count(logical=True) or 1
    return CpuResult(cores, _rate(1, seconds), _rate(cores, seconds))


def _rate(threads: int, seconds: float) -> float:
    begun = time.perf_counter()
    end = begun + seconds
    with ThreadPoolExecutor(threads) as pool:
        counts = list(pool.map(lambda number: _count_until(end, number), range(threads)))
    return sum(counts) / (time.perf_counter() - begun)


def _count_until(end: float, chain: int) -> int:
    seed = before = os.urandom(EVENT_BYTES)
    count = 0
    while time.perf_counter() < end:
        before = event(seed, chain, count, before)
        count += 1
    return count

"""The clock of an in-memory engine: the machine's own, or one that a test moves by hand."""

import asyncio
import heapq
import itertools
import time
from typing import Protocol

_SETTLING_ROUNDS = 20
"""Turns of the event loop after each wake-up, in which woken tasks can act and go to sleep again."""


class Clock(Protocol):
    """Unix seconds, and sleep measured by them."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """Real time."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Stands still until `advance`, which wakes sleepers in the order of their times."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let that much time pass; returns when everything due in it has happened."""
        end = self._now + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            when, _, future = heapq.heappop(self._sleepers)
            self._now = when
            if not future.done():
                future.set_result(None)
            await _settle()
        self._now = end


async def _settle() -> None:
    for _ in range(_SETTLING_ROUNDS):
        await asyncio.sleep(0)

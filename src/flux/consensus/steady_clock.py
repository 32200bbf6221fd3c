"""Time for a producer of blocks whose wall clock may be set back: it goes on, slower, until that has caught up.

A header never carries an earlier time than its parent's. Without this, a clock that was an hour ahead and is put right
would hold the chain's time for an hour: no deadline would pass, and nobody would be paid or suspected.
"""

import time
from collections.abc import Callable

PACE = 7 / 8
"""Of true seconds, while the wall clock is behind."""


class SteadyClock:
    """Unix seconds that never go back and never stop. Not safe for use from two threads at once."""

    def __init__(
        self,
        start: float,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`start` is the time of the newest block."""
        self._wall = wall
        self._monotonic = monotonic
        self._now = start
        self._at = monotonic()

    def __call__(self) -> float:
        """The wall clock's time, or what has passed since the last call at a slower pace where that is later."""
        at = self._monotonic()
        self._now = max(self._wall(), self._now + (at - self._at) * PACE)
        self._at = at
        return self._now

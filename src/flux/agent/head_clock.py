"""How fresh this node's knowledge of the chain is, by its own monotonic clock: wall clocks jump, endpoints lag.

A head counts from before the request that first showed it. An endpoint that shows an older one than was seen is behind,
and one that shows the same for long is cut off, whatever else it answers.
"""

import time
from collections import deque
from collections.abc import Callable

from flux.sdk.errors import ClientError

KEPT = 256
"""Heads whose first sight is remembered, at most one a second: more than any staleness that anybody asks about."""


class Behind(ClientError):
    """An endpoint showed an older head than one already seen; what it says is not used."""

    retry = True

    def __init__(self, number: int, seen: int) -> None:
        super().__init__(f"the endpoint is at block {number} and block {seen} was seen before: it is behind")


class HeadClock:
    """The newest head that this node knows, and since when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._number = 0
        self._seen_at = clock()
        self._history: deque[tuple[int, float]] = deque(maxlen=KEPT)

    @property
    def number(self) -> int:
        """The newest head seen; 0 before the first."""
        return self._number

    def now(self) -> float:
        """To be asked before a request whose answer is told to `saw`."""
        return self._clock()

    def check(self, number: int) -> None:
        """Raises Behind for a head older than one already seen."""
        if number < self._number:
            raise Behind(number, self._number)

    def saw(self, number: int, asked_at: float) -> None:
        """An answer as of this head came to a request that was made at `asked_at`."""
        if number <= self._number:
            return
        self._number, self._seen_at = number, asked_at
        if not self._history or asked_at - self._history[-1][1] >= 1:
            self._history.append((number, asked_at))

    def age(self) -> float:
        """Seconds since the newest head was asked for; since the start before there was one."""
        return self._clock() - self._seen_at

    def behind(self, number: int) -> float:
        """For how many seconds this node has known a newer head than `number`; 0 when it knows none."""
        newer = next((at for known, at in self._history if known > number), None)
        return 0.0 if newer is None else self._clock() - newer

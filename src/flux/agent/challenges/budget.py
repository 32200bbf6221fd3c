"""How much of a node's time challenges may take: a share of all time, saved up to a limit and then lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.01
"""Of the node's time."""
SAVED_SECONDS = 30.0
"""Most that is saved up: about what the share gives in an hour."""


class BudgetSpent(Exception):
    """The node did enough for now; the message says when to ask again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"enough was measured for now; ask again in {seconds:.0f} s")
        self.seconds = seconds


class TimeBudget:
    """Counts the seconds that tasks took. A task may begin while anything is left, so one task may overdraw."""

    def __init__(self, clock: Callable[[], float], share: float = SHARE, saved: float = SAVED_SECONDS) -> None:
        self._clock = clock
        self._share = share
        self._most = saved
        self._left = saved
        self._seen = clock()

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Time spent inside is charged. Raises BudgetSpent."""
        self._earn()
        if self._left <= 0:
            raise BudgetSpent(-self._left / self._share + 1)
        begun = self._clock()
        try:
            yield
        finally:
            self._earn()
            self._left -= self._clock() - begun

    def _earn(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._seen) * self._share)
        self._seen = now

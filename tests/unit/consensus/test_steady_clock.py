"""A producer's time when its wall clock jumps: never back, never still."""

from itertools import pairwise

import pytest

from flux.consensus.steady_clock import PACE, SteadyClock

HOUR = 3600.0


class Clocks:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.passed, self.error = 0.0, 0.0

    def wall(self) -> float:
        return 1e9 + self.passed + self.error

    def steady(self, start: float = 0.0) -> SteadyClock:
        return SteadyClock(start, self.wall, lambda: self.passed)


def test_it_says_what_the_wall_clock_says_also_when_that_jumps_ahead() -> None:
    clocks = Clocks()
    steady = clocks.steady()
    for clocks.passed in (0.0, 1.0, 1.5, 100.0):
        assert steady() == clocks.wall()
    clocks.error = HOUR
    assert steady() == clocks.wall()


@pytest.mark.parametrize("ahead", [HOUR, 0.0])
def test_it_goes_on_when_the_wall_clock_is_set_back_and_meets_it_again(ahead: float) -> None:
    clocks = Clocks()
    steady = clocks.steady()
    clocks.error = ahead
    before = steady()
    clocks.error = ahead - HOUR
    seen = [before]
    for clocks.passed in range(0, 8 * 3600 + 60, 10):
        seen.append(steady())
    paces = [(later - earlier) / 10 for earlier, later in pairwise(seen[1:])]
    assert min(paces) >= PACE
    assert steady() == clocks.wall()


def test_a_newest_block_from_the_future_is_where_it_begins() -> None:
    clocks = Clocks()
    steady = clocks.steady(start=clocks.wall() + HOUR)
    clocks.passed = 80.0
    assert steady() == 1e9 + HOUR + 80 * PACE

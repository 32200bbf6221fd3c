"""When a volume whose lease is over may be deleted: pure, from what the chain says and what was noted before.

Two clocks must agree. The chain's says that the lease has been over for the whole quarantine; this machine's, that the
chain went on saying so for a while (`WATCH`), look after look. So neither an endpoint that lies or lags for a moment
nor a clock that jumps deletes anything. While the chain can't be read nobody asks here, and no time is counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from flux.contracts.market.types import Lease, LeaseState
from flux.runtime.labels import VolumeKey

WATCH = 3600.0
"""Seconds that this machine must have seen the lease closed for, or the whole quarantine where that is shorter."""
MAX_BLOCK_AGE = 600
"""Seconds that the newest block's time may differ from this machine's: beyond, one of the two is not to be trusted."""
MAX_STEP = 300.0
"""Seconds between two looks that count at most: what the machine slept through was not watched."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was noted of a volume that no open lease holds."""

    closed_at: int
    """Chain time: when its last lease ended, or, where the chain forgot that lease, when it was first seen so."""
    watched: float = 0.0
    """Seconds of this machine's clock for which that was seen."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When one looks."""

    chain_now: int
    """Protocol time of the newest block."""
    block_time: int
    """Unix seconds of the newest block."""
    wall_now: float
    """Unix seconds by this machine's clock, which may be wrong."""
    passed: float
    """Seconds of the monotonic clock since the last look; 0 at the first."""
    grace: int
    """Seconds of quarantine."""

    @property
    def is_current(self) -> bool:
        """Whether the chain's newest block is of now, as far as this machine can tell."""
        return abs(self.block_time - self.wall_now) <= MAX_BLOCK_AGE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a volume."""

    sighting: Sighting | None
    """What to note; None while an open lease holds the volume."""
    delete: bool = False

    def delete_at(self, grace: int) -> int | None:
        """Chain time of its deletion at the earliest."""
        return None if self.sighting is None else self.sighting.closed_at + grace


HELD = Verdict(None)


def judge(volume: VolumeKey, leases: Iterable[Lease], noted: Sighting | None, moment: Moment) -> Verdict:
    """What becomes of a volume. `leases` are those the chain knows of its app, open and closed."""
    mine = [lease for lease in leases if lease.node == volume.node and lease.ordinal == volume.ordinal]
    if any(lease.state is not LeaseState.CLOSED for lease in mine):
        return HELD
    closed_at = max((int(lease.closed_at) for lease in mine), default=None)
    if closed_at is None:
        closed_at = moment.chain_now if noted is None else noted.closed_at
    if noted is None or closed_at > noted.closed_at:
        return Verdict(Sighting(closed_at))
    if not moment.is_current:
        return Verdict(noted)
    seen = Sighting(noted.closed_at, noted.watched + max(0.0, min(moment.passed, MAX_STEP)))
    over = moment.chain_now >= seen.closed_at + moment.grace
    return Verdict(seen, delete=over and seen.watched >= min(WATCH, moment.grace))

"""Fleets by the version that state holds, so that one is brought up to date instead of rebuilt for every block.

A version is a hash over the facts of every node that ever changed, in order. Whoever holds a state finds the fleet of
exactly that state or builds it anew: a reverted transaction or a dropped proposal can leave nothing stale behind,
because its version is in no state. A fleet that is in the cache is never changed.
"""

from flux.contracts.market.fleet import Fleet
from flux.primitives.types import Hash

KEPT = 4
"""Fleets remembered: heads of competing proposals and the state before."""


class FleetCache:
    """Shared by all markets of one process."""

    def __init__(self) -> None:
        self._fleets: dict[Hash, Fleet] = {}

    def find(self, version: Hash) -> Fleet | None:
        """The fleet of a version, to be read only."""
        return self._fleets.get(version)

    def keep(self, version: Hash, fleet: Fleet) -> None:
        """Remember a fleet; the oldest one gives way."""
        self._fleets[version] = fleet
        while len(self._fleets) > KEPT:
            del self._fleets[next(iter(self._fleets))]

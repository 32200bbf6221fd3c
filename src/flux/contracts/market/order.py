"""The order of one block among nodes that are equal in spread and price: cohort, tie, node id."""

import numpy as np

from flux.contracts.market.fleet import COHORT, Fleet, Ints
from flux.contracts.market.rules import GOLDEN, MIX_1, MIX_2, TIE_BITS
from flux.primitives.types import Hash


class BlockOrder:
    """Every node's place, from 0. Places are distinct, so no two nodes are ever equal."""

    __slots__ = ("bits", "node_at", "place")

    def __init__(self, fleet: Fleet, seed: Hash) -> None:
        self.node_at: Ints = np.argsort(_ranks(fleet.columns[COHORT], seed), kind="stable")
        """Node indices by place."""
        self.place: Ints = np.empty_like(self.node_at)
        """Places by node index."""
        self.place[self.node_at] = np.arange(fleet.count, dtype=np.int64)
        self.bits = fleet.count.bit_length()
        """Bits that a place needs."""


def _ranks(cohorts: Ints, seed: Hash) -> Ints:
    """Cohort · 2**40 + tie for nodes 1, 2, …: `rules.cohort_of` and `rules.tie_of` in one number below 2**62."""
    nodes = np.arange(1, len(cohorts) + 1, dtype=np.uint64)
    mixed = nodes * np.uint64(GOLDEN) + np.uint64(int.from_bytes(seed[:8], "big"))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(MIX_1)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(MIX_2)
    tie = (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(64 - TIE_BITS)
    return (cohorts << TIE_BITS) + tie.astype(np.int64)

"""A fleet's columns in the order in which they are searched, in one block, and bounds of what each group can offer.

Bounds become loose as capacity is taken, never wrong. After a number of placements the nodes are grouped anew.
"""

from itertools import pairwise
from typing import Final

import numpy as np

from flux.contracts.market.filters import Filter, Filters
from flux.contracts.market.fleet import (
    ASK_CPU,
    ASK_GPU,
    COHORT,
    COUNTRY,
    FREE_CPU,
    FREE_GPU,
    NETWORK,
    OPERATOR,
    SLOTS,
    Fleet,
    Ints,
)
from flux.contracts.market.layout import Tuning, grouped
from flux.contracts.market.requests import Wish
from flux.contracts.market.rules import GOLDEN, MIX_1, MIX_2, NO_PRICE, TIE_BITS, Needs
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32, Hash

TUNING: Final = Tuning()


class Field:
    """What a session searches: slots are positions in the present order."""

    def __init__(self, fleet: Fleet, seed: Hash, expected: int, tuning: Tuning = TUNING) -> None:
        self.fleet = fleet
        self.tuning = tuning
        columns = fleet.columns
        codes = fleet.codes
        self._rank_by_node = ranks(columns[COHORT], seed)
        self._is_grouped = expected > tuning.few_requests and fleet.count > tuning.few_nodes
        self._filters = Filters(fleet)
        self._version = 0
        self._placed = 0
        self.operator_load: Ints = np.zeros(len(codes.operators), dtype=np.int64)
        self.network_load: Ints = np.zeros(len(codes.networks), dtype=np.int64)
        self.country_load: Ints = np.zeros(len(codes.countries), dtype=np.int64)
        self._arrange()

    def filter(self, wish: Wish) -> Filter:
        """The slots that a wish's constraints leave."""
        found = self._filters.get(wish)
        if found.version != self._version:
            found.arrange(self._order, self._version, self.tuning.rare)
        return found

    def slot(self, node: NodeId) -> int:
        """Where the node's column is."""
        return int(self._slot_of[node - 1])

    def regroup_if_due(self) -> None:
        """Group the nodes anew when many placements were made since. Not while a session is open."""
        if self._is_grouped and self._placed >= self.tuning.reorder_after:
            self._arrange()

    def take(self, slot: int, needs: Needs) -> int:
        """Take an instance's needs and one lease of a node. Returns the cpu that can still be asked of it."""
        self._placed += 1
        self.fleet.take(NodeId(U32(self.node[slot])), needs)
        column = self.fleet.columns[:, self.node[slot] - 1]
        self.free[:, slot] = column[FREE_CPU : FREE_GPU + 1]
        if column[SLOTS] <= 0:
            self.free[0, slot] = -1
        return int(self.free[0, slot])

    def lower_prices(self, needs: Ints, factors: Ints) -> Ints:
        """What the cheapest instance in each group costs at least; NO_PRICE where none fits."""
        rows = len(needs)
        parts = self._lowest[:rows] * factors
        parts[1:3] >>= 7
        short = (self._most[:rows] < needs).any(axis=0)
        prices: Ints = np.where(short, NO_PRICE, np.add.reduce(parts, axis=0))
        return prices

    def slots_of(self, groups: Ints) -> Ints:
        """All slots of some groups."""
        return np.concatenate([self._members[group] for group in groups.tolist()])

    def remeasure(self, group: int) -> None:
        """Look at what a group has left. Not the cpu: a session may have set nodes aside."""
        begin, end = self.edges[group], self.edges[group + 1]
        self._most[1:, group] = self.free[1:, begin:end].max(axis=1)

    def _arrange(self) -> None:
        fleet = self.fleet
        self._placed = 0
        self._version += 1
        if self._is_grouped:
            self._order, starts = grouped(fleet, self._rank_by_node, self.tuning.chunk)
        else:
            self._order = np.arange(fleet.count, dtype=np.int64)
            starts = np.zeros(min(fleet.count, 1), dtype=np.int64)
        self._slot_of = np.empty(fleet.count, dtype=np.int64)
        self._slot_of[self._order] = np.arange(fleet.count, dtype=np.int64)
        columns = fleet.columns
        self.node: list[int] = (self._order + 1).tolist()
        self.rank: Ints = self._rank_by_node[self._order]
        self.asks: Ints = columns[ASK_CPU : ASK_GPU + 1, self._order]
        self.free: Ints = columns[FREE_CPU : FREE_GPU + 1, self._order]
        self.free[0] = np.where(columns[SLOTS, self._order] > 0, self.free[0], -1)
        self.operator: Ints = columns[OPERATOR, self._order]
        self.network: Ints = columns[NETWORK, self._order]
        self.country: Ints = columns[COUNTRY, self._order]
        self.edges: list[int] = [*starts.tolist(), fleet.count]
        self._members = [np.arange(begin, end) for begin, end in pairwise(self.edges)]
        self.first_rank: Ints = np.minimum.reduceat(self.rank, starts) if starts.size else self.rank
        self._lowest = np.minimum.reduceat(self.asks, starts, axis=1) if starts.size else self.asks
        self._most = np.maximum.reduceat(self.free, starts, axis=1) if starts.size else self.free


def ranks(cohorts: Ints, seed: Hash) -> Ints:
    """Cohort · 2**40 + tie for nodes 1, 2, …: `rules.cohort_of` and `rules.tie_of` in one number below 2**62."""
    nodes = np.arange(1, len(cohorts) + 1, dtype=np.uint64)
    mixed = nodes * np.uint64(GOLDEN) + np.uint64(int.from_bytes(seed[:8], "big"))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(MIX_1)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(MIX_2)
    tie = (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(64 - TIE_BITS)
    return (cohorts << TIE_BITS) + tie.astype(np.int64)

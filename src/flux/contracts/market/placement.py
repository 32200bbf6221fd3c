"""Which node takes which instance: the protocol's choice, computed over int64 columns.

The choice for one request is the feasible node with the smallest (spread, price, cohort, tie, node id):
- spread: how many of the app's instances already share its operator, then its network prefix, then its country;
- price: of this instance on this node, milli-gwei per hour;
- cohort: the 30 days in which the node registered, earlier first;
- tie: the block seed's own order.
A naive loop over all nodes makes the same choices (tests/unit/contracts/market/naive.py); this one looks at few nodes:
groups of like nodes are visited from the lowest possible price up, until none can be better than the best one found.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from flux.contracts.market.filters import Filter
from flux.contracts.market.fleet import Fleet, Ints
from flux.contracts.market.layout import Tuning
from flux.contracts.market.requests import Presence, Request, Spread, Wish
from flux.contracts.market.rules import NO_PRICE, is_placeable
from flux.contracts.market.search import TUNING, Field
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32, Hash

OPERATOR_UNIT: Final = 1 << 40
NETWORK_UNIT: Final = 1 << 20
"""Spread as one number: operator count · 2**40 + network count · 2**20 + country count, each below 2**16."""
ATTEMPTS: Final = 4
"""Cheapest nodes asked one by one whether they share a fault domain, before all are."""

Booleans = npt.NDArray[np.bool_]


class Candidate(NamedTuple):
    """A feasible node; the smallest one wins."""

    spread: int
    price: int
    rank: int
    node: int
    """Node id."""
    slot: int
    """Where its column is."""


class Placement:
    """The placements of one block: capacity is taken as instances are placed."""

    def __init__(self, fleet: Fleet, seed: Hash, expected: int, tuning: Tuning = TUNING) -> None:
        self._field = Field(fleet, seed, expected, tuning)

    def session(self, wish: Wish, presence: Presence) -> "Session":
        """Begin to place instances of one app. Sessions must not overlap; close each."""
        self._field.regroup_if_due()
        return Session(self._field, wish, presence)

    def place(self, requests: Iterable[Request]) -> list[NodeId | None]:
        """The node of each request in order, None where there is none."""
        chosen: list[NodeId | None] = []
        session: Session | None = None
        app: int | None = None
        for request in requests:
            if session is None or request.app != app:
                if session is not None:
                    session.close()
                session, app = self.session(request.wish, request.presence), request.app
            chosen.append(session.place(request.replaced))
        if session is not None:
            session.close()
        return chosen


class Session:
    """Placing the instances of one app: its hosts and excluded nodes are set aside until it is closed."""

    def __init__(self, field: Field, wish: Wish, presence: Presence) -> None:
        self._field = field
        self._wish = wish
        self._filter: Filter | None = None
        self._aside: dict[int, int] = {}
        self._counted: dict[int, None] = {}
        needs = wish.needs
        if is_placeable(needs):
            self._filter = field.filter(wish)
        self._rows = 4 if needs.gpu_count else 3
        self._needs: Ints = np.array([needs[: self._rows]], dtype=np.int64).T
        factors = (needs.cpu_milli, needs.memory_mib * 125, needs.disk_mib * 125, needs.gpu_count * 1000)
        self._factors: Ints = np.array([factors[: self._rows]], dtype=np.int64).T
        for node in presence.excluded:
            self._set_aside(field.slot(node))
        for node in presence.hosts:
            self._add_host(field.slot(node))

    def place(self, replaced: NodeId | None = None) -> NodeId | None:
        """Choose a node, take its capacity and make it a host of the app; None when no node can.

        `replaced` is the node that the instance leaves: it stays a host, but its fault domains do not count.
        """
        if self._filter is None:
            return None
        slot = None if replaced is None else self._field.slot(replaced)
        if slot is not None and slot in self._counted:
            self._count(slot, -1)
            best = self._choose(self._filter)
            self._count(slot, 1)
        else:
            best = self._choose(self._filter)
        if best is None:
            return None
        self._aside[best.slot] = self._field.take(best.slot, self._wish.needs)
        self._field.free[0, best.slot] = -1
        self._add_host(best.slot)
        return NodeId(U32(best.node))

    def close(self) -> None:
        """Give hosts and excluded nodes back to other apps."""
        for slot, free in self._aside.items():
            self._field.free[0, slot] = free
        for slot in self._counted:
            self._count(slot, -1)
        self._aside, self._counted = {}, {}

    def _set_aside(self, slot: int) -> None:
        if slot not in self._aside:
            self._aside[slot] = int(self._field.free[0, slot])
            self._field.free[0, slot] = -1

    def _add_host(self, slot: int) -> None:
        self._set_aside(slot)
        if slot not in self._counted:
            self._counted[slot] = None
            self._count(slot, 1)

    def _count(self, slot: int, change: int) -> None:
        field, spread = self._field, self._wish.spread
        if spread >= Spread.COUNTRY:
            field.country_load[field.country[slot]] += change
        if spread >= Spread.PREFIX:
            field.network_load[field.network[slot]] += change * NETWORK_UNIT
        if spread >= Spread.OPERATOR:
            field.operator_load[field.operator[slot]] += change * OPERATOR_UNIT

    def _choose(self, wanted: Filter) -> Candidate | None:
        """The best node. `lower` holds what each group can offer at best; NO_PRICE once it is out of the race."""
        field, limit = self._field, self._wish.limit
        spreads = bool(self._counted) and self._wish.spread is not Spread.NONE
        floor = wanted.least_country_load(field.country_load, len(self._counted)) if spreads else 0
        if wanted.rare is not None:
            return self._visit(wanted, wanted.rare, floor, spreads=spreads)
        if not field.node:
            return None
        lower = field.lower_prices(self._needs, self._factors)
        best: Candidate | None = None
        at_once = field.tuning.first_groups
        while True:
            is_final = best is not None and best.spread <= floor
            left = np.nonzero(lower <= (best.price if best is not None and is_final else limit))[0]
            if best is not None and is_final:
                beaten = (lower[left] == best.price) & (field.first_rank[left] > best.rank)
                left = left[~beaten]
            if not left.size:
                return best
            if left.size > at_once:
                left = left[np.argpartition(lower[left], at_once - 1)[:at_once]]
            found = self._visit(wanted, field.slots_of(left), floor, spreads=spreads)
            if found is None:
                for group in left.tolist():
                    field.remeasure(group)
            best = _better(best, found)
            lower[left] = NO_PRICE
            at_once *= 2

    def _visit(self, wanted: Filter, slots: Ints, floor: int, *, spreads: bool) -> Candidate | None:
        """The best candidate among some slots."""
        field = self._field
        fits: Booleans = np.logical_and.reduce(field.free[: self._rows, slots] >= self._needs, axis=0)
        if slots is not wanted.rare:
            fits = np.logical_and(fits, wanted.matches[slots])
        parts = field.asks[: self._rows, slots] * self._factors
        parts[1:3] >>= 7
        prices = np.where(fits, np.add.reduce(parts, axis=0), NO_PRICE)
        if prices.size == 0:
            return None
        if spreads:
            return self._least_spread(prices, slots, floor)
        price = int(prices.min())
        return None if price > self._wish.limit else self._first(np.nonzero(prices == price)[0], slots, price, 0)

    def _least_spread(self, prices: Ints, slots: Ints, floor: int) -> Candidate | None:
        """Usually one of the cheapest shares no fault domain; only otherwise are all of them compared."""
        limit = self._wish.limit
        tried = prices.copy()
        for _ in range(ATTEMPTS):
            index = int(tried.argmin())
            price = int(tried[index])
            if price > limit:
                break
            equal = np.nonzero(tried == price)[0]
            free = equal[self._spreads(slots[equal]) == floor]
            if free.size:
                return self._first(free, slots, price, floor)
            tried[equal] = NO_PRICE
        feasible = np.nonzero(prices <= limit)[0]
        if not feasible.size:
            return None
        spread = self._spreads(slots[feasible])
        least = int(spread.min())
        left = feasible[spread == least]
        price = int(prices[left].min())
        return self._first(left[prices[left] == price], slots, price, least)

    def _spreads(self, slots: Ints) -> Ints:
        """How far nodes share fault domains with the app's instances, as one number."""
        field = self._field
        spread: Ints = field.operator_load[field.operator[slots]]
        spread += field.network_load[field.network[slots]]
        spread += field.country_load[field.country[slots]]
        return spread

    def _first(self, equal: Ints, slots: Ints, price: int, spread: int) -> Candidate:
        """The first by rank, then by node id, of slots that are equal in everything else."""
        field = self._field
        found = slots[equal]
        if found.size > 1:
            rank = field.rank[found]
            found = found[rank == rank.min()]
        return min(Candidate(spread, price, int(field.rank[slot]), field.node[slot], slot) for slot in found.tolist())


def _better(one: Candidate | None, other: Candidate | None) -> Candidate | None:
    if one is None or other is None:
        return one or other
    return min(one, other)

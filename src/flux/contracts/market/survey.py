"""The best candidates of many wishes at once among the nodes of one pool, whatever an app's other instances do.

A candidate's *key* is one int64: how much its price is above the least that the pool could ask for the wish, then its
place in the block's order. Smaller keys are better, no two are equal. Prices too far above the least have no key
(`NO_KEY`); they are found by `everything`, which compares prices and places one after the other.

Groups are visited from the lowest possible key up, for each wish until no other group can hold a better candidate than
the worst one kept.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from flux.contracts.market.filters import Booleans, features_of
from flux.contracts.market.fleet import Ints
from flux.contracts.market.offers import Offers
from flux.contracts.market.order import BlockOrder
from flux.contracts.market.pool import Pool
from flux.contracts.market.requests import Wish
from flux.contracts.market.rules import NO_PRICE

NO_KEY: Final = 1 << 62
"""Above every key."""
NO_NEED: Final = -NO_PRICE
"""Below what any node has left."""
STEP: Final = 8
"""How many times more candidates are looked up when those of a list are used up."""


class Shortlist(NamedTuple):
    """Nodes on which an instance fits at an accepted price: the best ones, in order."""

    nodes: list[int]
    """By index."""
    prices: list[int]
    """Milli-gwei per hour."""
    is_complete: bool
    """Whether there are no others."""


class Survey:
    """Looks up candidates in one block."""

    def __init__(self, offers: Offers, order: BlockOrder, first_groups: int) -> None:
        self._offers = offers
        self._order = order
        self._first_groups = first_groups
        self._least_far = NO_KEY >> order.bits
        """The least distance of prices that no key can hold."""

    def shortlists(self, pool: Pool, wishes: Sequence[Wish], size: int) -> list[Shortlist]:
        """Per wish the `size` best candidates, or fewer. Needs must be placeable."""
        pool.refresh(self._offers)
        terms = _Terms.of(wishes)
        lowest = terms.prices(pool.lowest[:, None])
        base = lowest.min(axis=1, keepdims=True)
        bounds = self._keys(lowest, base, pool.first, terms.fit(pool.most[:, None]) & (lowest <= terms.limits))
        bounds.sort(axis=1)
        best = self._visit(pool, terms, base, bounds, size)
        nodes = self._order.node_at.take(best & (1 << self._order.bits) - 1, mode="clip").tolist()
        prices = (base + (best >> self._order.bits)).tolist()
        counts = np.count_nonzero(best < NO_KEY, axis=1)
        complete = (counts < size) & (terms.prices(pool.dearest[:, None, None]) - base < self._least_far)[:, 0]
        return [
            Shortlist(found[:count], priced[:count], is_complete)
            for found, priced, count, is_complete in zip(nodes, prices, counts.tolist(), complete.tolist(), strict=True)
        ]

    def longer(self, pool: Pool, wish: Wish, known: Shortlist) -> Shortlist:
        """More candidates than a list that is not complete has."""
        size = STEP * len(known.nodes)
        if not known.nodes or size >= pool.nodes.size:
            return self.everything(pool, wish)
        return self.shortlists(pool, [wish], size)[0]

    def everything(self, pool: Pool, wish: Wish) -> Shortlist:
        """All candidates of a wish."""
        nodes = pool.nodes
        terms = _Terms.of([wish])
        pool.refresh(self._offers)
        left = pool.free.reshape(len(pool.free), 1, -1)[:, :, : nodes.size]
        features = pool.features.reshape(1, -1)[:, : nodes.size]
        nodes = nodes[(terms.fit(left) & terms.suit(features))[0]]
        prices = terms.prices(self._offers.asks.take(nodes, axis=1)[:, None])[0]
        accepted = prices <= wish.limit
        nodes, prices = nodes[accepted], prices[accepted]
        sequence = np.lexsort((self._order.place[nodes], prices))
        return Shortlist(nodes[sequence].tolist(), prices[sequence].tolist(), is_complete=True)

    def _visit(self, pool: Pool, terms: "_Terms", base: Ints, bounds: Ints, size: int) -> Ints:
        """The smallest keys by wish, `size` of each in order; `bounds` are those of the groups, in order too."""
        best: Ints = np.full((len(bounds), size), NO_KEY, dtype=np.int64)
        rows = np.arange(len(bounds))
        begin, count = 0, max(1, self._first_groups // rows.size, size * pool.groups // pool.nodes.size)
        while begin < pool.groups:
            rows = rows[bounds[rows, begin] < best[rows, -1]]
            if not rows.size:
                break
            places = bounds[rows, begin : begin + count] & (1 << self._order.bits) - 1
            found = self._look(pool, terms.of_rows(rows), base[rows], pool.group_of.take(places, mode="clip"))
            merged = np.concatenate((best[rows], found), axis=1)
            merged.sort(axis=1)
            best[rows] = merged[:, :size]
            begin += count
            count *= 2
        return best

    def _look(self, pool: Pool, terms: "_Terms", base: Ints, groups: Ints) -> Ints:
        """The keys of all nodes in some groups, one row of groups for each wish."""
        free = pool.free[: len(terms.needs)].take(groups, axis=1).reshape(len(terms.needs), len(groups), -1)
        asks = pool.asks[: len(terms.factors)].take(groups, axis=1).reshape(len(terms.factors), len(groups), -1)
        places = pool.place.take(groups, axis=0).reshape(len(groups), -1)
        prices = terms.prices(asks)
        allowed = terms.fit(free)
        allowed &= prices <= terms.limits
        if terms.need_beyond(pool.common):
            allowed &= terms.suit(pool.features.take(groups, axis=0).reshape(len(groups), -1))
        return self._keys(prices, base, places, allowed)

    def _keys(self, prices: Ints, base: Ints, places: Ints, allowed: Booleans) -> Ints:
        """Keys of those that are allowed and not too far above the least price."""
        distances = prices - base
        near = distances < self._least_far
        near &= allowed
        distances <<= self._order.bits
        distances |= places
        return np.where(near, distances, NO_KEY)


class _Terms(NamedTuple):
    """What wishes ask, as int64. Gpus come last, and are left out when nobody needs any."""

    needs: Ints
    """Shape (resources of `Offers.free`, wishes, 1)."""
    factors: Ints
    """What an ask is multiplied with: shape (asks, wishes, 1)."""
    limits: Ints
    """Shape (wishes, 1)."""
    features: Ints
    """What a node must have: shape (wishes, 1)."""

    @classmethod
    def of(cls, wishes: Sequence[Wish]) -> "_Terms":
        needs, factors = [], []
        for wish in wishes:
            cpu, memory, disk, gpu = wish.needs
            needs.append((cpu, memory, disk, 1, gpu or NO_NEED))
            factors.append((cpu, 125 * memory, 125 * disk, 1000 * gpu))
        asks = 4 if any(wish.needs.gpu_count for wish in wishes) else 3
        return cls(
            np.array(needs, dtype=np.int64).T[: asks + 1, :, None],
            np.array(factors, dtype=np.int64).T[:asks, :, None],
            np.array([wish.limit for wish in wishes], dtype=np.int64)[:, None],
            np.array([features_of(wish) for wish in wishes], dtype=np.int64)[:, None],
        )

    def of_rows(self, rows: Ints) -> "_Terms":
        """Those of some wishes."""
        if rows.size == self.limits.size:
            return self
        return _Terms(self.needs[:, rows], self.factors[:, rows], self.limits[rows], self.features[rows])

    def need_beyond(self, features: int) -> bool:
        """Whether a wish needs more than these features."""
        return bool((self.features & ~features).any())

    def suit(self, features: Ints) -> Booleans:
        """By wish and node, whether a node has what it must have."""
        suits: Booleans = features & self.features == self.features
        return suits

    def fit(self, free: Ints) -> Booleans:
        """By wish and node, whether an instance fits into what is free."""
        fits: Booleans = free[0] >= self.needs[0]
        for left, need in zip(free[1:], self.needs[1:], strict=False):
            fits &= left >= need
        return fits

    def prices(self, asks: Ints) -> Ints:
        """By wish and node, `rules.price_of` an instance, milli-gwei per hour."""
        cpu, memory, disk, *gpu = self.factors
        prices: Ints = asks[0] * cpu
        prices += asks[1] * memory >> 7
        prices += asks[2] * disk >> 7
        for factor in gpu:
            prices += asks[3] * factor
        return prices

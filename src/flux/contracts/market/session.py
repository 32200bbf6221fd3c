"""Placing the instances of one app from its list of candidates."""

from typing import Final

import numpy as np

from flux.contracts.market.domains import Domains
from flux.contracts.market.filters import features_of
from flux.contracts.market.offers import Offers
from flux.contracts.market.pool import Pool
from flux.contracts.market.requests import Choice, Demand, Spread
from flux.contracts.market.survey import Shortlist, Survey
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32

OUT: Final = 1 << 60
"""In place of the spread of a node that cannot be chosen; above every spread."""
HEAD: Final = 32
"""Candidates that are looked at one by one before all of a list are compared at once."""


class Session:
    """One app's turn in a block. Candidates may have been listed earlier: each is asked again whether it still fits."""

    def __init__(self, offers: Offers, domains: Domains, survey: Survey, pool: Pool, demand: Demand) -> None:
        self._offers = offers
        self._domains = domains
        self._survey = survey
        self._pool = pool
        self._wish = demand.wish
        preferred = demand.preferred or (None,) * len(demand.leaving)
        self._instances = tuple(zip(demand.leaving, preferred, strict=True))
        self._ready = demand.ready
        self._hosts = dict.fromkeys([node - 1 for node in demand.presence.hosts])
        """By index."""
        self._out = dict.fromkeys([node - 1 for node in demand.presence.excluded]) | self._hosts
        """Hosts and excluded nodes, by index."""
        self._spreads = demand.wish.spread is not Spread.NONE and (bool(self._hosts) or len(demand.leaving) > 1)
        """Whether it matters which fault domains the instances share."""

    def place(self, candidates: Shortlist) -> tuple[Choice | None, ...]:
        """Choose a node for each instance and take its capacity; None where no node can.

        Those whose volumes are somewhere come first, so that no other instance of the app takes their node.
        """
        self._adopt(candidates)
        for node in self._hosts:
            self._count(node, 1)
        kept = [None if preferred is None else self._keep(preferred) for _, preferred in self._instances]
        instances = zip(self._instances, kept, strict=True)
        choices = tuple([choice or self._stand_in() or self._place(leaving) for (leaving, _), choice in instances])
        for node in self._hosts:
            self._count(node, -1)
        return choices

    def _keep(self, preferred: NodeId) -> Choice | None:
        """A node that is preferred for an instance, if it is feasible."""
        price = self._price_at(preferred - 1)
        return None if price is None else self._take(preferred - 1, price)

    def _stand_in(self) -> Choice | None:
        """The first node that is feasible among those that hold the images."""
        return next((choice for node in self._ready if (choice := self._keep(node)) is not None), None)

    def _place(self, leaving: NodeId | None) -> Choice | None:
        """`leaving` stays a host, but its fault domains do not count."""
        if leaving is not None and leaving - 1 in self._hosts:
            self._count(leaving - 1, -1)
            index = self._choose()
            self._count(leaving - 1, 1)
        else:
            index = self._choose()
        if index is None:
            return None
        return self._take(self._nodes.pop(index), self._prices.pop(index))

    def _price_at(self, node: int) -> int | None:
        """What the instance costs on a node, by index; None where it cannot run."""
        needs = self._wish.needs
        if not self._pool.has(node, features_of(self._wish)) or node in self._out or not self._offers.fits(node, needs):
            return None
        price = self._offers.price(node, needs)
        return price if price <= self._wish.limit else None

    def _take(self, node: int, price: int) -> Choice:
        self._offers.take(node, self._wish.needs)
        self._hosts[node] = self._out[node] = None
        self._count(node, 1)
        return Choice(NodeId(U32(node + 1)), price)

    def _count(self, node: int, change: int) -> None:
        if self._spreads:
            self._domains.count(node, self._wish.spread, change)

    def _adopt(self, candidates: Shortlist) -> None:
        """Choose among these from now on."""
        self._candidates = candidates
        self._nodes, self._prices = candidates.nodes.copy(), candidates.prices.copy()
        """Those that may still be chosen."""

    def _choose(self) -> int | None:
        """Where in the list the choice is. A list in which it is not is replaced by longer ones."""
        while True:
            index = self._find_unshared() if self._spreads and self._hosts else self._find_first()
            if index is not None or self._candidates.is_complete:
                return index
            self._adopt(self._survey.longer(self._pool, self._wish, self._candidates))

    def _find_first(self) -> int | None:
        """The first candidate that can be chosen."""
        for index, node in enumerate(self._nodes):
            if self._can_take(node):
                return index
        return None

    def _find_unshared(self) -> int | None:
        """The first candidate that shares least, if no node could share less."""
        least = self._least_spread()
        for index in self._domains.sharing_at_most(least, self._nodes[:HEAD]):
            if self._can_take(self._nodes[index]):
                return index
        return self._compare(OUT - 1 if self._candidates.is_complete else least)

    def _compare(self, most: int) -> int | None:
        """The first candidate that shares least, unless it shares more than `most`."""
        spreads = self._domains.spreads(np.array(self._nodes, dtype=np.int64))
        while spreads.size:
            index = int(spreads.argmin())
            if spreads[index] > most:
                break
            if self._can_take(self._nodes[index]):
                return index
            spreads[index] = OUT
        return None

    def _can_take(self, node: int) -> bool:
        return node not in self._out and self._offers.still_fits(node, self._wish.needs)

    def _least_spread(self) -> int:
        """What every node of the pool shares at least."""
        countries = self._pool.countries
        return self._domains.least_in(countries) if countries.size <= len(self._hosts) else 0

"""Which node takes which instance: the protocol's choice, computed over int64 columns.

The choice for one instance is the feasible node with the smallest (spread, price, cohort, tie, node id):
- spread: how many of the app's instances already share its operator, then its network prefix, then its country;
- price: of this instance on this node, milli-gwei per hour;
- cohort: the 30 days in which the node registered, earlier first;
- tie: the block seed's own order.
Before that comes the node that holds the instance's volumes, if it is feasible; such instances of an app come first.
Then come the nodes that stand by for the app and hold its images, in their order.
A naive loop over all nodes makes the same choices (tests/unit/contracts/market/naive.py). This one rests on two facts:
while a block is placed capacity only shrinks, so candidates may be looked up early, for many apps together
(survey.py), if each is asked again when its turn comes; and the cheapest candidate that shares as little as any node
could is the choice, so that few are compared.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from flux.contracts.market.domains import Domains
from flux.contracts.market.filters import Key, common_features, key_of, matching
from flux.contracts.market.fleet import Fleet, Ints
from flux.contracts.market.layout import Tuning, search_order
from flux.contracts.market.offers import Offers
from flux.contracts.market.order import BlockOrder
from flux.contracts.market.pool import Pool
from flux.contracts.market.requests import Choice, Demand, Wish
from flux.contracts.market.rules import is_placeable
from flux.contracts.market.session import Session
from flux.contracts.market.survey import Shortlist, Survey
from flux.primitives.types import Hash

TUNING: Final = Tuning()


def place(
    fleet: Fleet, seed: Hash, demands: Sequence[Demand], tuning: Tuning = TUNING
) -> list[tuple[Choice | None, ...]]:
    """The choice for each instance of each demand, in order, None where there is none. Takes capacity of the fleet."""
    return Placement(fleet, seed, demands, tuning).run()


class Placement:
    """The placements of one block."""

    def __init__(self, fleet: Fleet, seed: Hash, demands: Sequence[Demand], tuning: Tuning) -> None:
        self._fleet = fleet
        self._order = BlockOrder(fleet, seed)
        self._sequence = search_order(fleet, self._order, tuning.chunk)
        self._offers = Offers(fleet)
        self._domains = Domains(fleet)
        self._survey = Survey(self._offers, self._order, tuning.first_groups)
        self._common = common_features(fleet)
        self._tuning = tuning
        self._demands = demands
        self._pools: dict[Key, Pool | None] = {}
        self._shortlists: dict[int, Shortlist] = {}
        """By index of the demand."""

    def run(self) -> list[tuple[Choice | None, ...]]:
        """Place everything."""
        pools = [self._pool(demand.wish) for demand in self._demands]
        ahead: dict[Pool, deque[int]] = {}
        for index, pool in enumerate(pools):
            if pool is not None:
                ahead.setdefault(pool, deque()).append(index)
        choices: list[tuple[Choice | None, ...]] = []
        for index, (demand, pool) in enumerate(zip(self._demands, pools, strict=True)):
            if pool is None:
                choices.append((None,) * len(demand.leaving))
                continue
            if index not in self._shortlists:
                self._look_ahead(pool, ahead[pool])
            session = Session(self._offers, self._domains, self._survey, pool, demand)
            choices.append(session.place(self._shortlists.pop(index)))
        self._offers.settle()
        return choices

    def _look_ahead(self, pool: Pool, ahead: deque[int]) -> None:
        """Candidates for the next demands of a pool."""
        tuning, left = self._tuning, self._tuning.window
        window: list[int] = []
        while ahead and left > 0:
            window.append(ahead.popleft())
            left -= len(self._demands[window[-1]].leaving)
        demands = [self._demands[index] for index in window]
        size = tuning.shortlist + tuning.each * max(len(demand.leaving) for demand in demands)
        found = self._survey.shortlists(pool, [demand.wish for demand in demands], size)
        self._shortlists.update(zip(window, found, strict=True))

    def _pool(self, wish: Wish) -> Pool | None:
        """The nodes that a wish's constraints leave, but for those that most nodes meet anyhow.

        None when there are none or its needs are too large for any.
        """
        if not is_placeable(wish.needs):
            return None
        key = key_of(wish, self._fleet.codes).without(self._common)
        if key not in self._pools:
            allowed = matching(self._fleet, key)
            nodes = self._sequence[allowed[self._sequence]]
            self._pools[key] = self._make_pool(nodes) if nodes.size else None
        return self._pools[key]

    def _make_pool(self, nodes: Ints) -> Pool:
        return Pool(nodes, self._fleet, self._offers, self._order, self._tuning.chunk)

"""Fault domains: what instances of one app should not share, as one number a node.

The *spread* of a node is operator count · 2**40 + network count · 2**20 + country count: how many of the app's
instances are already in its domains, each below 2**16. One app at a time counts its instances.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from flux.contracts.market.fleet import COUNTRY, NETWORK, OPERATOR, Fleet, Ints
from flux.contracts.market.requests import Spread

OPERATOR_UNIT: Final = 1 << 40
NETWORK_UNIT: Final = 1 << 20


class Domain:
    """One kind of domain, and what the instances of the app at hand weigh in each."""

    __slots__ = ("codes", "loads", "view")

    def __init__(self, codes: Ints, count: int) -> None:
        self.codes = codes
        """By node index."""
        self.loads: Ints = np.zeros(count, dtype=np.int64)
        """By code."""
        self.view = codes.data, self.loads.data
        """The same memory, of which one number costs a tenth of what it costs through an array."""

    def add(self, node: int, weight: int) -> None:
        """An instance more on a node, or one less."""
        code_of, load_of = self.view
        load_of[code_of[node]] += weight


class Domains:
    """The domains of a fleet."""

    __slots__ = ("_country", "_network", "_operator")

    def __init__(self, fleet: Fleet) -> None:
        columns, codes = fleet.columns, fleet.codes
        self._operator = Domain(columns[OPERATOR], len(codes.operators))
        self._network = Domain(columns[NETWORK], len(codes.networks))
        self._country = Domain(columns[COUNTRY], len(codes.countries))

    def count(self, node: int, spread: Spread, change: int) -> None:
        """One instance more or less on a node, by index."""
        if spread >= Spread.COUNTRY:
            self._country.add(node, change)
        if spread >= Spread.PREFIX:
            self._network.add(node, change * NETWORK_UNIT)
        if spread >= Spread.OPERATOR:
            self._operator.add(node, change * OPERATOR_UNIT)

    def sharing_at_most(self, most: int, nodes: Iterable[int]) -> Iterator[int]:
        """Where in a list the nodes are whose spread is at most so much, below `NETWORK_UNIT`."""
        country_of, country_load = self._country.view
        network_of, network_load = self._network.view
        operator_of, operator_load = self._operator.view
        for index, node in enumerate(nodes):
            if (
                country_load[country_of[node]] <= most
                and not network_load[network_of[node]]
                and not operator_load[operator_of[node]]
            ):
                yield index

    def spreads(self, nodes: Ints) -> Ints:
        """The spreads of many."""
        spreads: Ints = self._operator.loads[self._operator.codes[nodes]]
        spreads += self._network.loads[self._network.codes[nodes]]
        spreads += self._country.loads[self._country.codes[nodes]]
        return spreads

    def least_in(self, countries: Ints) -> int:
        """The least spread that any node in these countries could have."""
        return int(self._country.loads[countries].min())

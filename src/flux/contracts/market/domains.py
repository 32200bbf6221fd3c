"""Fault domains: what instances of one app should not share, as one number a node.

The *spread* of a node is operator count · 2**40 + network count · 2**20 + country count: how many of the app's
instances are already in its domains, each below 2**16.
"""

from typing import Final

import numpy as np

from flux.contracts.market.fleet import COUNTRY, NETWORK, OPERATOR, Fleet, Ints
from flux.contracts.market.requests import Spread

OPERATOR_UNIT: Final = 1 << 40
NETWORK_UNIT: Final = 1 << 20


class Domains:
    """The domains of nodes, and the instances that one app at a time has in each."""

    __slots__ = ("_country_load", "_network_load", "_operator_load", "country", "network", "operator")

    def __init__(self, fleet: Fleet) -> None:
        columns, codes = fleet.columns, fleet.codes
        self.operator: Ints = columns[OPERATOR]
        self.network: Ints = columns[NETWORK]
        self.country: Ints = columns[COUNTRY]
        self._operator_load: Ints = np.zeros(len(codes.operators), dtype=np.int64)
        self._network_load: Ints = np.zeros(len(codes.networks), dtype=np.int64)
        self._country_load: Ints = np.zeros(len(codes.countries), dtype=np.int64)

    def count(self, node: int, spread: Spread, change: int) -> None:
        """One instance more or less on a node, by index."""
        if spread >= Spread.COUNTRY:
            self._country_load[self.country[node]] += change
        if spread >= Spread.PREFIX:
            self._network_load[self.network[node]] += change * NETWORK_UNIT
        if spread >= Spread.OPERATOR:
            self._operator_load[self.operator[node]] += change * OPERATOR_UNIT

    def spreads(self, operators: Ints, networks: Ints, countries: Ints) -> Ints:
        """Spreads of nodes by the codes of their domains."""
        spreads: Ints = self._operator_load[operators]
        spreads += self._network_load[networks]
        spreads += self._country_load[countries]
        return spreads

    def least_in(self, countries: Ints) -> int:
        """The least spread that any node in these countries could have."""
        return int(self._country_load[countries].min())

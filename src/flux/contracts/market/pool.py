"""The nodes that one filter leaves, in groups of like nodes, and bounds of what each group can offer.

Bounds become loose as capacity is taken, never wrong.
"""

import numpy as np

from flux.contracts.market.filters import Booleans
from flux.contracts.market.fleet import Ints
from flux.contracts.market.offers import Offers
from flux.contracts.market.order import BlockOrder


class Pool:
    """At least one node."""

    __slots__ = ("allowed", "countries", "dearest", "first", "group_of", "groups", "lowest", "most", "nodes")

    def __init__(
        self, nodes: Ints, allowed: Booleans, countries: Ints, offers: Offers, order: BlockOrder, chunk: int
    ) -> None:
        """Of node indices in search order, whether the filter leaves each node, and the country of every node."""
        self.allowed = allowed
        self.groups = -(-nodes.size // chunk)
        padded = np.append(nodes, np.repeat(nodes[-1:], self.groups * chunk - nodes.size))
        self.nodes: Ints = padded.reshape(self.groups, chunk)
        """Node indices, one row a group; the last group is filled up with its last node."""
        asks = offers.asks.take(self.nodes, axis=1)
        self.lowest: Ints = asks.min(axis=2)
        """Asks by resource and group."""
        self.dearest: Ints = asks.max(axis=(1, 2))
        """The highest ask of any node by resource."""
        self.most: Ints = offers.free.take(self.nodes, axis=1).max(axis=2)
        """What is free, by resource and group."""
        self.first: Ints = order.place[self.nodes].min(axis=1)
        """By group, its first place in the block's order."""
        self.group_of: Ints = np.zeros(order.place.size, dtype=np.int64)
        """By a group's first place, the group."""
        self.group_of[self.first] = np.arange(self.groups)
        self.countries: Ints = np.nonzero(np.bincount(countries[nodes]))[0]
        """Codes of the countries that it has nodes in."""

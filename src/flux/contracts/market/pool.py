"""The nodes that one filter leaves, in groups of like nodes, and bounds of what each group can offer.

What is known of a group lies side by side, so that many groups are read at the price of copying them.
"""

from typing import Final

import numpy as np

from flux.contracts.market.fleet import COUNTRY, FEATURES, Fleet, Ints
from flux.contracts.market.offers import Offers
from flux.contracts.market.order import BlockOrder

NOTHING: Final = -1
"""What is left where there is no node: too little for any instance."""


class Pool:
    """At least one node."""

    __slots__ = (
        "_chunk",
        "_known",
        "_lane",
        "asks",
        "common",
        "countries",
        "dearest",
        "features",
        "first",
        "free",
        "group_of",
        "groups",
        "lowest",
        "most",
        "nodes",
        "place",
    )

    def __init__(self, nodes: Ints, fleet: Fleet, offers: Offers, order: BlockOrder, chunk: int) -> None:
        """Of node indices in search order."""
        self.nodes = nodes
        self.groups = -(-nodes.size // chunk)
        self._chunk = chunk
        lanes = np.append(nodes, np.repeat(nodes[-1:], self.groups * chunk - nodes.size)).reshape(self.groups, chunk)
        """Node indices by group; the last group is filled up with its last node, of which nothing is left."""
        self.asks: Ints = offers.asks.take(lanes, axis=1)
        """By resource, group and lane."""
        self.free: Ints = offers.free.take(lanes, axis=1)
        """Likewise."""
        self.free.reshape(len(self.free), -1)[:, nodes.size :] = NOTHING
        self.place: Ints = order.place[lanes]
        """Places in the block's order, by group and lane."""
        self.features: Ints = fleet.columns[FEATURES][lanes]
        """Likewise."""
        self.common = int(np.bitwise_and.reduce(self.features, axis=None))
        """Features that all of them have."""
        self.lowest: Ints = self.asks.min(axis=2)
        """Asks by resource and group."""
        self.dearest: Ints = self.asks.max(axis=(1, 2))
        """The highest ask of any node by resource."""
        self.most: Ints = self.free.max(axis=2)
        """What is free, by resource and group."""
        self.first: Ints = self.place.min(axis=1)
        """By group, its first place in the block's order."""
        self.group_of: Ints = np.zeros(order.place.size, dtype=np.int64)
        """By a group's first place, the group."""
        self.group_of[self.first] = np.arange(self.groups)
        self.countries: Ints = np.nonzero(np.bincount(fleet.columns[COUNTRY][nodes]))[0]
        """Codes of the countries that it has nodes in."""
        self._lane: Ints = np.full(order.place.size, NOTHING, dtype=np.int64)
        """By node index, where it lies if all groups lie in a row."""
        self._lane[nodes] = np.arange(nodes.size)
        self._known = offers.takings

    def has(self, node: int, features: int) -> bool:
        """Whether a node, by index, is one of them and has some features."""
        lane = self._lane[node]
        return bool(lane >= 0 and int(self.features.ravel()[lane]) & features == features)

    def refresh(self, offers: Offers) -> None:
        """Take over what was taken of its nodes since it last looked."""
        nodes = offers.taken_since(self._known)
        self._known = offers.takings
        if not nodes.size:
            return
        lanes = self._lane[nodes]
        inside = lanes >= 0
        nodes, lanes = nodes[inside], lanes[inside]
        self.free.reshape(len(self.free), -1)[:, lanes] = offers.free[:, nodes]
        groups = lanes // self._chunk
        self.most[:, groups] = self.free[:, groups].max(axis=2)

"""What the nodes contract needs of others."""

from typing import Protocol

from flux.contracts.market.types import Usage
from flux.contracts.nodes.types import NodeId
from flux.kernel.context import Context


class MarketPort(Protocol):
    """The market, which places instances on nodes."""

    def node_changed(self, ctx: Context, node: NodeId) -> None:
        """Told after every change of a node's record. When the node is LEAVING and no lease of it is open (any
        more), the market calls `Nodes.drained`, perhaps from inside this very call."""
        ...

    def usage(self, ctx: Context, node: NodeId) -> Usage:
        """What open leases take of the node."""
        ...

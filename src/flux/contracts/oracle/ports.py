"""What the oracle needs of others."""

from typing import Protocol

from flux.contracts.nodes.types import Ask, Node, NodeId
from flux.kernel.context import Context


class NodesPort(Protocol):
    """The nodes, whose asks may follow the dollar."""

    def node(self, ctx: Context, node: NodeId) -> Node:
        """The record. Raises UnknownNode."""
        ...

    def reprice(self, ctx: Context, node: NodeId, ask: Ask) -> Ask:
        """Set the ask of a node that is not gone, no price above its cap; what it is now."""
        ...

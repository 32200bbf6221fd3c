"""What the validators contract needs of others."""

from typing import Protocol

from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.staking.types import PartsPerMillion
from flux.kernel.context import Context
from flux.primitives.types import Address, ChainTime, Wei


class NodesPort(Protocol):
    """The nodes, some of which are validators."""

    def node(self, ctx: Context, node: NodeId) -> Node:
        """The record. Raises UnknownNode."""
        ...

    def node_of_agent(self, ctx: Context, agent: Address) -> NodeId:
        """The node of an agent key; 0 when there is none."""
        ...


class StakePort(Protocol):
    """The stake behind nodes."""

    def stake_of(self, ctx: Context, node: NodeId) -> Wei:
        """Bonded to the node, its operator's and delegated."""
        ...

    def slash(self, ctx: Context, node: NodeId, parts: PartsPerMillion, infraction: ChainTime, reason: str) -> Wei:
        """Destroy so many millionths of what answers for the node since the infraction; the wei burned."""
        ...

"""What the benchmarks contract needs of others."""

from typing import Protocol

from flux.contracts.nodes.types import Node, NodeId, Tier
from flux.contracts.probes.types import EpochInfo
from flux.kernel.context import Context
from flux.primitives.types import U16, U32, Address


class NodesPort(Protocol):
    """The nodes, which are measured."""

    def find(self, node: NodeId) -> Node | None:
        """The record, or None."""
        ...

    def node_of_agent(self, ctx: Context, agent: Address) -> NodeId:
        """The node of an agent key; 0 when there is none."""
        ...

    def count(self, ctx: Context) -> U32:
        """Nodes ever registered; the highest id."""
        ...

    def limit_tier(self, ctx: Context, node: NodeId, limit: Tier) -> None:
        """The node may be in no higher tier, whatever its stake and declared size."""
        ...

    def set_located(self, ctx: Context, node: NodeId, *, located: bool) -> None:
        """Whether the node's declared country counts."""
        ...


class ProbesPort(Protocol):
    """The probes, who keep epochs and draw committees."""

    def epoch(self, ctx: Context) -> EpochInfo:
        """The current epoch."""
        ...

    def draw(self, ctx: Context, node: NodeId, purpose: bytes, seats: U16) -> list[NodeId]:
        """Active nodes of distinct operators other than the node's; of its own only where there is no other."""
        ...

"""What slashing needs of others."""

from typing import Protocol

from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.probes.types import EpochInfo
from flux.contracts.staking.types import PartsPerMillion
from flux.kernel.context import Context
from flux.primitives.types import U16, U64, Address, ChainTime, Wei


class StakePort(Protocol):
    """Staking, which takes."""

    def slash(
        self,
        ctx: Context,
        node: NodeId,
        parts: PartsPerMillion,
        infraction: ChainTime,
        reason: str,
        reporter: Address,
        reward: PartsPerMillion,
    ) -> Wei:
        """Take `parts` of what is bonded to the node and of what left since; the wei burned.

        Of what is taken the reporter gets `reward` millionths.
        """
        ...


class NodesPort(Protocol):
    """The nodes, which are prosecuted and whose operators judge."""

    def find(self, node: NodeId) -> Node | None:
        """The record, or None."""
        ...


class ProbesPort(Protocol):
    """The probes, who keep epochs and draw committees."""

    def epoch(self, ctx: Context) -> EpochInfo:
        """The current epoch."""
        ...

    def epoch_began(self, ctx: Context, epoch: U64) -> ChainTime:
        """About when an epoch began that is over."""
        ...

    def draw(self, ctx: Context, node: NodeId, purpose: bytes, seats: U16) -> list[NodeId]:
        """Active nodes of distinct operators other than the node's; of its own only where there is no other."""
        ...

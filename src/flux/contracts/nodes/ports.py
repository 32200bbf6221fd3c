"""What the nodes contract needs of others."""

from typing import Protocol

from flux.contracts.market.types import Usage
from flux.contracts.nodes.types import NodeId
from flux.kernel.context import Context
from flux.primitives.types import Address, Wei


class MarketPort(Protocol):
    """The market, which places instances on nodes."""

    def node_changed(self, ctx: Context, node: NodeId) -> None:
        """Told after every change of a node's record."""
        ...

    def node_drains(self, ctx: Context, node: NodeId) -> None:
        """Told when a node begins to drain or to leave. When it is LEAVING and no lease of it is open (any more), the
        market calls `Nodes.drained`, perhaps from inside this very call."""
        ...

    def node_stays(self, ctx: Context, node: NodeId) -> None:
        """Told when a node drains no longer."""
        ...

    def usage(self, ctx: Context, node: NodeId) -> Usage:
        """What open leases take of the node."""
        ...


class StakingPort(Protocol):
    """Staking, which holds what stands behind nodes."""

    def open(self, ctx: Context, node: NodeId, operator: Address, amount: Wei) -> None:
        """Told of a new node, after `amount` was moved to staking. Raises BelowMinimum."""
        ...

    def stakes(self, node: NodeId) -> tuple[Wei, Wei]:
        """What is bonded to a node: in all, and its operator's part."""
        ...

    def unbond_own(self, ctx: Context, node: NodeId) -> None:
        """Told that the node is gone: what its operator bonded begins to unbond."""
        ...

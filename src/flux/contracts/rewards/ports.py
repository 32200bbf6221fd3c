"""What rewards need of others."""

from collections.abc import Sequence
from typing import Protocol

from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.probes.types import Epoch
from flux.contracts.staking.types import Pool, Shares
from flux.kernel.context import Context
from flux.primitives.types import Address, Wei


class AccountsPort(Protocol):
    """The supply."""

    def mint(self, ctx: Context, target: Address, amount: Wei) -> None:
        """Create FLUX. Raises SupplyCapExceeded."""
        ...


class NodesPort(Protocol):
    """The nodes, which earn."""

    def find(self, node: NodeId) -> Node | None:
        """The record, or None."""
        ...

    def tier_stakes(self) -> Sequence[Wei]:
        """What each tier stakes: Cumulus, Nimbus, Stratus."""
        ...


class StakingPort(Protocol):
    """Staking, whose shares divide what a node earns."""

    def pool(self, ctx: Context, node: NodeId) -> Pool:
        """The pool of a node. Raises UnknownNode."""
        ...

    def shares_of(self, account: Address, node: NodeId) -> Shares:
        """An account's shares of a node's pool."""
        ...

    def compound(self, ctx: Context, node: NodeId, account: Address, amount: Wei) -> None:
        """Bond wei that were moved to staking. Raises NotDelegable, BelowMinimum, PoolExhausted."""
        ...


class ProducersPort(Protocol):
    """Whoever knows who produced blocks."""

    def work(self, ctx: Context, epoch: Epoch) -> Sequence[tuple[NodeId, int]]:
        """Nodes and how much each did for the blocks of an epoch that is over; a bounded number."""
        ...

"""What staking needs of others."""

from typing import Protocol

from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.staking.types import Shares
from flux.kernel.context import Context
from flux.primitives.types import Address, Wei


class AccountsPort(Protocol):
    """The supply."""

    def count_burned(self, ctx: Context, amount: Wei) -> None:
        """Count FLUX that staking burned."""
        ...


class NodesPort(Protocol):
    """The nodes, whose tier follows from their stake."""

    def node(self, ctx: Context, node: NodeId) -> Node:
        """The record. Raises UnknownNode."""
        ...

    def own_stake_required(self, node: Node) -> Wei:
        """What the operator must keep of its own; nothing once the node is gone."""
        ...

    def stake_changed(self, ctx: Context, node: NodeId) -> None:
        """Told after every change of a pool's worth or of the operator's part of it."""
        ...


class VotesPort(Protocol):
    """Whoever counts voting power."""

    def power_changed(self, ctx: Context, account: Address, bonded: Wei) -> None:
        """Told after every change of what counts as an account's bonded FLUX, over all nodes, in wei."""
        ...


class RewardsPort(Protocol):
    """Whoever shares out rewards by shares."""

    def position_changing(self, ctx: Context, node: NodeId, account: Address, before: Shares, total: Shares) -> None:
        """Told before an account's shares change: it has had `before` of `total` since the last call."""
        ...

    def slashed(self, ctx: Context, node: NodeId) -> None:
        """Told of every slash."""
        ...

"""What the secrets contract needs of others."""

from typing import Protocol

from flux.contracts.apps.types import App, AppId
from flux.contracts.market.types import Lease, LeaseId
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.probes.types import EpochInfo
from flux.kernel.context import Context
from flux.primitives.types import U32, Address, ChainTime


class AppsPort(Protocol):
    """The apps, whose owners seal."""

    def app(self, ctx: Context, app: AppId) -> App:
        """The record. Raises UnknownApp."""
        ...


class MarketPort(Protocol):
    """The market, whose leases say who may read."""

    def lease(self, ctx: Context, lease: LeaseId) -> Lease:
        """The record. Raises UnknownLease."""
        ...

    def leases_of_app(self, ctx: Context, app: AppId) -> list[Lease]:
        """Open leases, then closed ones that are kept."""
        ...


class NodesPort(Protocol):
    """The nodes, whose agents hand seeds on, and which keep shares."""

    def find(self, node: NodeId) -> Node | None:
        """The record, or None."""
        ...

    def node_of_agent(self, ctx: Context, agent: Address) -> NodeId:
        """The node that reports with this key; 0 for none."""
        ...

    def count(self, ctx: Context) -> U32:
        """Nodes ever registered; the highest id."""
        ...


class StakingPort(Protocol):
    """Staking, which knows who was slashed."""

    def last_slashed(self, node: NodeId) -> ChainTime:
        """When stake of the node was last destroyed; 0 for never."""
        ...


class EpochPort(Protocol):
    """The probes, whose epochs have seeds that nobody foresees."""

    def epoch(self, ctx: Context) -> EpochInfo:
        """The current epoch."""
        ...

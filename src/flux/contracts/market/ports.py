"""What the market needs of others."""

from typing import Protocol

from flux.contracts.apps.types import App, AppId, AppSpec, Revision
from flux.contracts.market.types import LeaseId, RatePerSecond, UsdRate
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.oracle.types import UsdPrice
from flux.kernel.context import Context
from flux.primitives.types import U16, U32, Address, ChainTime


class AppsPort(Protocol):
    """The apps, whose instances are placed."""

    def app(self, ctx: Context, app: AppId) -> App:
        """The record. Raises UnknownApp."""
        ...

    def app_spec(self, app: AppId, revision: Revision) -> AppSpec:
        """The spec of a revision that is kept."""
        ...

    def return_to(self, ctx: Context, app: AppId, revision: Revision) -> bool:
        """Make a kept revision the current one again; False where that may not run any more."""
        ...

    def apps(self, ctx: Context, start: AppId, limit: U16) -> list[App]:
        """Records from an id on."""
        ...

    def check(self, spec: bytes) -> AppSpec:
        """The spec of bytes from outside. Raises InvalidSpec."""
        ...


class NodesPort(Protocol):
    """The nodes, which host."""

    def find(self, node: NodeId) -> Node | None:
        """The record, or None."""
        ...

    def node(self, ctx: Context, node: NodeId) -> Node:
        """The record. Raises UnknownNode."""
        ...

    def node_of_agent(self, ctx: Context, agent: Address) -> NodeId:
        """The node of an agent key; 0 when there is none."""
        ...

    def count(self, ctx: Context) -> U32:
        """Nodes ever registered; the highest id."""
        ...

    def network(self, host: str) -> str:
        """The network prefix of an endpoint's host."""
        ...

    def drained(self, ctx: Context, node: NodeId) -> None:
        """Told that a leaving node holds no lease any more; no change for any other node."""
        ...


class EscrowPort(Protocol):
    """The escrow, which pays."""

    def start(
        self, ctx: Context, app: AppId, lease: LeaseId, node: NodeId, rate: RatePerSecond, usd_rate: UsdRate
    ) -> None:
        """The lease serves from now on, for `usd_rate` if that is not 0, else for `rate`."""
        ...

    def stop(self, ctx: Context, app: AppId, lease: LeaseId, until: ChainTime, minimum_from: ChainTime) -> None:
        """The lease served until then; `minimum_from` is when it began to run if its tenant ends it, else 0."""
        ...


class OraclePort(Protocol):
    """The oracle, which knows the price of FLUX."""

    def value(self, ctx: Context) -> UsdPrice:
        """The price, frozen or not; 0 while there never was one."""
        ...


class SecretsPort(Protocol):
    """The secrets, which keep seeds by lease."""

    def forget(self, ctx: Context, lease: LeaseId) -> None:
        """Told that the lease is closed."""
        ...


class ProbesPort(Protocol):
    """Whoever watches nodes, and keeps count of how they do what they owe to others."""

    def note_start(self, node: NodeId, *, failed: bool) -> None:
        """Told when a node starts an instance, and when another node started one that this one had failed to start."""
        ...

    def calm_since(self) -> ChainTime | None:
        """When the mass-failure brake last ceased to hold, 0 when it never held; None while it holds."""
        ...

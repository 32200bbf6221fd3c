"""What the escrow needs of others."""

from typing import Protocol

from flux.contracts.apps.types import App, AppId, AppSpec, Revision
from flux.contracts.market.types import RatePerSecond
from flux.contracts.nodes.types import Ask, Node, NodeId
from flux.contracts.oracle.types import Meter, Price, UsdPrice
from flux.kernel.context import Context
from flux.primitives.types import ChainTime, Wei


class AppsPort(Protocol):
    """The apps, whose money this is."""

    def app(self, ctx: Context, app: AppId) -> App:
        """The record. Raises UnknownApp."""
        ...

    def app_spec(self, app: AppId, revision: Revision) -> AppSpec:
        """The spec of a revision."""
        ...

    def check(self, spec: bytes) -> AppSpec:
        """The spec of bytes from outside. Raises InvalidSpec."""
        ...

    def depleted(self, ctx: Context, app: AppId) -> None:
        """Told that the account ran dry and nothing accrues any more."""
        ...

    def funded(self, ctx: Context, app: AppId) -> None:
        """Told that a depleted account can pay again."""
        ...


class MarketPort(Protocol):
    """The market, which knows what an instance costs."""

    def rate_of(self, ctx: Context, spec: AppSpec, ask: Ask) -> RatePerSecond:
        """Price of one instance at these prices."""
        ...

    def standby_rate(self, ctx: Context, rate: Wei) -> Wei:
        """Price of a node that stands by, where an instance costs `rate`."""
        ...


class NodesPort(Protocol):
    """The nodes, whose operators are paid."""

    def node(self, ctx: Context, node: NodeId) -> Node:
        """The record. Raises UnknownNode."""
        ...


class OraclePort(Protocol):
    """The oracle, which knows what dollars come to."""

    def value(self, ctx: Context) -> UsdPrice:
        """The price of FLUX, frozen or not; 0 while there never was one."""
        ...

    def price(self, ctx: Context) -> Price:
        """The same, and whether it is frozen."""
        ...

    def meter_at(self, time: ChainTime) -> Meter:
        """The meter at a time that is not to come."""
        ...

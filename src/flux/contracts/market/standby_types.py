"""Nodes that stand by for an app: they hold its images, so that a lost instance starts at once where one of them is."""

from dataclasses import dataclass
from enum import IntEnum

from flux.contracts.apps.types import AppId, AppSpec, Revision
from flux.contracts.market.types import LeaseId, RatePerSecond, UsdRate
from flux.contracts.nodes.types import Ask, NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, ChainTime, Hash


class StandbyEnd(IntEnum):
    """Why a node stands by no longer; machine-readable and stable."""

    NONE = 0
    USED = 1
    """It got an instance of the app."""
    NOT_WANTED = 2
    """The app asks for fewer, or does not run."""
    NODE_LOST = 3
    """The node is suspended, unreachable, drained, leaves or is gone."""
    UNFIT = 4
    """It could not take an instance any more: room, price, place, or the owner moved away from it."""
    SILENT = 5
    """It did not say in time that it holds the images."""
    LET_GO = 6
    """It said that it cannot hold the images."""


class Standby(Record, frozen=True):
    """A node that holds an app's images, or is about to."""

    number: LeaseId
    """Of the sequence of leases, and of no lease: the escrow pays it like one."""
    node: NodeId
    revision: Revision
    images: Hash
    """Of the images that it is to hold (`images_of`)."""
    since: ChainTime
    """When it was chosen, or last had to begin anew."""
    ready_at: ChainTime
    """When it said that it holds them; 0 while it did not. It is paid from then on."""
    rate: RatePerSecond
    """Wei per second while ready; of one in dollars, what that was at the price of the block that fixed it."""
    usd_rate: UsdRate
    """What is paid instead, if its leases would be in dollars; else 0."""
    ask: Ask
    """What the node asked when it was chosen. One that asks more by now is not preferred: nobody competes with it."""


class AppStandbys(Record, frozen=True):
    """What the market keeps of an app that asks for nodes to stand by."""

    nodes: tuple[Standby, ...]
    """In the order in which they are preferred."""
    look_at: ChainTime
    """When they are looked at again at the latest."""


class StandbyDuty(Record, frozen=True):
    """What a node is to hold ready."""

    app: AppId
    revision: Revision
    """Whose spec names the images."""
    images: Hash
    """To be named in the report."""
    ready: bool
    """Whether the node has said that it holds them."""


class StandbyChosen(Event, frozen=True):
    """A node is next in line for an app, and may fetch its images."""

    number: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]
    revision: Revision
    rate: RatePerSecond
    usd_rate: UsdRate


class StandbyReady(Event, frozen=True):
    """A node says that it holds the images; it is paid from now on."""

    number: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class StandbyDoubted(Event, frozen=True):
    """Its committee lost a node that was ready; it is not paid until it says again that it holds the images."""

    number: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class StandbyRenewed(Event, frozen=True):
    """The app changed: a node that stands by has other images to fetch, or gets another rate."""

    number: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]
    revision: Revision
    rate: RatePerSecond
    usd_rate: UsdRate
    ready: bool
    """Whether the images are those that it holds."""


class StandbyEnded(Event, frozen=True):
    """A node stands by no longer."""

    number: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]
    reason: U8


class StandbyUsed(Event, frozen=True):
    """The instance was placed where its images are, whatever other nodes ask."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


@dataclass(eq=False)
class NotStandby(Revert):
    """Node {node} does not stand by for app {app}."""

    app: AppId
    node: NodeId


@dataclass(eq=False)
class InvalidStandbyReport(Revert):
    """The report on the images of app {app} is not valid: {reason}."""

    app: AppId
    reason: str


def images_of(spec: AppSpec) -> Hash:
    """What tells whether two revisions run the same images."""
    images = sorted({component.image for component in spec.components})
    return keccak256("\n".join(images).encode())

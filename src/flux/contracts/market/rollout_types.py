"""Rollouts: how an app comes to another revision, and what stops it."""

from enum import IntEnum

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.nodes.types import NodeId
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U32, ChainTime


class RolloutState(IntEnum):
    """none → rolling → done, or rolling → rolling back → failed; paused where nobody but the owner goes on."""

    NONE = 0
    """The app never changed its revision."""
    ROLLING = 1
    ROLLING_BACK = 2
    DONE = 3
    """What runs has the revision that was wanted."""
    FAILED = 4
    """It is over, and what runs does not have it, or not all of it."""
    PAUSED = 5
    """Instances stay as they are until the owner updates or rolls back."""


class Rollout(Record, frozen=True):
    """How the last change of an app's revision went, or goes."""

    state: RolloutState
    source: Revision
    """The last revision that was seen to run: what a failure goes back to; 0 for none."""
    target: Revision
    """The revision that its owner wants."""
    steps: U32
    """Instances that came to run since it began, or since it turns back."""
    failures: U32
    """Steps that failed."""
    started_at: ChainTime
    turned_at: ChainTime
    """When it turned back; 0 while it did not."""
    moved_at: ChainTime
    """When it last came a step further, or began or turned back."""
    ended_at: ChainTime
    """0 while it goes on."""
    reason: str
    """What failed first, and what confirmed it; empty while nothing did. At most 300 characters."""
    failed_on: tuple[NodeId, ...]
    """Nodes, all of one operator, that failed it since it began or turned back, while nobody else confirmed that."""


class RolloutChanged(Event, frozen=True):
    """A change of revision began, ended, failed or turned back."""

    app: Indexed[AppId]
    state: U8
    source: Revision
    target: Revision
    reason: str


class RolloutDoubted(Event, frozen=True):
    """A node failed a revision that comes in; nodes of other operators try it before it has failed."""

    app: Indexed[AppId]
    node: Indexed[NodeId]
    revision: Revision
    reason: str

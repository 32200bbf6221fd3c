"""Secrets: the private half as ciphertext, and seeds sealed to lease holders."""

from dataclasses import dataclass
from typing import NewType

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId
from flux.contracts.nodes.types import NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, Address, ChainTime, Hash, Seconds

Generation = NewType("Generation", U32)
"""Counts the sharings of one revision's seed from 1; 0 means that it was not shared yet."""


class SealedSeed(Record, frozen=True):
    """A seed sealed to one lease holder's X25519 key (libsodium sealed box: 16-byte seed → 64 bytes)."""

    lease: LeaseId
    box: bytes


class Box(Record, frozen=True):
    """A sealed seed and who gave it."""

    giver: Address
    data: bytes


class Boxes(Record, frozen=True):
    """Everything given to one lease, the owner's box first."""

    app: AppId
    boxes: tuple[Box, ...]


class Seat(Record, frozen=True):
    """A place among the keepers, and the X25519 key that its share is sealed to."""

    node: NodeId
    key: Hash


class Keeper(Record, frozen=True):
    """One node's share of a seed. Its place in the list, from 1, is the share's index."""

    node: NodeId
    key: Hash
    """X25519 key that the share is sealed to: the node's when it was drawn."""
    share: Hash
    """Hash of the share (specs/keepers.py), by which a wrong one is known."""
    box: bytes
    """The share of 16 bytes in a libsodium sealed box of 64."""


class SharedSeed(Record, frozen=True):
    """What one generation of sharing puts on chain."""

    generation: Generation
    threshold: U8
    """Shares that open the seed."""
    keepers: tuple[Keeper, ...]


class Keeping(Record, frozen=True):
    """The sharing that holds for a revision; generation 0 is empty room, paid for with the revision."""

    shared: SharedSeed
    since: ChainTime
    low: bool
    """Whether the alarm was given that too few keepers are left."""


class Vote(Record, frozen=True):
    """What a lease holder says the next generation is."""

    node: NodeId
    digest: Hash


class Votes(Record, frozen=True):
    """Votes on the next generation with one draw of keepers; another draw begins anew."""

    draw: Hash
    votes: tuple[Vote, ...]


class Sharing(Record, frozen=True):
    """How a revision's keepers stand, and what the next generation would be."""

    generation: Generation
    """The one that holds; 0 for none."""
    threshold: U8
    """Shares that open the seed now; of the next generation while there is none."""
    keepers: U8
    left: U8
    """Keepers that are active, not slashed since, and still have the key that their share is sealed to."""
    is_due: bool
    """Whether nodes that run the app should share anew: never done, a keeper is lost that another can replace, or so
    many keepers run the app by now that its end would be theirs."""
    opens_at: ChainTime
    """From then on the next generation is taken from nodes."""
    is_open: bool
    """Whether that is now."""
    next_threshold: U8
    seats: tuple[Seat, ...]
    """Who would keep the next generation, drawn from this epoch's seed; too few of them cannot."""
    voted: tuple[NodeId, ...]
    """Nodes that have said what the next generation is."""


class SecretsParams(Record, frozen=True):
    """Governance parameters of the secrets contract."""

    max_boxes: U8
    """Boxes that nodes may leave for one lease; the owner's own comes on top."""
    max_seals_per_call: U16
    threshold: U8
    """Keepers whose shares open a seed."""
    keepers: U8
    """Keepers drawn for a seed, as far as there are so many nodes."""
    keeper_interval: Seconds
    """How often the chain counts keepers, and the time between two generations while enough of them are left."""


class PrivateHalfPublished(Event, frozen=True):
    """The ciphertext of a revision is on chain."""

    app: Indexed[AppId]
    revision: Revision
    digest: Hash


class SeedSealed(Event, frozen=True):
    """A lease holder can open the private half."""

    app: Indexed[AppId]
    lease: Indexed[LeaseId]


class SeedShared(Event, frozen=True):
    """A generation of keepers holds the seed of a revision."""

    app: Indexed[AppId]
    revision: Revision
    generation: Generation
    keepers: U8
    threshold: U8


class KeepersLow(Event, frozen=True):
    """One more loss, and no keepers could open the seed: `left` is at most the threshold."""

    app: Indexed[AppId]
    revision: Revision
    left: U8
    threshold: U8


@dataclass(eq=False)
class NoPrivateHalf(Revert):
    """App {app} revision {revision} has no private half."""

    app: AppId
    revision: Revision


@dataclass(eq=False)
class InvalidBox(Revert):
    """The sealed box for lease {lease} has {size} bytes; a sealed seed has 64."""

    lease: LeaseId
    size: U16


@dataclass(eq=False)
class InvalidSeal(Revert):
    """Lease {lease} cannot be given this seed: {reason}."""

    lease: LeaseId
    reason: str


@dataclass(eq=False)
class MaySealNot(Revert):
    """Only the owner of app {app}, or the agent of a node that runs it, may give its seed."""

    app: AppId


@dataclass(eq=False)
class MayShareNot(Revert):
    """Only the agent of a node that runs this revision of app {app} may share its seed; its owner does by keep."""

    app: AppId


@dataclass(eq=False)
class WrongGeneration(Revert):
    """The next sharing of app {app} revision {revision} is generation {expected}."""

    app: AppId
    revision: Revision
    expected: Generation


@dataclass(eq=False)
class SharedTooSoon(Revert):
    """Enough keepers are left; nodes may share the seed anew from protocol time {allowed_from} on."""

    allowed_from: ChainTime


@dataclass(eq=False)
class InvalidSharing(Revert):
    """The seed of app {app} cannot be shared like this: {reason}."""

    app: AppId
    reason: str


@dataclass(eq=False)
class AlreadyShared(Revert):
    """Node {node} has said what generation {generation} of app {app} is."""

    node: NodeId
    app: AppId
    generation: Generation

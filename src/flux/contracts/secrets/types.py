"""Secrets: the private half as ciphertext, and seeds sealed to lease holders."""

from dataclasses import dataclass

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, Address, Hash


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


class SecretsParams(Record, frozen=True):
    """Governance parameters of the secrets contract."""

    max_boxes: U8
    """Boxes that nodes may leave for one lease; the owner's own comes on top."""
    max_seals_per_call: U16


class PrivateHalfPublished(Event, frozen=True):
    """The ciphertext of a revision is on chain."""

    app: Indexed[AppId]
    revision: Revision
    digest: Hash


class SeedSealed(Event, frozen=True):
    """A lease holder can open the private half."""

    app: Indexed[AppId]
    lease: Indexed[LeaseId]


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
    """Only the owner of app {app}, or the agent of a node that runs this revision of it, may give its seed."""

    app: AppId

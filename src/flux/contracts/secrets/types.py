"""Secrets: the private half as ciphertext, and seeds sealed to lease holders."""

from dataclasses import dataclass

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U16, Hash


class SealedSeed(Record, frozen=True):
    """A seed sealed to one lease holder's X25519 key (libsodium sealed box: 16-byte seed → 64 bytes)."""

    lease: LeaseId
    box: bytes


class SecretsParams(Record, frozen=True):
    """Governance parameters of the secrets contract."""

    max_box_bytes: U16
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
class MaySealNot(Revert):
    """Only the app's owner or the agent of a node with a lease on app {app} may seal its seed."""

    app: AppId

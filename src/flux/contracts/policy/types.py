"""Policy: images and apps that the holders of FLUX do not want on the network, by vote and with appeal."""

from dataclasses import dataclass

from flux.contracts.apps.types import AppId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U16, Address, ChainTime, Hash, Seconds


class PolicyParams(Record, frozen=True):
    """Governance parameters of content policy."""

    notice: Seconds
    """What runs already may run so long after a denial, for its tenants to move."""
    appeal: Seconds
    """An appeal adds so much, long enough for a vote that lifts the denial."""
    max_reason_bytes: U16


class Denial(Record, frozen=True):
    """Why and from when something may not run."""

    since: ChainTime
    """Nothing new starts from here on; 0 when nothing is denied."""
    enforced_from: ChainTime
    """What runs may be closed from here on."""
    appealed: bool
    reason: str


class ImageDenied(Event, frozen=True):
    """No app may start with this image."""

    digest: Indexed[Hash]
    enforced_from: ChainTime
    reason: str


class AppDenied(Event, frozen=True):
    """This app may not run."""

    app: Indexed[AppId]
    enforced_from: ChainTime
    reason: str


class ImageAllowed(Event, frozen=True):
    """The denial of an image was lifted."""

    digest: Indexed[Hash]


class AppAllowed(Event, frozen=True):
    """The denial of an app was lifted."""

    app: Indexed[AppId]


class DenialAppealed(Event, frozen=True):
    """A tenant asked the voters to think again; enforcement waits."""

    app: Indexed[AppId]
    enforced_from: ChainTime
    statement: str


class AppClosedByPolicy(Event, frozen=True):
    """A denied app was closed; its deposits went back."""

    app: Indexed[AppId]
    reason: str


@dataclass(eq=False)
class ImageIsDenied(Revert):
    """The network voted not to run the image sha256 {digest}: {reason}."""

    digest: Hash
    reason: str


@dataclass(eq=False)
class AppIsDenied(Revert):
    """The network voted not to run app {app}: {reason}."""

    app: AppId
    reason: str


@dataclass(eq=False)
class NotDenied(Revert):
    """Nothing is denied here that could be lifted, appealed or enforced."""


@dataclass(eq=False)
class AlreadyDenied(Revert):
    """It is denied already."""


@dataclass(eq=False)
class NotYetEnforced(Revert):
    """App {app} may run until {enforced_from}."""

    app: AppId
    enforced_from: ChainTime


@dataclass(eq=False)
class AlreadyAppealed(Revert):
    """There was an appeal against this denial; a proposal can still lift it."""


@dataclass(eq=False)
class ReasonTooLong(Revert):
    """A reason or statement has 1 to {limit} bytes."""

    limit: U16


@dataclass(eq=False)
class NotAppOwner(Revert):
    """Only {owner}, the owner of app {app}, may appeal."""

    app: AppId
    owner: Address

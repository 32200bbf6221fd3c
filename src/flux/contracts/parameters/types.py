"""Parameters: what governance changed of the genesis' numbers, and upgrades that it scheduled."""

from dataclasses import dataclass

from flux.kernel.errors import Revert
from flux.kernel.events import Event
from flux.kernel.record import Record
from flux.primitives.types import U256, ChainTime, Seconds


class ParametersParams(Record, frozen=True):
    """Governance parameters of changes themselves."""

    upgrade_notice: Seconds
    """An upgrade is scheduled at least this long ahead, so that everybody can install it."""


class Parameter(Record, frozen=True):
    """A number that governance may change."""

    path: str
    """Part and field, `market.exclusion`; items of lists by number, `rewards.weights.0`."""
    value: U256
    """What the next block uses; 1 and 0 stand for yes and no."""
    lowest: U256
    highest: U256


class Override(Record, frozen=True):
    """A number that stands in place of the genesis' one."""

    value: U256


class Upgrade(Record, frozen=True):
    """A change of rules by name."""

    name: str
    since: ChainTime
    """Blocks from this protocol time on follow it."""


class ParameterChanged(Event, frozen=True):
    """The next block uses another number."""

    path: str
    value: U256
    before: U256


class UpgradeScheduled(Event, frozen=True):
    """Nodes need software that knows this upgrade before its time."""

    name: str
    since: ChainTime


class UpgradeCancelled(Event, frozen=True):
    """A scheduled upgrade does not come."""

    name: str


@dataclass(eq=False)
class UnknownParameter(Revert):
    """There is no parameter {path} that governance may change; `flux chain params` lists them."""

    path: str


@dataclass(eq=False)
class ParameterOutOfBounds(Revert):
    """{path} must lie between {lowest} and {highest}, and {value} does not."""

    path: str
    value: U256
    lowest: U256
    highest: U256


@dataclass(eq=False)
class ParametersDisagree(Revert):
    """With {path} at {value} the parameters contradict each other: {reason}."""

    path: str
    value: U256
    reason: str


@dataclass(eq=False)
class InvalidUpgradeName(Revert):
    """ "{name}" is no name for an upgrade: 1 to 32 lower-case letters, digits and hyphens, never used before."""

    name: str


@dataclass(eq=False)
class UpgradeTooSoon(Revert):
    """An upgrade at {since} leaves too little time to install it; the earliest is {earliest}."""

    since: ChainTime
    earliest: ChainTime


@dataclass(eq=False)
class UpgradeOutOfOrder(Revert):
    """An upgrade at {since} would come before {name}, which is scheduled at {later}."""

    since: ChainTime
    name: str
    later: ChainTime


@dataclass(eq=False)
class NoSuchUpgrade(Revert):
    """No upgrade named {name} lies ahead."""

    name: str

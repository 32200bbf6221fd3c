"""Oracle: what one FLUX costs in US dollars, as bonded feeders that a vote admitted report it."""

from dataclasses import dataclass
from typing import NewType

from flux.contracts.nodes.types import Ask, NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, Seconds, Wei

UsdPrice = NewType("UsdPrice", U64)
"""US dollars per FLUX in units of 10**-8, as price feeds on Ethereum write them."""
DECIMALS = 8


class OracleParams(Record, frozen=True):
    """Governance parameters of the oracle."""

    bond: Wei
    """What a feeder puts down; lost to the treasury when a vote removes it for lying."""
    unbonding: Seconds
    """From leaving to the return of the bond."""
    staleness: Seconds
    """An older report counts for nothing."""
    report_interval: Seconds
    """Least time between two reports of one feeder."""
    max_deviation: U16
    """Basis points; a report further from the median is ignored."""
    min_feeders: U8
    """Fewer fresh reports that agree, or fewer than half of the feeders, freeze the price."""
    max_feeders: U8
    reprice_step: U16
    """Basis points by which the price moves before asks in dollars are turned into FLUX again."""
    reprice_batch: U16
    """Asks turned into FLUX per block."""


class FeederStatus(Record, frozen=True):
    """A feeder for people."""

    feeder: Address
    price: UsdPrice
    """Last report; 0 before the first."""
    reported_at: ChainTime
    counts: bool
    """Whether it is fresh and near the median."""


class Feeder(Record, frozen=True):
    """A feeder as stored."""

    number: U32
    """Counted from 1, never used again."""
    bond: Wei
    """0 until it has joined."""
    price: UsdPrice
    reported_at: ChainTime


class Price(Record, frozen=True):
    """The price as stored: of the last moment at which enough feeders agreed."""

    value: UsdPrice
    """0 while there never was one."""
    updated_at: ChainTime
    frozen: bool
    """Whether too few feeders report or agree now; the value is then an old one."""


class UsdAsk(Record, frozen=True):
    """An operator's prices in 10**-8 dollars per hour: of a core, a GiB of memory, a GiB of disk, a GPU."""

    cpu: U64
    memory: U64
    disk: U64
    gpu: U64


class FollowedAsk(Record, frozen=True):
    """A node whose ask follows the dollar."""

    usd: UsdAsk
    ask: Ask
    """What it came to in FLUX when it was last set. When the node's is another, its operator chose that since."""


class Leaving(Record, frozen=True):
    """A bond on its way back."""

    feeder: Address
    amount: Wei


class FeederRegistered(Event, frozen=True):
    """A vote admitted a feeder; it reports once it has put down its bond."""

    feeder: Indexed[Address]


class FeederJoined(Event, frozen=True):
    """It put down its bond."""

    feeder: Indexed[Address]
    bond: Wei


class FeederRemoved(Event, frozen=True):
    """It left or was removed; what it lost went to the treasury, the rest comes back after a while."""

    feeder: Indexed[Address]
    forfeited: Wei
    returned: Wei


class PriceReported(Event, frozen=True):
    """A feeder reported."""

    feeder: Indexed[Address]
    price: UsdPrice


class ReportIgnored(Event, frozen=True):
    """A report is further from the median than allowed and counts for nothing."""

    feeder: Indexed[Address]
    price: UsdPrice
    median: UsdPrice


class PriceUpdated(Event, frozen=True):
    """The price, as most feeders agree."""

    value: UsdPrice
    reports: U8


class PriceFrozen(Event, frozen=True):
    """Too few feeders report or agree; the price stays what it was."""

    value: UsdPrice
    updated_at: ChainTime


class UsdAskSet(Event, frozen=True):
    """An operator's prices follow the dollar from now on."""

    node: Indexed[NodeId]
    usd: UsdAsk


@dataclass(eq=False)
class NoPrice(Revert):
    """There is no dollar price that could be trusted now; it is frozen since {updated_at}, or there never was one."""

    updated_at: ChainTime


@dataclass(eq=False)
class InvalidUsdAsk(Revert):
    """A price lies between 0 and {highest} (10^-8 dollars an hour)."""

    highest: U64


@dataclass(eq=False)
class NotFeeder(Revert):
    """{account} is no feeder that a vote admitted and that has put down its bond."""

    account: Address


@dataclass(eq=False)
class AlreadyFeeder(Revert):
    """{account} is a feeder already."""

    account: Address


@dataclass(eq=False)
class TooManyFeeders(Revert):
    """There are {limit} feeders, as many as there may be."""

    limit: U8


@dataclass(eq=False)
class WrongBond(Revert):
    """A feeder's bond is {required} wei exactly, and {sent} came."""

    required: Wei
    sent: Wei


@dataclass(eq=False)
class InvalidPrice(Revert):
    """A price lies between {lowest} and {highest} (10^-8 dollars per FLUX), and {price} does not."""

    price: U64
    lowest: U64
    highest: U64


@dataclass(eq=False)
class ReportTooSoon(Revert):
    """The next report is due at {earliest} at the earliest."""

    earliest: ChainTime

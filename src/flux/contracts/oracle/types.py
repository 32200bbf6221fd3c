"""Oracle: what one FLUX costs in US dollars, as bonded feeders that a vote admitted report it."""

from dataclasses import dataclass
from typing import NewType

from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U64, U256, Address, ChainTime, Seconds, Wei

UsdPrice = NewType("UsdPrice", U64)
"""US dollars per FLUX in units of 10**-8, as price feeds on Ethereum write them."""
NO_USD_PRICE = UsdPrice(U64(0))
"""While nobody ever reported one."""
DECIMALS = 8
PRICE_UNIT = 10**DECIMALS
METER_UNIT = 1 << 96
"""What one FLUX for one dollar counts on the meter in a second."""


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
    meter_history: Seconds
    """How long earlier readings of the meter can be told exactly."""


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


class Meter(Record, frozen=True):
    """FLUX per dollar, added up second by second: what a rate in dollars came to between two readings, exactly.

    A rate of r (10**-18 dollars per second) costs r · (later index − earlier index) / METER_UNIT wei.
    """

    at: ChainTime
    index: U256
    """Sum over the seconds before `at`."""
    pace: U256
    """What a second adds now: METER_UNIT · PRICE_UNIT / price, rounded down; 0 while there never was a price."""


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


@dataclass(eq=False)
class NoPrice(Revert):
    """Nobody has reported a price of FLUX in dollars yet; give prices in FLUX."""


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

"""Escrow: one account per app; per-second lazy settlement."""

from dataclasses import dataclass

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import NO_USD_RATE, LeaseId, UsdRate
from flux.contracts.nodes.types import Ask, NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U16, U64, U256, Address, ChainTime, Seconds, Wei

NOTHING = U256(0)


class Deposit(Record, frozen=True):
    """One payer's money, spent oldest first and refunded newest first."""

    payer: Address
    remaining: Wei


class EscrowAccount(Record, frozen=True):
    """The account of one app as of `settled_at`."""

    app: AppId
    deposits: tuple[Deposit, ...]
    """Oldest first."""
    rate: Wei
    """Wei per second of all accruing leases in FLUX together."""
    owed: Wei
    """What these accrued up to `settled_at` and was not yet taken from the deposits."""
    settled_at: ChainTime
    spent: Wei
    """Everything ever taken from the deposits, fee included."""
    depletes_at: ChainTime
    """When the account is looked at: the last second that the deposits pay in full, or earlier; 0 for never."""
    usd_rate: UsdRate = NO_USD_RATE
    """Of all accruing leases in dollars together."""
    usd_owed: U256 = NOTHING
    """What these accrued up to `settled_index` and was not yet taken, in parts of a wei (1 / METER_UNIT)."""
    settled_index: U256 = NOTHING
    """The oracle's meter at `settled_at`; means nothing while no lease in dollars accrues."""
    depletes_index: U256 = NOTHING
    """Reading of the meter at which the account is looked at, whatever the price does until then; 0 for never."""


class Accrual(Record, frozen=True):
    """A lease that is being paid for."""

    lease: LeaseId
    node: NodeId
    operator: Address
    rate: Wei
    """Wei per second."""
    paid_until: ChainTime
    """Its time from here on is in the account's debt."""
    usd_rate: UsdRate = NO_USD_RATE
    """What it costs instead, if it is in dollars; `rate` is 0 then."""
    paid_index: U256 = NOTHING
    """The meter at `paid_until`, if it is in dollars."""
    rest: U256 = NOTHING
    """Parts of a wei that it accrued before and that made no whole one yet."""


class EscrowBalance(Record, frozen=True):
    """The account at the block asked about, accrual up to it counted."""

    app: AppId
    balance: Wei
    rate: Wei
    """Wei per second of all accruing leases together, those in dollars at the price of this block."""
    spent: Wei
    """What the app cost so far, fee included, paid out or not."""
    depletes_at: ChainTime
    """At that rate; 0 when nothing accrues."""
    usd_rate: UsdRate
    """Of the leases in dollars together, which follow the price of FLUX; in `rate` already."""
    frozen: bool
    """Whether that price is an old one, because too few feeders report or agree."""


class EscrowParams(Record, frozen=True):
    """Governance parameters of the escrow."""

    min_deposit: Wei
    min_runtime: Seconds
    """Starting an app needs a balance for this long at its reference rate."""
    reference_ask: Ask
    """Prices that stand for "the market" where a spec names no maximum; only for minimum deposits."""
    min_placement: Seconds
    """Each lease costs at least this long, so that griefing costs its author."""
    max_deposits: U16
    """Distinct payers kept per app."""
    fee_basis_points: U16
    """Protocol fee to the treasury, of what hosts are paid; 200 = 2 %."""
    volume_grace: Seconds
    """How long volumes of a depleted app are kept."""
    settlement_lag: Seconds
    """`settle` leaves this much unpaid, so that time a node turns out not to have served was not yet paid."""


class Deposited(Event, frozen=True):
    """Money came in."""

    app: Indexed[AppId]
    payer: Indexed[Address]
    amount: Wei


class HostPaid(Event, frozen=True):
    """A node's operator was paid for what an app used."""

    app: Indexed[AppId]
    node: Indexed[NodeId]
    operator: Indexed[Address]
    amount: Wei
    fee: Wei
    seconds: U64
    lease: LeaseId


class Depleted(Event, frozen=True):
    """The account is empty; the app stops."""

    app: Indexed[AppId]


class Refunded(Event, frozen=True):
    """Unused money went back to who paid it."""

    app: Indexed[AppId]
    payer: Indexed[Address]
    amount: Wei


@dataclass(eq=False)
class DepositTooSmall(Revert):
    """{provided} wei is less than the {required} wei that this deposit must have."""

    required: Wei
    provided: Wei


@dataclass(eq=False)
class BalanceTooLow(Revert):
    """App {app} has {available} wei left and {required} wei are needed to run this; top it up first."""

    app: AppId
    required: Wei
    available: Wei


@dataclass(eq=False)
class TooManyPayers(Revert):
    """App {app} already has money from {limit} payers; let one of them top it up."""

    app: AppId
    limit: U16


@dataclass(eq=False)
class NoAccount(Revert):
    """App {app} has no open escrow account."""

    app: AppId

"""Pure arithmetic of shares. Every division leaves its remainder in the pool, so that shares are never worth more.

The same sums serve pools (stake, shares) and batches (amount, units).
"""

from flux.contracts.staking.types import BasisPoints, PartsPerMillion, Shares
from flux.primitives.types import U16, U64, U256, ChainTime, Seconds, Wei

MILLION = 1_000_000
WORTHLESS = 10**9
"""A pool with more shares per wei than this takes no more stake, so that share numbers stay far inside 256 bits."""
MAX_PAGE = 1_000
MAX_ENTRIES = 128
"""Positions or unbonding entries that one call reads or pays."""


def shares_for(amount: int, total: int, shares: int) -> Shares:
    """Shares that `amount` buys, rounded down; the first wei buys one share."""
    return Shares(U256(amount if shares == 0 else amount * shares // total))


def shares_of(amount: int, total: int, shares: int) -> Shares:
    """Shares that must go for `amount` to be paid, rounded up. `amount` must not exceed `total`."""
    return Shares(U256(-(-amount * shares // total)))


def value_of(part: int, total: int, shares: int) -> Wei:
    """What `part` of `shares` is worth, rounded down."""
    return wei(0 if shares == 0 else part * total // shares)


def is_exhausted(total: int, shares: int) -> bool:
    """Whether a share is worth so little that numbers could run away."""
    return shares > total * WORTHLESS


def lost(amount: int, parts: PartsPerMillion) -> Wei:
    """What a slash of `parts` millionths takes."""
    return wei(amount * parts // MILLION)


def surviving(units: int, moved: int, moved_units: int, before: int) -> Wei:
    """What is left of redelegated stake; never more than was left before."""
    return wei(min(before, value_of(units, moved, moved_units)))


def lost_shares(shares: int, before: int, after: int) -> Shares:
    """Shares that redelegated stake loses when `after` of `before` survives, rounded up."""
    return Shares(U256(-(-shares * (before - after) // before)))


def begins(now: ChainTime, step: Seconds) -> ChainTime:
    """When stake that is undelegated now begins to unbond: at the end of the step of time that `now` lies in."""
    return ChainTime(U64((now // step + 1) * step))


def change(before: BasisPoints, after: BasisPoints) -> BasisPoints:
    """How far two commissions are apart."""
    return BasisPoints(U16(abs(after - before)))


def wei(amount: int) -> Wei:
    """An amount that is known to be in range."""
    return Wei(U256(amount))


def shares(amount: int) -> Shares:
    """A number of shares that is known to be in range."""
    return Shares(U256(amount))

"""Pure arithmetic of rewards: the emission schedule, tier rates, and rewards per share. Integers only.

The schedule: the pool P gives a tenth in the first year and each later year a tenth less than the one before, so by the
end of year k it has given P − P·9^k/10^k. Inside a year it is linear. Every value is floored.
"""

from collections.abc import Sequence

from flux.contracts.rewards.types import PPM, OpenEpoch, Rates
from flux.primitives.types import U64, U256, Seconds, Wei

YEAR = 365 * 86_400
"""Seconds of a year of emission."""
SCALE = 96
"""Rewards per share have this many bits after the point."""
BASIS_POINTS = 10_000


def by_year(pool: int, year: int) -> Wei:
    """What may be emitted by the end of a year; year 0 ends when emission begins."""
    return wei(pool * (10**year - 9**year) // 10**year)


def budget(pool: int, elapsed: int) -> Wei:
    """What may be emitted in so many seconds; never above the pool, never falling."""
    year, rest = divmod(elapsed, YEAR)
    whole = by_year(pool, year)
    return wei(whole + (by_year(pool, year + 1) - whole) * rest // YEAR)


def returned(unearned: int, duration: int) -> Wei:
    """What of the unearned comes back in so many seconds: a tenth a year, so that it lengthens the tail."""
    return wei(min(unearned, unearned * duration // (10 * YEAR)))


def part(amount: int, of_ten_thousand: int) -> Wei:
    """A part of an amount, floored."""
    return wei(amount * of_ten_thousand // BASIS_POINTS)


def yearly_cap(stake: int, of_ten_thousand: int, duration: int) -> Wei:
    """Most that a node of a tier may get for an epoch."""
    return wei(stake * of_ten_thousand * duration // (BASIS_POINTS * YEAR))


def rates(open_: OpenEpoch, weights: Sequence[int], caps: Sequence[int]) -> Rates:
    """What a millionth of availability is worth in each tier: an equal part for each node, unless the cap is lower.

    It does not depend on how available others were, so nobody gains by having a rival reported as absent.
    """
    found = []
    for weight, nodes, cap in zip(weights, open_.nodes, caps, strict=True):
        share = open_.budget * weight // sum(weights)
        found.append(U256(min(share // (nodes * PPM), cap // PPM) if nodes else 0))
    return Rates(tuple(found), tuple(U256(cap) for cap in caps))


def given(rates_: Rates, totals: Sequence[int]) -> Wei:
    """What an epoch pays to all hosts."""
    return wei(sum(rate * total for rate, total in zip(rates_.wei_per_ppm, totals, strict=True)))


def with_total(totals: tuple[U64, ...], tier: int, change: int) -> tuple[U64, ...]:
    """The sums of availability after one tier's changed."""
    return tuple(U64(total + change) if index == tier - 1 else total for index, total in enumerate(totals))


def per_share(amount: int, remainder: int, shares: int) -> tuple[U256, U256]:
    """What each share gets of an amount, and the remainder to carry."""
    gained, left = divmod((amount << SCALE) + remainder, shares)
    return U256(gained), U256(left)


def accrued(shares: int, since: int, now: int) -> Wei:
    """What shares earned between two values of `per_share`."""
    return wei(shares * (now - since) >> SCALE)


def split(amount: int, weights: Sequence[int]) -> list[Wei]:
    """An amount by weights, each part floored."""
    whole = sum(weights)
    return [wei(amount * weight // whole if whole else 0) for weight in weights]


def per_day(amount: int, duration: Seconds) -> Wei:
    """What is paid for an epoch, extended to a day."""
    return wei(amount * 86_400 // duration if duration else 0)


def wei(amount: int) -> Wei:
    """An amount that is known to be in range."""
    return Wei(U256(amount))

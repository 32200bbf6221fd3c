"""Pure decisions of the oracle: which reports count, and what they say together."""

from collections.abc import Sequence
from typing import NamedTuple

from flux.contracts.oracle.types import METER_UNIT, PRICE_UNIT, Feeder, InvalidPrice, Meter, OracleParams, UsdPrice
from flux.primitives.types import U64, U256, Address, ChainTime

LOWEST = 1
HIGHEST = 10**14
"""A million dollars; far above any honest price and far below what arithmetic would mind."""
BASIS_POINTS = 10_000


class Verdict(NamedTuple):
    """What the reports of a moment say."""

    counted: tuple[Address, ...]
    """Feeders whose reports count."""
    ignored: tuple[Address, ...]
    """Fresh reports too far from the median."""
    median: UsdPrice
    """Of all fresh reports; 0 when there is none."""
    price: UsdPrice
    """Of those that count; 0 when they are too few."""


def check_price(price: U64) -> UsdPrice:
    """A price that can be meant. Raises InvalidPrice."""
    if not LOWEST <= price <= HIGHEST:
        raise InvalidPrice(price, U64(LOWEST), U64(HIGHEST))
    return UsdPrice(price)


def judge(feeders: Sequence[tuple[Address, Feeder]], now: ChainTime, params: OracleParams) -> Verdict:
    """Take the median of fresh reports, drop what deviates too much from it, take the median of the rest.

    As long as most feeders are honest the first median lies among their reports, so a minority moves nothing, however
    it lies.
    """
    joined = [(address, feeder) for address, feeder in feeders if feeder.bond]
    fresh = [(address, feeder.price) for address, feeder in joined if is_fresh(feeder, now, params)]
    if not fresh:
        return Verdict((), (), UsdPrice(U64(0)), UsdPrice(U64(0)))
    middle = median([price for _, price in fresh])
    near = [(address, price) for address, price in fresh if not deviates(price, middle, params.max_deviation)]
    counted = tuple(address for address, _ in near)
    ignored = tuple(address for address, _ in fresh if address not in counted)
    enough = len(near) >= params.min_feeders and 2 * len(near) > len(joined)
    return Verdict(counted, ignored, middle, median([price for _, price in near]) if enough else UsdPrice(U64(0)))


def is_fresh(feeder: Feeder, now: ChainTime, params: OracleParams) -> bool:
    """Whether its report is young enough."""
    return bool(feeder.price) and now <= feeder.reported_at + params.staleness


def median(prices: Sequence[UsdPrice]) -> UsdPrice:
    """The middle one; of an even number, the lower of the two in the middle, so that it is always somebody's report."""
    return sorted(prices)[(len(prices) - 1) // 2]


def advance(meter: Meter, now: ChainTime) -> Meter:
    """The meter's reading at another time at which it ran at the same pace; never below 0."""
    return meter.but(at=now, index=U256(max(0, meter.index + meter.pace * (now - meter.at))))


def pace_of(price: UsdPrice) -> U256:
    """What the meter adds in a second at a price."""
    return U256(METER_UNIT * PRICE_UNIT // price)


def deviates(price: int, reference: int, basis_points: int) -> bool:
    """Whether a price differs from a reference by more than so many basis points of it."""
    return abs(price - reference) * BASIS_POINTS > reference * basis_points

"""Dollars and FLUX beside each other: what an ask, a limit and a rate in one are in the other at a price.

Rounding never favours whoever could choose the moment: an ask becomes no less, a limit no more, a rate no more.
"""

from typing import NamedTuple

from flux.contracts.apps.types import Constraints
from flux.contracts.market.rules import NO_PRICE, Needs, price_limit, price_of, rate_of
from flux.contracts.market.types import NO_USD_RATE, RatePerSecond, UsdRate
from flux.contracts.nodes.types import Ask, Currency
from flux.contracts.oracle.types import PRICE_UNIT, UsdPrice
from flux.primitives.types import U64, U256, Wei

NEVER_ACCEPTED = -1
"""Below every price."""


class Terms(NamedTuple):
    """What a lease costs."""

    rate: RatePerSecond
    """Wei per second at the price of the block that placed it."""
    usd_rate: UsdRate
    """What holds instead, if the bill is in dollars; else 0."""


def ask_in_flux(ask: Ask, price: UsdPrice) -> Ask:
    """The ask in gwei, rounded up; without a price, one that nobody may pay."""
    if ask.currency is Currency.FLUX:
        return ask

    def convert(amount: U64) -> U64:
        return U64(min(-(-amount * PRICE_UNIT // price), NO_PRICE) if price else NO_PRICE)

    return Ask(convert(ask.cpu), convert(ask.memory), convert(ask.disk), convert(ask.gpu))


def limit_in_flux(constraints: Constraints, price: UsdPrice) -> int:
    """The highest price that a tenant accepts, milli-gwei per hour, rounded down; without a price, none in dollars."""
    dollars = constraints.max_price_nanousd_hour
    if not dollars:
        return price_limit(constraints.max_price_gwei_hour)
    return min(dollars * 1000 * PRICE_UNIT // price, NO_PRICE - 1) if price else NEVER_ACCEPTED


def accepts(constraints: Constraints, terms: Terms, price: UsdPrice) -> bool:
    """Whether terms are within the tenant's maximum, in the currency that it is in."""
    if dollars := constraints.max_price_nanousd_hour:
        return (terms.usd_rate or in_dollars(terms.rate, price)) <= rate_of(dollars * 1000)
    return terms.rate <= rate_of(price_limit(constraints.max_price_gwei_hour))


def bill_of(constraints: Constraints) -> Currency | None:
    """The currency that the tenant's maximum names for its bill; None leaves it to each node."""
    if constraints.max_price_nanousd_hour:
        return Currency.USD
    return Currency.FLUX if constraints.max_price_gwei_hour else None


def terms_of(bill: Currency | None, needs: Needs, ask: Ask, price: UsdPrice) -> Terms:
    """What a lease costs on a node: in the currency of the tenant's maximum, or else of the node's ask."""
    rate = rate_of(price_of(needs, ask_in_flux(ask, price)))
    if (bill or ask.currency) is Currency.FLUX:
        return Terms(rate, NO_USD_RATE)
    if ask.currency is Currency.USD:
        return Terms(rate, UsdRate(U256(rate_of(price_of(needs, ask)))))
    return Terms(rate, in_dollars(rate, price))


def terms_in_place(
    bill: Currency | None, needs: Needs, before: Needs, ask: Ask, price: UsdPrice, agreed: Terms
) -> Terms:
    """Terms of an instance that stays on its node with other needs, at the price level of its last lease.

    There is no competition for it, so a node that raised its ask meanwhile gets no more for the same needs.
    """
    new, same = terms_of(bill, needs, ask, price), terms_of(bill, before, ask, price)
    if new.usd_rate or same.usd_rate:
        had = agreed.usd_rate or in_dollars(agreed.rate, price)
        usd = UsdRate(U256(_level(new.usd_rate, same.usd_rate, had)))
        return Terms(in_flux(usd, price), usd)
    return Terms(RatePerSecond(Wei(U256(_level(new.rate, same.rate, rate_at(agreed, price))))), NO_USD_RATE)


def rate_at(terms: Terms, price: UsdPrice) -> RatePerSecond:
    """What a lease costs in FLUX at a price."""
    return in_flux(terms.usd_rate, price) if terms.usd_rate else terms.rate


def in_dollars(rate: RatePerSecond, price: UsdPrice) -> UsdRate:
    """A rate in FLUX as one in dollars."""
    return UsdRate(U256(rate * price // PRICE_UNIT))


def in_flux(rate: UsdRate, price: UsdPrice) -> RatePerSecond:
    """A rate in dollars as one in FLUX; without a price nothing."""
    return RatePerSecond(Wei(U256(rate * PRICE_UNIT // price if price else 0)))


def _level(new: int, same: int, agreed: int) -> int:
    return new if same <= agreed else new * agreed // same

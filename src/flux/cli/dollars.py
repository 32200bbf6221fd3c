"""Prices in dollars on the command line, beside FLUX."""

from decimal import Decimal, InvalidOperation

from flux.cli import format as show
from flux.cli.errors import UsageError
from flux.contracts.market.standby_types import Standby
from flux.contracts.market.types import Lease, Verdict
from flux.contracts.oracle.types import DECIMALS, PRICE_UNIT, Price, UsdPrice
from flux.primitives.types import U64
from flux.sdk.bindings.oracle import Oracle
from flux.sdk.client import FluxClient


def dollars(price: int) -> str:
    """A price in the oracle's unit as a number: 0.052."""
    text = f"{Decimal(price).scaleb(-DECIMALS):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse(text: str) -> UsdPrice:
    """Dollars per FLUX as the chain counts them. Raises UsageError."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 < value < 10**9:
        raise UsageError(f"{text.strip()[:40]} is no price in dollars", "for example 0.052")
    return UsdPrice(U64(round(value.scaleb(DECIMALS))))


def worth(wei: int, price: Price | None) -> str:
    """An amount in dollars, three significant digits: $1.35; empty where there is no price."""
    if price is None or not price.value:
        return ""
    return amount(wei * price.value // PRICE_UNIT)


async def find_price(client: FluxClient) -> Price | None:
    """The oracle's price; None while there never was one."""
    price = await Oracle(client).price()
    return price if price.value else None


def per_hour(lease: Lease | Verdict | Standby) -> str:
    """What a lease, or standing by, costs an hour, in the currency of its bill: $0.0012, or FLUX as a number."""
    if lease.usd_rate:
        return amount(lease.usd_rate * show.HOUR)
    return show.number(lease.rate * show.HOUR)


def amount(atto: int) -> str:
    """An amount in 10**-18 dollars, three significant digits: $1.35."""
    value = Decimal(atto).scaleb(-18)
    return f"${value:.2f}" if value >= 1 else f"${float(f'{value:.3g}'):.12f}".rstrip("0").rstrip(".")


def exact(atto: int) -> str | None:
    """An amount in 10**-18 dollars for scripts; None for nothing in dollars."""
    return show.exact(atto) if atto else None

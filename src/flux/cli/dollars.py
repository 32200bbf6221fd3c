"""Prices in dollars on the command line: turned into FLUX at the oracle's price, and shown beside FLUX."""

from decimal import Decimal, InvalidOperation

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import FAILED, CliError, UsageError
from flux.contracts.oracle.types import DECIMALS, Price, UsdPrice
from flux.primitives.types import U64, WEI_PER_FLUX, WEI_PER_GWEI
from flux.sdk.bindings.oracle import Oracle
from flux.sdk.client import FluxClient

_UNIT = 10**DECIMALS


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
    value = Decimal(wei) * price.value / (WEI_PER_FLUX * _UNIT)
    return f"${value:.2f}" if value >= 1 else f"${float(f'{value:.3g}'):.12f}".rstrip("0").rstrip(".")


async def find_price(client: FluxClient) -> Price | None:
    """The oracle's price; None while there never was one."""
    price = await Oracle(client).price()
    return price if price.value else None


async def in_flux(context: CommandContext, text: str | None) -> str | None:
    """`$0.05` as FLUX at the present price, rounded down to what the chain counts; anything else as it is.

    Raises UsageError, CliError where there is no price.
    """
    if text is None or not text.startswith("$"):
        return text
    try:
        amount = Decimal(text[1:])
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount < 10**9:
        raise UsageError(f"{text} is no price in dollars", "for example '$0.05', in quotes for the shell")
    async with context.client() as client:
        price = await find_price(client)
    if price is None:
        raise CliError(
            "the network has no dollar price yet", "give it in FLUX; see `flux oracle show`", FAILED, "NoPrice"
        )
    if price.frozen:
        context.output.note(f"the dollar price is frozen; {dollars(price.value)} USD is the last one")
    gwei = int(amount * _UNIT * WEI_PER_FLUX / price.value) // WEI_PER_GWEI
    exact = show.exact(gwei * WEI_PER_GWEI)
    context.output.note(f"{text} is {exact} FLUX at {dollars(price.value)} USD")
    return exact

"""Prices of a node: FLUX or dollars an hour on the command line, billionths of them on chain."""

from flux.cli import format as show
from flux.cli.errors import UsageError
from flux.contracts.nodes.types import Ask, Currency
from flux.primitives.types import U64, WEI_PER_GWEI
from flux.primitives.units import parse_flux


def ask_of(cpu: str, memory: str, disk: str, gpu: str) -> Ask:
    """Raises UsageError for prices in both currencies, or with more than 9 decimals."""
    prices = (cpu, memory, disk, gpu)
    dollars = [price.startswith("$") for price in prices]
    if any(dollars) and not all(dollars):
        raise UsageError("a node asks in FLUX or in dollars, not in both", "give all four prices in one of them")
    currency = Currency.USD if any(dollars) else Currency.FLUX
    one, two, three, four = (_billionths(price.removeprefix("$")) for price in prices)
    return Ask(one, two, three, four, currency)


def price_text(billionths: int, currency: Currency = Currency.FLUX) -> str:
    """A price for people: a number of FLUX, or $0.05."""
    return ("$" if currency is Currency.USD else "") + show.number(billionths * WEI_PER_GWEI)


def ask_text(ask: Ask) -> str:
    """All prices of a node for people."""
    cpu, memory, disk, gpu = (price_text(price, ask.currency) for price in (ask.cpu, ask.memory, ask.disk, ask.gpu))
    return f"{cpu} a core, {memory} a GiB of memory, {disk} a GiB of disk, {gpu} a GPU"


def ask_document(ask: Ask) -> dict[str, str]:
    """For scripts: an hour's prices in the node's currency."""
    return {
        "currency": ask.currency.name.lower(),
        "core": show.exact(ask.cpu * WEI_PER_GWEI),
        "memory_gib": show.exact(ask.memory * WEI_PER_GWEI),
        "disk_gib": show.exact(ask.disk * WEI_PER_GWEI),
        "gpu": show.exact(ask.gpu * WEI_PER_GWEI),
    }


def _billionths(text: str) -> U64:
    wei = parse_flux(text)
    if wei % WEI_PER_GWEI:
        raise UsageError(f"a price has at most 9 decimals, got {text}")
    return U64(wei // WEI_PER_GWEI)

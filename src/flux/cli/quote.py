"""What deploying will cost, before it is deployed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flux.cli import format as show
from flux.cli.dollars import dollars, worth
from flux.cli.output import Output
from flux.cli.verdicts import able
from flux.contracts.market.types import Verdict
from flux.contracts.oracle.types import Price
from flux.primitives.types import NO_WEI, U256, WEI_PER_FLUX, Wei
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient

USUAL_SECONDS = show.DAY
"""How long the deposit lasts when nobody says how much it is."""
_STEP = WEI_PER_FLUX // 100


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices by the nodes that would be cheapest now; the chain decides, and spreads before it saves."""

    rate: Wei
    """Wei per second of all instances on the cheapest nodes, and of whoever stands by on the next ones."""
    smallest: Wei
    """The smallest first deposit that the chain accepts."""
    deposit: Wei
    """What will be paid in."""
    price: Price | None = None
    """Of FLUX in dollars, where there is one."""
    standby_rate: Wei = NO_WEI
    """What of `rate` goes to nodes that stand by."""

    @classmethod
    def of(
        cls,
        verdicts: Sequence[Verdict],
        instances: int,
        smallest: Wei,
        deposit: Wei | None,
        price: Price | None = None,
        standby_rate: Wei = NO_WEI,
    ) -> "Quote":
        """`deposit` None: a day's price, and never less than the chain accepts."""
        rate = sum(verdict.rate for verdict in able(verdicts)[:instances]) + standby_rate
        usual = max(smallest, rate * USUAL_SECONDS)
        rounded = -(-usual // _STEP) * _STEP
        return cls(_wei(rate), smallest, _wei(rounded) if deposit is None else deposit, price, standby_rate)

    @property
    def lasts(self) -> int | None:
        """Seconds that the deposit pays for; None when nothing costs anything."""
        return self.deposit // self.rate if self.rate else None

    def draw(self, output: Output) -> None:
        """For people."""
        lasts = "" if self.lasts is None else f", lasts about {show.duration(self.lasts)}"
        month = worth(self.rate * show.MONTH, self.price)
        usd = f" ({month} a month)" if month else ""
        held = f", of it {show.per_hour(self.standby_rate)} for standing by" if self.standby_rate else ""
        output.facts(
            [
                ("price", f"from {show.per_hour(self.rate)}, {show.per_month(self.rate)} for all instances{usd}{held}"),
                ("deposit", f"{show.flux(self.deposit)}{lasts}; at least {show.flux(self.smallest)}"),
            ]
        )


async def standby_rate(client: FluxClient, verdicts: Sequence[Verdict], instances: int, standby: int) -> Wei:
    """Wei per second of all who stand by, on the nodes that come after those of the instances."""
    rates = [verdict.rate for verdict in able(verdicts)[instances : instances + standby]]
    return await Market(client).standby_rate(_wei(sum(rates))) if rates else NO_WEI


def quote_document(quote: Quote) -> dict[str, Any]:
    """For scripts."""
    return {
        "price_per_hour": show.exact(quote.rate * show.HOUR),
        "price_per_month": show.exact(quote.rate * show.MONTH),
        "price_per_month_usd": worth(quote.rate * show.MONTH, quote.price).removeprefix("$") or None,
        "usd_per_flux": None if quote.price is None else dollars(quote.price.value),
        "standby_per_hour": show.exact(quote.standby_rate * show.HOUR),
        "deposit": show.exact(quote.deposit),
        "smallest_deposit": show.exact(quote.smallest),
        "deposit_lasts_seconds": quote.lasts,
    }


def _wei(amount: int) -> Wei:
    return Wei(U256(amount))

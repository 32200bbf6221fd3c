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
from flux.primitives.types import U256, WEI_PER_FLUX, Wei

USUAL_SECONDS = show.DAY
"""How long the deposit lasts when nobody says how much it is."""
_STEP = WEI_PER_FLUX // 100


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices by the nodes that would be cheapest now; the chain decides, and spreads before it saves."""

    rate: Wei
    """Wei per second of all instances on the cheapest nodes."""
    smallest: Wei
    """The smallest first deposit that the chain accepts."""
    deposit: Wei
    """What will be paid in."""
    price: Price | None = None
    """Of FLUX in dollars, where there is one."""

    @classmethod
    def of(
        cls,
        verdicts: Sequence[Verdict],
        instances: int,
        smallest: Wei,
        deposit: Wei | None,
        price: Price | None = None,
    ) -> "Quote":
        """`deposit` None: a day's price, and never less than the chain accepts."""
        rate = sum(verdict.rate for verdict in able(verdicts)[:instances])
        usual = max(smallest, rate * USUAL_SECONDS)
        rounded = -(-usual // _STEP) * _STEP
        return cls(_wei(rate), smallest, _wei(rounded) if deposit is None else deposit, price)

    @property
    def lasts(self) -> int | None:
        """Seconds that the deposit pays for; None when nothing costs anything."""
        return self.deposit // self.rate if self.rate else None

    def draw(self, output: Output) -> None:
        """For people."""
        lasts = "" if self.lasts is None else f", lasts about {show.duration(self.lasts)}"
        month = worth(self.rate * show.MONTH, self.price)
        usd = f" ({month} a month)" if month else ""
        output.facts(
            [
                ("price", f"from {show.per_hour(self.rate)}, {show.per_month(self.rate)} for all instances{usd}"),
                ("deposit", f"{show.flux(self.deposit)}{lasts}; at least {show.flux(self.smallest)}"),
            ]
        )


def quote_document(quote: Quote) -> dict[str, Any]:
    """For scripts."""
    return {
        "price_per_hour": show.exact(quote.rate * show.HOUR),
        "price_per_month": show.exact(quote.rate * show.MONTH),
        "price_per_month_usd": worth(quote.rate * show.MONTH, quote.price).removeprefix("$") or None,
        "usd_per_flux": None if quote.price is None else dollars(quote.price.value),
        "deposit": show.exact(quote.deposit),
        "smallest_deposit": show.exact(quote.smallest),
        "deposit_lasts_seconds": quote.lasts,
    }


def _wei(amount: int) -> Wei:
    return Wei(U256(amount))

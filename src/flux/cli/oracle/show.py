"""`flux oracle show`."""

import asyncio

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.dollars import dollars
from flux.cli.lookup import protocol_now
from flux.cli.output import Column, right
from flux.sdk.bindings.oracle import Oracle


async def run(context: CommandContext) -> None:
    """Show the price of FLUX, whether it is frozen, and who reports it."""
    async with context.client() as client:
        oracle = Oracle(client)
        price, feeders, now = await asyncio.gather(oracle.price(), oracle.feeders(), protocol_now(client))
    age = now - price.updated_at
    if not price.value:
        said = "There is no price yet: too few feeders report."
    elif price.frozen:
        said = (
            f"1 FLUX was {dollars(price.value)} USD {show.duration(age)} ago. The price is frozen: too few feeders "
            "report or agree."
        )
    else:
        said = f"1 FLUX is {dollars(price.value)} USD, agreed on {show.duration(age)} ago."
    context.output.line(said)
    rows = [
        (
            show.address(item.feeder),
            dollars(item.price) if item.price else "–",
            show.duration(now - item.reported_at) if item.price else "–",
            "yes" if item.counts else "no",
        )
        for item in feeders
    ]
    columns: list[Column | str] = ["FEEDER", right("USD"), right("AGE"), "COUNTS"]
    context.output.table(columns, rows, "No vote has admitted a feeder yet; see docs/guides/feeder.md.")
    context.output.document(
        {
            "usd_per_flux": dollars(price.value) if price.value else None,
            "updated_at": price.updated_at or None,
            "age_seconds": age if price.value else None,
            "frozen": price.frozen,
            "feeders": [
                {
                    "account": show.address(item.feeder),
                    "usd_per_flux": dollars(item.price) if item.price else None,
                    "reported_at": item.reported_at or None,
                    "counts": item.counts,
                }
                for item in feeders
            ],
        }
    )

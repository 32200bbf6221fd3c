"""`flux app topup`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import find_app, protocol_now
from flux.cli.options import AppArgument
from flux.primitives.units import parse_flux
from flux.sdk.bindings.escrow import Escrow


async def run(
    context: CommandContext,
    name: AppArgument,
    amount: Annotated[str, typer.Argument(metavar="FLUX", help="How much to add.")],
) -> None:
    """Add to an app's balance. Anybody may; an app that stopped because it was empty starts again."""
    value = parse_flux(amount)
    async with context.client() as client:
        app = await find_app(client, name)
        escrow = Escrow(client)
        receipt = await escrow.top_up(await context.signer(client), app.id, value=value)
        balance, now = await asyncio.gather(escrow.balance(app.id), protocol_now(client))
    lasts = balance.depletes_at - now if balance.depletes_at else None
    until = "" if lasts is None else f", lasts {show.duration(lasts)}"
    context.output.line(f"{app.name} now has {show.flux(balance.balance)}{until}.")
    context.output.document(
        {
            "app": app.id,
            "name": app.name,
            "added": show.exact(value),
            "balance": show.exact(balance.balance),
            "balance_lasts_seconds": lasts,
            "transaction": f"0x{receipt.transaction.hex()}",
        }
    )

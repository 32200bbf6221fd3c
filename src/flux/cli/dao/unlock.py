"""`flux dao unlock`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import protocol_now
from flux.contracts.votes.types import UnlockStarted
from flux.primitives.units import parse_flux
from flux.sdk.bindings.votes import Votes
from flux.sdk.known import find_event


async def run(
    context: CommandContext, amount: Annotated[str, typer.Argument(metavar="FLUX", help="How much.")]
) -> None:
    """Give up voting power at once and get its FLUX back by itself after a delay."""
    value = parse_flux(amount)
    async with context.client() as client:
        receipt, now = await asyncio.gather(
            Votes(client).unlock(await context.signer(client), value), protocol_now(client)
        )
    started = next(
        event for log in receipt.logs if isinstance(event := find_event(list(log.topics), log.data), UnlockStarted)
    )
    context.output.line(f"{show.flux(value)} come back in {show.duration(started.due - now)}.")
    context.output.document(
        {"amount": show.exact(value), "due": started.due, "transaction": f"0x{receipt.transaction.hex()}"}
    )

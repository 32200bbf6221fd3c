"""`flux dao lock`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.primitives.units import parse_flux
from flux.sdk.bindings.votes import Votes


async def run(
    context: CommandContext, amount: Annotated[str, typer.Argument(metavar="FLUX", help="How much.")]
) -> None:
    """Lock FLUX to vote with it, one vote each. It stays yours and comes back after `flux dao unlock` and a delay."""
    value = parse_flux(amount)
    async with context.client() as client:
        votes, signer = Votes(client), await context.signer(client)
        receipt = await votes.lock(signer, value=value)
        holding = await votes.holding(signer.address)
    context.output.line(f"{show.flux(holding.locked)} locked; it counts in votes that begin from now on.")
    context.output.document({"locked": show.exact(holding.locked), "transaction": f"0x{receipt.transaction.hex()}"})

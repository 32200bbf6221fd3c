"""`flux wallet send`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import find_address
from flux.cli.context import CommandContext
from flux.primitives.units import parse_flux


async def run(
    context: CommandContext,
    to: Annotated[str, typer.Argument(metavar="TO", help="An address, a key's name, or dev0…dev9.")],
    amount: Annotated[str, typer.Argument(metavar="FLUX", help="How much.")],
) -> None:
    """Send FLUX and wait until it is in a block."""
    value = parse_flux(amount)
    recipient = find_address(context, to)
    async with context.client() as client:
        signer = await context.signer(client)
        receipt = await client.wait(await client.send(signer, recipient, value=value))
    context.output.line(
        f"{show.flux(value)} sent to {show.address(recipient)} in block {receipt.block}, fee {show.flux(receipt.fee)}."
    )
    context.output.document(
        {
            "from": show.address(signer.address),
            "to": show.address(recipient),
            "amount": show.exact(value),
            "fee": show.exact(receipt.fee),
            "transaction": f"0x{receipt.transaction.hex()}",
            "block": receipt.block,
        }
    )

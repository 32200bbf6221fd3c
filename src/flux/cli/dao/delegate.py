"""`flux dao delegate`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import find_address
from flux.cli.context import CommandContext
from flux.sdk.bindings.votes import Votes


async def run(
    context: CommandContext,
    who: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Who votes with it; yourself to take it back.")],
) -> None:
    """Let another account vote with all your power, in votes that begin from now on. Your FLUX stays where it is."""
    delegate = find_address(context, who)
    async with context.client() as client:
        receipt = await Votes(client).delegate(await context.signer(client), delegate)
    context.output.line(f"{show.address(delegate)} votes with your power.")
    context.output.document({"delegate": show.address(delegate), "transaction": f"0x{receipt.transaction.hex()}"})

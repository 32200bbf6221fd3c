"""`flux wallet balance`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import find_address, own_address
from flux.cli.context import CommandContext


async def run(
    context: CommandContext,
    whose: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="A key's name, dev0…dev9, or an address; yours without it.")
    ] = None,
) -> None:
    """Show what an account holds."""
    async with context.client() as client:
        address = await own_address(context, client) if whose is None else find_address(context, whose)
        balance = await client.balance(address)
    context.output.line(f"{show.address(address)} holds {show.flux(balance)}.")
    context.output.document({"address": show.address(address), "balance": show.exact(balance)})

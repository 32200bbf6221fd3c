"""`flux dao power`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import find_address, own_address
from flux.cli.context import CommandContext
from flux.sdk.bindings.votes import Votes


async def run(
    context: CommandContext,
    who: Annotated[str | None, typer.Argument(metavar="ACCOUNT", help="Whose; yours by default.")] = None,
) -> None:
    """Show an account's voting power and what it comes from."""
    async with context.client() as client:
        owner = await own_address(context, client) if who is None else find_address(context, who)
        votes = Votes(client)
        holding, power, delegate = await asyncio.gather(
            votes.holding(owner), votes.get_votes(owner), votes.delegates(owner)
        )
    is_delegated = delegate != owner
    facts = [
        ("account", show.address(owner)),
        ("votes with", show.flux(power)),
        ("locked", show.flux(holding.locked)),
        ("of it deposits", show.flux(holding.held)),
        ("staked", show.flux(holding.bonded)),
        ("delegated to", show.address(delegate) if is_delegated else "itself"),
    ]
    context.output.facts(facts)
    context.output.document(
        {
            "account": show.address(owner),
            "votes": show.exact(power),
            "locked": show.exact(holding.locked),
            "held": show.exact(holding.held),
            "bonded": show.exact(holding.bonded),
            "delegate": show.address(delegate),
        }
    )

"""`flux node rewards`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import find_address, own_address
from flux.cli.context import CommandContext
from flux.cli.node.earnings import Earning, earnings
from flux.cli.node.staking import percent
from flux.cli.output import right
from flux.sdk.bindings.rewards import Rewards


async def run(
    context: CommandContext,
    whose: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="A key's name, dev0…dev9, or an address; yours without it.")
    ] = None,
) -> None:
    """Show what an account has earned on which nodes and not taken yet, and what the network has minted."""
    async with context.client() as client:
        account = await own_address(context, client) if whose is None else find_address(context, whose)
        found, emission = await asyncio.gather(earnings(client, account), Rewards(client).emission())
    context.output.table(
        [right("NODE"), right("STAKED"), right("TO CLAIM"), right("NODE EARNED"), right("NODE/day"), right("ANSWERED")],
        [
            (
                str(item.income.node),
                show.number(item.staked),
                show.number(item.claimable),
                show.number(item.income.earned),
                show.number(item.income.day),
                percent(item.income.availability // 100) if item.income.availability else "–",
            )
            for item in found
        ],
        "No stake on any node.",
    )
    context.output.line()
    context.output.line(
        f"Minted {show.flux(emission.minted)} of {show.flux(emission.budget)} that the schedule allowed so far."
    )
    context.output.document(
        {
            "account": show.address(account),
            "nodes": [_document(item) for item in found],
            "minted": show.exact(emission.minted),
            "budget": show.exact(emission.budget),
            "unearned": show.exact(emission.unearned),
        }
    )


def _document(item: Earning) -> dict[str, object]:
    return {
        "node": item.income.node,
        "staked": show.exact(item.staked),
        "claimable": show.exact(item.claimable),
        "node_earned": show.exact(item.income.earned),
        "node_day": show.exact(item.income.day),
        "availability_ppm": item.income.availability,
        "availability_epoch": item.income.availability_epoch,
    }

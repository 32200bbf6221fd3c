"""`flux node delegations`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import find_address, own_address
from flux.cli.context import CommandContext
from flux.cli.lookup import protocol_now
from flux.cli.output import right
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32
from flux.sdk.bindings.staking import Staking


async def run(
    context: CommandContext,
    whose: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="A key's name, dev0…dev9, or an address; yours without it.")
    ] = None,
) -> None:
    """List what an account has staked on which nodes, and what is on its way out."""
    async with context.client() as client:
        account = await own_address(context, client) if whose is None else find_address(context, whose)
        staking = Staking(client)
        held, leaving, power, now = await asyncio.gather(
            staking.delegations(account, NodeId(U32(1))),
            staking.unbondings(account),
            staking.power_of(account),
            protocol_now(client),
        )
    context.output.table(
        [right("NODE"), right("STAKED"), right("FIXED"), "UNTIL"],
        [
            (str(item.node), show.number(item.value), show.number(item.locked), _when(item.locked_until, now))
            for item in held
        ],
        "Nothing staked.",
    )
    if leaving:
        context.output.line()
        context.output.table(
            [right("NODE"), right("LEAVING"), "WITHDRAW"],
            [(str(item.node), show.number(item.amount), _when(item.ends, now) or "now") for item in leaving],
        )
    context.output.document(
        {
            "account": show.address(account),
            "voting_power": show.exact(power),
            "staked": [
                {
                    "node": item.node,
                    "amount": show.exact(item.value),
                    "locked": show.exact(item.locked),
                    "locked_until": item.locked_until,
                }
                for item in held
            ],
            "leaving": [
                {"node": item.node, "amount": show.exact(item.amount), "ends": item.ends, "ripe": item.ends <= now}
                for item in leaving
            ],
        }
    )


def _when(time: int, now: int) -> str:
    return f"in {show.duration(time - now)}" if time > now else ""

"""`flux app move`."""

import time
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.lookup import find_app, ordinal
from flux.cli.options import AppArgument, PatienceOption, WaitOption
from flux.cli.rollout import roll_out
from flux.sdk.bindings.market import Market


async def run(
    context: CommandContext,
    name: AppArgument,
    instance: Annotated[int, typer.Argument(min=0, metavar="INSTANCE", help="Its number, from 0.")],
    wait: WaitOption = True,
    patience: PatienceOption = 300,
) -> None:
    """Move an instance to another node. The node it leaves is not asked again for this app for a while."""
    begun = time.monotonic()
    async with context.client() as client:
        app = await find_app(client, name)
        signer = await context.signer(client)
        receipt = await Market(client).move(signer, app.id, ordinal(instance))
        await roll_out(context, client, signer, app.id, receipt, begun, patience if wait else None)

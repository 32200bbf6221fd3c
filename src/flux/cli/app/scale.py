"""`flux app scale`."""

import time
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument, PatienceOption, WaitOption
from flux.cli.rollout import roll_out
from flux.primitives.types import U16
from flux.sdk.bindings.apps import Apps


async def run(
    context: CommandContext,
    name: AppArgument,
    instances: Annotated[
        int, typer.Argument(metavar="INSTANCES", min=1, max=65535, help="How many instances should run.")
    ],
    wait: WaitOption = True,
    patience: PatienceOption = 300,
) -> None:
    """Change how many instances run. Those with the highest numbers go first."""
    begun = time.monotonic()
    async with context.client() as client:
        app = await find_app(client, name)
        signer = await context.signer(client)
        receipt = await Apps(client).scale(signer, app.id, U16(instances))
        await roll_out(context, client, signer, app.id, receipt, begun, patience if wait else None)

"""`flux app resume`."""

import time

from flux.cli.context import CommandContext
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument, PatienceOption, WaitOption
from flux.cli.rollout import roll_out
from flux.sdk.bindings.apps import Apps


async def run(
    context: CommandContext, name: AppArgument, wait: WaitOption = True, patience: PatienceOption = 300
) -> None:
    """Start a paused app again; it may be placed on other nodes than before."""
    begun = time.monotonic()
    async with context.client() as client:
        app = await find_app(client, name)
        signer = await context.signer(client)
        receipt = await Apps(client).resume(signer, app.id)
        await roll_out(context, client, signer, app.id, receipt, begun, patience if wait else None)

"""`flux app pause`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument
from flux.sdk.bindings.apps import Apps


async def run(context: CommandContext, name: AppArgument) -> None:
    """Stop all instances of an app. Volumes and the balance stay, and nothing is charged until it is resumed."""
    async with context.client() as client:
        app = await find_app(client, name)
        receipt = await Apps(client).pause(await context.signer(client), app.id)
    context.output.line(f"{app.name} is paused. Start it again with `flux app resume {app.name}`.")
    context.output.document({"app": app.id, "name": app.name, "transaction": f"0x{receipt.transaction.hex()}"})

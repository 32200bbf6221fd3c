"""`flux policy enforce`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument
from flux.sdk.bindings.policy import Policy


async def run(context: CommandContext, name: AppArgument) -> None:
    """Close an app that is denied, or runs a denied image, once its notice is over; anybody may.

    A denied app closes by itself; one that runs a denied image needs this.
    """
    async with context.client() as client:
        app = await find_app(client, name)
        receipt = await Policy(client).enforce(await context.signer(client), app.id)
    context.output.line(f"{app.name} is closed; what its deposit did not use went back to who paid it.")
    context.output.document({"app": app.id, "transaction": f"0x{receipt.transaction.hex()}"})

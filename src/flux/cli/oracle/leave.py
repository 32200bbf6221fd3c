"""`flux oracle leave`."""

from flux.cli.context import CommandContext
from flux.sdk.bindings.oracle import Oracle


async def run(context: CommandContext) -> None:
    """Stop feeding; the bond comes back by itself after a while."""
    async with context.client() as client:
        receipt = await Oracle(client).leave(await context.signer(client))
    context.output.line("Left; the bond comes back by itself.")
    context.output.document({"transaction": f"0x{receipt.transaction.hex()}"})

"""`flux validator unjail`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.options import NodeArgument
from flux.sdk.bindings.validators import Validators


async def run(context: CommandContext, node: NodeArgument) -> None:
    """Make a jailed node a candidate again. Start it and let it catch up first, or it is jailed again."""
    number = node_number(node)
    async with context.client() as client:
        receipt = await Validators(client).unjail(await context.signer(client), number)
    context.output.line(f"Node {number} is a candidate again; it gets a seat at the end of the period.")
    context.output.document({"node": number, "transaction": f"0x{receipt.transaction.hex()}"})

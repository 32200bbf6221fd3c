"""`flux node withdraw`."""

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.options import NodeArgument
from flux.contracts.nodes.types import StakeWithdrawn
from flux.sdk.bindings.nodes import Nodes


async def run(context: CommandContext, node: NodeArgument) -> None:
    """Take the stake of a node that has left."""
    number = node_number(node)
    async with context.client() as client:
        receipt = await Nodes(client).withdraw(await context.signer(client), number)
    amount = sum(event.amount for event in receipt.events() if isinstance(event, StakeWithdrawn))
    context.output.line(f"{show.flux(amount)} of node {number} are back with its operator.")
    context.output.document(
        {"node": number, "amount": show.exact(amount), "transaction": f"0x{receipt.transaction.hex()}"}
    )

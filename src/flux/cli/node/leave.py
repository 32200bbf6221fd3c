"""`flux node leave`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.options import NodeArgument
from flux.cli.words import status_word
from flux.contracts.nodes.types import NodeStatus
from flux.sdk.bindings.nodes import Nodes


async def run(context: CommandContext, node: NodeArgument) -> None:
    """Stop hosting: nothing new is placed here, and what runs moves away first. Keep the agent running until then."""
    number = node_number(node)
    async with context.client() as client:
        nodes = Nodes(client)
        receipt = await nodes.leave(await context.signer(client), number)
        record = await nodes.node(number)
    status = status_word("node", record.status)
    take = f"once its stake has unbonded, take it with `flux node withdraw {number}`"
    gone = record.status is NodeStatus.GONE
    context.output.line(
        f"Node {number} is gone: {take}." if gone else f"Node {number} is leaving, then its stake unbonds; {take}."
    )
    context.output.document({"node": number, "status": status, "transaction": f"0x{receipt.transaction.hex()}"})

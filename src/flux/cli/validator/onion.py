"""`flux validator onion`."""

from flux.agent.onion import OnionStore
from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.options import NodeArgument
from flux.cli.validator.on import FolderOption
from flux.primitives.types import U32
from flux.sdk.bindings.validators import Validators
from flux.services.home import FluxHome


async def run(context: CommandContext, node: NodeArgument, node_home: FolderOption = None) -> None:
    """Commit to a new hash onion. Needed only when the agent's folder was lost; the agent renews a used one itself."""
    number = node_number(node)
    onion = OnionStore(node_home or FluxHome(context.home).node).add()
    async with context.client() as client:
        signer = await context.signer(client)
        receipt = await Validators(client).set_onion(signer, number, onion.head, U32(onion.reveals))
    context.output.line(f"Node {number} reveals from its new onion in the next period.")
    context.output.document(
        {"node": number, "onion": f"0x{onion.head.hex()}", "transaction": f"0x{receipt.transaction.hex()}"}
    )

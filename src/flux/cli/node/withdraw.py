"""`flux node withdraw`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.node.staking import withdrawn
from flux.cli.options import NodeArgument


async def run(context: CommandContext, node: NodeArgument) -> None:
    """Take the stake that is through with unbonding: a delegator's, or an operator's."""
    async with context.client() as client:
        await withdrawn(client, context, node_number(node))

"""`flux node undelegate`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.node.staking import AmountOrAllArgument, amount_or_all, unstaked
from flux.cli.options import NodeArgument


async def run(context: CommandContext, node: NodeArgument, amount: AmountOrAllArgument) -> None:
    """Begin to take delegated stake out of a node. It stays slashable while it unbonds; then `flux node withdraw`."""
    async with context.client() as client:
        await unstaked(client, context, node_number(node), amount_or_all(amount))

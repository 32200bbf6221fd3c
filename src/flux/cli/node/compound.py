"""`flux node compound`."""

from flux.cli.context import CommandContext
from flux.cli.node.earnings import NodesArgument, take


async def run(context: CommandContext, node: NodesArgument) -> None:
    """Stake what you have earned on the same node instead of taking it."""
    await take(context, node, compound=True)

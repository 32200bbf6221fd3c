"""`flux node claim`."""

from flux.cli.context import CommandContext
from flux.cli.node.earnings import NodesArgument, take


async def run(context: CommandContext, node: NodesArgument) -> None:
    """Take what your stake on a node has earned, and as its operator the commission."""
    await take(context, node, compound=False)

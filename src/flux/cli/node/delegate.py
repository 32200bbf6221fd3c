"""`flux node delegate`."""

from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.node.staking import AmountArgument, staked
from flux.cli.options import NodeArgument
from flux.primitives.units import parse_flux


async def run(context: CommandContext, node: NodeArgument, amount: AmountArgument) -> None:
    """Stake FLUX on a node and share in its rewards, less its commission, and in its slashes.

    The operator never holds what you delegate. It comes back through `flux node undelegate`, some days later.
    """
    async with context.client() as client:
        await staked(client, context, node_number(node), parse_flux(amount))

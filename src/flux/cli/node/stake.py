"""`flux node stake`."""

from flux.cli.context import CommandContext
from flux.cli.errors import REFUSED, CliError
from flux.cli.lookup import node_number
from flux.cli.node.staking import AmountArgument, staked
from flux.cli.options import NodeArgument
from flux.primitives.units import parse_flux
from flux.sdk.bindings.staking import Staking


async def run(context: CommandContext, node: NodeArgument, amount: AmountArgument) -> None:
    """Add to the own stake of a node; the account that signs must be its operator. The tier follows."""
    number, value = node_number(node), parse_flux(amount)
    async with context.client() as client:
        signer, pool = await context.signer(client), await Staking(client).pool(number)
        if signer.address != pool.operator:
            raise CliError(
                f"only its operator has own stake on node {number}",
                f"sign as the operator with --account, or use `flux node delegate {number} {amount}`",
                REFUSED,
                "Unauthorized",
            )
        await staked(client, context, number, value)

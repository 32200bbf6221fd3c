"""`flux node commission`."""

from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.node.staking import basis_points, percent, transaction
from flux.cli.options import NodeArgument
from flux.contracts.staking.types import BasisPoints
from flux.primitives.types import U16
from flux.sdk.bindings.staking import Staking


async def run(
    context: CommandContext,
    node: NodeArgument,
    commission: Annotated[str, typer.Argument(metavar="PERCENT", help="For example 12.5.")],
) -> None:
    """Set what the operator keeps of its delegators' rewards. It moves slowly, so that they can react."""
    number, wanted = node_number(node), BasisPoints(U16(basis_points(commission)))
    async with context.client() as client:
        receipt = await Staking(client).set_commission(await context.signer(client), number, wanted)
    context.output.line(f"The commission of node {number} is {percent(wanted)}.")
    context.output.document({"node": number, "commission_percent": percent(wanted).rstrip("%"), **transaction(receipt)})

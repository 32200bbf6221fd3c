"""`flux node redelegate`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import node_number, protocol_now
from flux.cli.node.staking import AmountOrAllArgument, amount_or_all, only, transaction
from flux.cli.options import NodeArgument
from flux.contracts.staking.types import Redelegated
from flux.sdk.bindings.staking import Staking


async def run(
    context: CommandContext,
    node: NodeArgument,
    to: Annotated[str, typer.Argument(metavar="TO", help="Number of the node that it moves to.")],
    amount: AmountOrAllArgument,
) -> None:
    """Move stake to another node without waiting for it to unbond.

    It earns there at once, cannot leave for as long as unbonding takes, and pays meanwhile for the first
    node's faults.
    """
    source, target = node_number(node), node_number(to)
    async with context.client() as client:
        receipt = await Staking(client).redelegate(await context.signer(client), source, target, amount_or_all(amount))
        event: Redelegated = only(receipt.events(), Redelegated)
        wait = show.duration(event.until - await protocol_now(client))
    context.output.line(f"{show.flux(event.amount)} moved from node {source} to node {target}; fixed there for {wait}.")
    context.output.document(
        {
            "from": source,
            "to": target,
            "amount": show.exact(event.amount),
            "locked_until": event.until,
            **transaction(receipt),
        }
    )

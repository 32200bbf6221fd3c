"""What an account has earned on which nodes, and taking it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.node.staking import transaction
from flux.contracts.nodes.types import NodeId
from flux.contracts.rewards.types import NodeIncome, RewardsClaimed
from flux.primitives.types import NO_WEI, U32, Address, Wei
from flux.sdk.bindings.rewards import Rewards
from flux.sdk.bindings.staking import Staking
from flux.sdk.client import FluxClient
from flux.sdk.paging import all_pools

NodesArgument = Annotated[str, typer.Argument(metavar="NODE|all", help="Number of the node, or `all` of yours.")]


class Earning(NamedTuple):
    """What an account has of one node."""

    income: NodeIncome
    staked: Wei
    claimable: Wei


async def earnings(client: FluxClient, account: Address) -> list[Earning]:
    """Of every node that the account operates or has stake on, by number."""
    rewards, staking = Rewards(client), Staking(client)
    held = {item.node: item.value for item in await staking.delegations(account, NodeId(U32(1)))}
    operated = [pool.node for pool in await all_pools(client) if pool.operator == account]
    numbers = sorted({*held, *operated})
    incomes, due = await asyncio.gather(
        asyncio.gather(*(rewards.income(node) for node in numbers)),
        asyncio.gather(*(rewards.claimable(node, account) for node in numbers)),
    )
    return [Earning(income, held.get(income.node, NO_WEI), amount) for income, amount in zip(incomes, due, strict=True)]


async def take(context: CommandContext, which: str, *, compound: bool) -> None:
    """Claim or compound the rewards of one node, or of all on which something is due."""
    async with context.client() as client:
        signer = await context.signer(client)
        numbers = [node_number(which)] if which != "all" else await _due(client, signer.address)
        rewards = Rewards(client)
        taken = []
        for number in numbers:
            receipt = await (rewards.compound if compound else rewards.claim)(signer, number)
            (event,) = [event for event in receipt.events() if isinstance(event, RewardsClaimed)]
            context.output.line(
                f"{show.flux(event.amount)} of node {number} {'are staked on it' if compound else 'are yours'}."
            )
            taken.append({"node": number, "amount": show.exact(event.amount), **transaction(receipt)})
    if not taken:
        context.output.line("Nothing has been earned yet.")
    context.output.document(taken)


async def _due(client: FluxClient, account: Address) -> Sequence[NodeId]:
    return [item.income.node for item in await earnings(client, account) if item.claimable]

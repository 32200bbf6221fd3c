"""The second act on the same cloud: an epoch pays out, a delegation earns, a vote moves prices, a liar is caught."""

from typing import Any

from flux.contracts.apps.types import AppId
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import Address, Wei
from flux.primitives.units import format_flux, parse_flux
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.rewards import Rewards
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from tools.demonstration.liar import expose, lying_node, prosecute, see_slashed
from tools.demonstration.payout import Payout, pay_out
from tools.demonstration.stage import EPOCH, DemoFailed, Stage
from tools.demonstration.vote import Vote
from tools.demonstration.waiting import found

DELEGATOR = 7
"""Number of a development account."""
DELEGATED = "5000"
_PAID_SECONDS = 4.0 * EPOCH
"""An epoch, the one in which it is reported on, and as much again for a machine that is busy."""


async def play_economy(stage: Stage, app: AppId, name: str) -> tuple[dict[str, Any], list[Address]]:
    """Play the act; `app` still runs and is removed. Returns the figures and the accounts that came in.

    Raises DemoFailed for the first promise that does not hold.
    """
    say, vote = stage.say, Vote(stage)
    say("\n== The economy: an epoch is paid out")
    payout = await pay_out(stage, _PAID_SECONDS)
    say("\n== FLUX is delegated to a node")
    await vote.lock()
    node = _best(stage, payout)
    await stage.show("node", "delegate", str(node), DELEGATED, "--account", f"dev{DELEGATOR}")
    say("\n== A node joins that lies about its speed")
    async with lying_node(stage) as liar:
        say("\n== A vote is held")
        await vote.propose()
        say("\n== The liar is caught")
        case = await prosecute(stage, liar)
        await expose(stage, liar)
        slashed = await see_slashed(stage, case)
        agent = (await Nodes(stage.cloud.client).node(liar.id)).agent
    say("\n== The vote moved two prices")
    figures = await vote.see_effect()
    await vote.bill_at_new_fee(app, name)
    say("\n== What the delegation earned")
    earned = await _claim(stage, node)
    figures |= {"burned_of_the_liar": format_flux(slashed.burned)}
    figures |= {"minted_for_an_epoch": format_flux(payout.minted), "delegation_earned": format_flux(earned)}
    return figures, [agent]


def _best(stage: Stage, payout: Payout) -> NodeId:
    """Who earned most of those that are still there."""
    alive = [node.id for node in stage.cloud.nodes if node.pid is not None]
    return max(alive, key=lambda node: payout.paid[node].amount)


async def _claim(stage: Stage, node: NodeId) -> Wei:
    """Wait until the delegation has earned something and take it."""
    client, account = stage.cloud.client, development_key(DELEGATOR, LOCAL_CHAIN_ID).address
    rewards, name = Rewards(client), f"dev{DELEGATOR}"
    due = await found(lambda: rewards.claimable(node, account), _PAID_SECONDS, "the delegation earns", 0.2)
    stage.say(f"{format_flux(due)} FLUX are there to claim for {name} on node {node}")
    await stage.show("node", "rewards", name)
    before = await client.balance(account)
    (claimed,) = await stage.flux("node", "claim", str(node), "--account", name)
    amount = parse_flux(claimed["amount"])
    after = await client.balance(account)
    stage.say(f"claimed: {claimed['amount']} FLUX; the account has {format_flux(after)}, before {format_flux(before)}")
    if amount < due or after >= before + amount:
        raise DemoFailed("the claim did not pay what was due, less a fee")
    return amount

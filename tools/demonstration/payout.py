"""An epoch that was paid out: what could be minted for it, and what was."""

from collections.abc import Sequence
from dataclasses import dataclass

from flux.contracts import addresses
from flux.contracts.nodes.types import NodeId, Tier
from flux.contracts.rewards.types import PPM, EpochFunded, EpochSettled, NodeRewarded
from flux.primitives.types import U256, Wei
from flux.primitives.units import format_flux
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.rewards import Rewards
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from tools.demonstration.history import history
from tools.demonstration.stage import DemoFailed, Stage
from tools.demonstration.waiting import found

TIERS = (Tier.CUMULUS, Tier.NIMBUS, Tier.STRATUS)
_SETTLER = 9
"""A development account without any part in it; anybody may settle."""


@dataclass(frozen=True, slots=True)
class Payout:
    """One epoch."""

    funded: EpochFunded
    settled: EpochSettled
    paid: dict[NodeId, NodeRewarded]

    @property
    def minted(self) -> int:
        """Wei."""
        return sum(event.amount for event in self.paid.values())


async def pay_out(stage: Stage, seconds: float) -> Payout:
    """Wait for an epoch whose availability is known, have every node paid for it, say who got what and check it."""
    client, rewards = stage.cloud.client, Rewards(stage.cloud.client)
    epoch = await found(lambda: _last_settled(stage), seconds, "an epoch is paid out")
    for node in stage.cloud.nodes:
        await rewards.settle(development_key(_SETTLER, LOCAL_CHAIN_ID), node.id)
    past = [event for _, event in await history(client, addresses.REWARDS, epoch)]
    everything = [event for _, event in await history(client, addresses.REWARDS)]
    payout = Payout(
        next(event for event in past if isinstance(event, EpochFunded)),
        next(event for event in past if isinstance(event, EpochSettled)),
        {event.node: event for event in everything if isinstance(event, NodeRewarded) and event.epoch == epoch},
    )
    await _tell(stage, payout)
    return payout


async def _last_settled(stage: Stage) -> int | None:
    past = await history(stage.cloud.client, addresses.REWARDS)
    return max((event.epoch for _, event in past if isinstance(event, EpochSettled) and any(event.rates)), default=None)


async def _tell(stage: Stage, payout: Payout) -> None:
    client, say = stage.cloud.client, stage.say
    funded, settled = payout.funded, payout.settled
    emission = await Rewards(client).emission()
    stage.say(f"epoch {funded.epoch} could mint {format_flux(funded.hosts + funded.producers)} FLUX by the schedule:")
    say(f"  {format_flux(funded.producers)} for block producers, of which a chain made by one process has none")
    say(f"  {format_flux(funded.hosts)} for hosts, in three pools of 10 : 35 : 90")
    records = {node: await Nodes(client).node(node) for node in sorted(payout.paid)}
    for tier, share in zip(TIERS, _pools(funded.hosts), strict=True):
        members = [event for node, event in sorted(payout.paid.items()) if records[node].tier is tier]
        minted = sum(event.amount for event in members)
        say(f"  {tier.name.capitalize()}: {format_flux(minted)} minted of a pool of {format_flux(share)}")
        rate = settled.rates[tier - 1]
        for event in members:
            answered = event.amount * 100 / (rate * PPM)
            kept = f"of it {format_flux(event.commission)} commission, the rest to its stake"
            say(f"    node {event.node} answered {answered:.2f} % of its probes: {format_flux(event.amount)}, {kept}")
    say(f"  minted for it: {format_flux(payout.minted)} FLUX; a node gets at most its tier's stake in a year")
    say(f"  since the chain began: {format_flux(emission.minted)} minted of {format_flux(emission.budget)} allowed")
    if payout.minted + settled.unearned != funded.hosts:
        raise DemoFailed("what was minted for an epoch and what nobody earned is not its budget")
    if emission.minted > emission.budget:
        raise DemoFailed("more was minted than the schedule allows")
    silent = {node.id for node in stage.cloud.nodes if node.pid is not None} - set(payout.paid)
    if silent:
        raise DemoFailed(f"nodes {sorted(silent)} were there and earned nothing")


def _pools(hosts: Wei, weights: Sequence[int] = (10, 35, 90)) -> list[Wei]:
    return [Wei(U256(hosts * weight // sum(weights))) for weight in weights]

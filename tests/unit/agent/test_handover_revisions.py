"""Seeds go from node to node while an update comes in and turns back, on a real chain, though its tenant went away."""

from pathlib import Path

from flux.agent.handover import ChainPlacements, SeedHandover
from flux.agent.reports import ChainReporter
from flux.agent.source import ChainSource, HeadClock
from flux.contracts.apps.types import Revision, Update, encode_spec
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.types import FailReason, Lease, LeaseState
from flux.contracts.secrets.types import SealedSeed
from flux.primitives.types import U16, U32
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.secrets import Secrets
from flux.specs.private_half import encrypt, open_box, seal
from support.contract_lab import component, spec
from support.keeper_lab import PRIVATE, TENANT, KeeperLab, keeper_lab
from support.waiting import until

SECOND = Revision(U32(2))


async def waiting(lab: KeeperLab, revision: int) -> Lease:
    """The lease of a revision that is to start and has no seed."""

    async def found() -> list[Lease]:
        leases = [lease for lease in await lab.leases(LeaseState.ASSIGNED) if lease.revision == revision]
        return [lease for lease in leases if not await Secrets(lab.client).boxes(lease.id)]

    return (await until(found, 60, promise=lambda: f"a lease of revision {revision} waits for its seed"))[0]


async def hand_over(lab: KeeperLab, giver: Lease, to: Lease) -> bytes:
    """What the agent of one node does for the app's other leases; the seed that `to` got."""
    identity = lab.identity(giver.node)
    source = ChainSource(lab.client, giver.node, identity.seal_key, HeadClock())
    await source.desired()
    reporter = ChainReporter(lab.client, identity.signer, lab.folder)
    await SeedHandover(lab.client, giver.node, source, reporter).run_once(
        await Market(lab.client).leases_of_node(giver.node), (await lab.client.head()).number
    )
    (box,) = await Secrets(lab.client).boxes(to.id)
    return open_box(box, bytes(lab.identity(to.node).seal_key))


async def test_a_revision_gets_on_and_back_with_the_seeds_that_its_nodes_hold(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path, instances=2) as lab:
        lab.chain.skip(5)  # instances that ran before the update began are not taken for such as came with it
        ciphertext, seed = encrypt(PRIVATE)
        before = (await lab.client.head()).number
        newer = spec(component(cpu_milli=300), private=True, update=Update(monitor_seconds=0))
        await Apps(lab.client).update(TENANT, lab.app, U16(2), encode_spec(newer), ciphertext)
        first = await waiting(lab, SECOND)
        placements, head = ChainPlacements(lab.client), (await lab.client.head()).number
        assert await placements.placed(before + 1, head) == {lab.app}
        assert await placements.placed(head + 1, head + 1) == set()
        box = seal(seed, (await lab.node(first.node)).endpoint.seal_key)
        await Secrets(lab.client).seal(TENANT, lab.app, [SealedSeed(first.id, box)])

        next_one = await waiting(lab, SECOND)
        lab.chain.hold = True
        assert next_one.ordinal != first.ordinal
        assert await hand_over(lab, first, next_one) == seed

        for _ in range(2):
            failing = next(lease for lease in await lab.leases(LeaseState.ASSIGNED) if lease.revision == SECOND)
            await Market(lab.client).fail(lab.identity(failing.node).signer, failing.id, FailReason.START, "exit 1")
            if (await Market(lab.client).rollout(lab.app)).state is RolloutState.ROLLING:
                await waiting(lab, SECOND)
        assert (await Market(lab.client).rollout(lab.app)).state is RolloutState.ROLLING_BACK
        back = await waiting(lab, 1)
        assert back.ordinal == first.ordinal
        old = next(lease for lease in await lab.leases(LeaseState.RUNNING) if lease.revision == 1)
        assert await hand_over(lab, old, back) == lab.seed

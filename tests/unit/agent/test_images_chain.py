"""What an app that changes its revision may need, read from a real chain."""

from pathlib import Path

from flux.agent.image_keeper import ChainImageSource
from flux.agent.standby_keeper import ChainStandbySource
from flux.contracts.apps.types import Update, encode_spec
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.types import LeaseState
from flux.primitives.types import U16
from flux.runtime.types import ImageReference
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.specs.private_half import encrypt
from support.contract_lab import component, spec
from support.keeper_lab import PRIVATE, TENANT, keeper_lab

OTHER = "registry.test/other@sha256:" + "d" * 64


async def test_both_revisions_are_needed_until_an_update_is_over(tmp_path: Path) -> None:
    async with keeper_lab(tmp_path, instances=2) as lab:
        node = (await lab.leases(LeaseState.RUNNING))[0].node
        source = ChainImageSource(lab.client, ChainStandbySource(lab.client, node))
        assert await source.undecided([lab.app]) == set()
        assert await source.standby() == set()
        assert await source.block_time() == (await lab.client.head()).timestamp

        lab.chain.skip(5)
        ciphertext, _ = encrypt(PRIVATE)
        newer = spec(component(image=OTHER), private=True, update=Update(monitor_seconds=0))
        await Apps(lab.client).update(TENANT, lab.app, U16(2), encode_spec(newer), ciphertext)
        assert (await Market(lab.client).rollout(lab.app)).state is RolloutState.ROLLING
        assert await source.undecided([lab.app]) == {ImageReference(component().image), ImageReference(OTHER)}

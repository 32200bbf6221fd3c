"""What `make demo` shows, so that it cannot rot: two apps, a host that dies, bills, data that stays, the economy."""

from pathlib import Path

import pytest
from tools.demonstration.scenario import play
from tools.demonstration.stage import staged
from tools.ports import free_row, free_service_port

from flux.services.local_cloud import AGENT_PORT_STEP, CloudOptions

NODES = 5

pytestmark = [pytest.mark.e2e, pytest.mark.docker]


async def test_the_demonstration_holds_everything_it_promises(tmp_path: Path) -> None:
    said: list[str] = []
    options = CloudOptions(
        home=tmp_path / "cloud",
        nodes=NODES,
        rpc_port=free_service_port(),
        http_port=free_service_port(),
        agent_port=free_row(NODES * AGENT_PORT_STEP),
        container_port=21_000,
    )
    async with staged(tmp_path, options, said.append) as stage:
        figures = await play(stage)
    assert figures["failed"] <= 0.01 * figures["requests"]
    assert figures["recovery_seconds"] < 20
    told = "\n".join(said)
    assert "a replacement is placed" in told
    assert "the geo rules exclude its location" in told
    assert "the entry is still there" in told
    assert float(figures["minted_for_an_epoch"]) > 0
    assert float(figures["delegation_earned"]) > 0
    assert figures["fee_basis_points"] == 100
    assert float(figures["burned_of_the_liar"]) > 0
    assert "median of its committee: 0 events/s" in told
    assert told.count("FLUX held = minted − burned") == 2

"""An app comes back with its secret though every node that could read it is gone and the tenant sleeps."""

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.primitives.types import U32, U64
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from support.cloud_lab import CloudLab

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]
COMPOSE = """\
services:
  web:
    image: ${REGISTRY}/flux/busybox:1
    environment: {PASSWORD: hunter2}
    command: ["sh", "-c", "mkdir /tmp/www; echo $$PASSWORD on node $$FLUX_NODE > /tmp/www/index.html;
              exec httpd -fp 8080 -h /tmp/www"]
    ports: ["8080"]
    stop_grace_period: 1s
    deploy: {resources: {limits: {cpus: "0.2", memory: 16M}}}
x-flux: {http_port: 8080}
"""


async def test_an_app_outlives_all_its_nodes_and_then_half_of_its_keepers(lab: CloudLab) -> None:
    async with lab.deployed(lab.write("outlives.yaml", COMPOSE), "outlives") as made:
        (first,) = made["instances"]
        await lab.answers("outlives", f"hunter2 on node {first['node']}")
        app, revision = AppId(U64(made["app"])), Revision(U32(1))
        shared = (await Secrets(lab.client).keepers(app, revision)).shared
        keepers = [keeper.node for keeper in shared.keepers]
        assert (len(keepers), shared.threshold) == (4, 2)
        assert first["node"] not in keepers
        shutil.rmtree(lab.home / "seeds")

        async with dead(lab, [first["node"]]):
            page = await lab.answers("outlives", "hunter2 on node ")
            (moved,) = await lab.running(app)
            assert page.text.strip() == f"hunter2 on node {moved.node}"
            assert moved.node in keepers

        await lab.flux("app", "pause", "outlives")
        async with dead(lab, [keeper for keeper in keepers if keeper != moved.node][:2]) as gone:
            (resumed,) = (await lab.flux("app", "resume", "outlives"))["instances"]
            assert resumed["node"] not in gone
            await lab.answers("outlives", f"hunter2 on node {resumed['node']}")
        told = [event["sentence"] for event in (await lab.flux("app", "why", "outlives"))["timeline"]]
        assert any("keep shares of the seed of revision 1" in sentence for sentence in told)


@asynccontextmanager
async def dead(lab: CloudLab, numbers: Iterable[int]) -> AsyncIterator[list[int]]:
    """Hosts that are gone for as long as the block runs; afterwards they are active again."""
    gone = list(numbers)
    for number in gone:
        await lab.node(number).kill()
    try:
        yield gone
    finally:
        for number in gone:
            lab.node(number).start()

        async def all_active() -> bool:
            records = [await Nodes(lab.client).node(NodeId(U32(number))) for number in gone]
            return all(record.status is NodeStatus.ACTIVE for record in records)

        await lab.until(all_active, 60, "the hosts are back")

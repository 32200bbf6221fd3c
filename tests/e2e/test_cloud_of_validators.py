"""A whole cloud on four validators: it works as on one, and goes on serving while the chain cannot."""

from pathlib import Path

import aiohttp
import pytest
from tools.ports import free_row, free_service_port

from flux.services.local_cloud import AGENT_PORT_STEP, VALIDATOR_PORT_STEP, CloudOptions, LocalCloud
from support.command import run_command
from support.engine_fixture import busybox, engine, registry
from support.small_app import small_app
from support.waiting import holds, until

__all__ = ["busybox", "engine", "registry"]
pytestmark = [pytest.mark.e2e, pytest.mark.docker]
PATIENCE = 120.0
NODES, VALIDATORS = 2, 4


async def page(cloud: LocalCloud, app: str) -> str:
    """What the app answers through the ingress; empty when it does not."""
    headers = {"Host": f"{app}.flux.localhost"}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        try:
            async with session.get(f"http://127.0.0.1:{cloud.http_port}/", headers=headers) as answer:
                return await answer.text() if answer.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError):
            return ""


async def heights(cloud: LocalCloud) -> list[int]:
    """Of each validator that answers."""
    found = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for url in cloud.endpoints:
            try:
                body = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
                async with session.post(url, json=body) as answer:
                    found.append(int((await answer.json())["result"], 16))
            except (aiohttp.ClientError, TimeoutError):
                continue
    return found


async def test_a_cloud_on_four_validators_serves_through_the_chains_outage_and_works_on_after_it(
    tmp_path: Path, engine: str, registry: str, busybox: str
) -> None:
    options = CloudOptions(
        home=tmp_path / "cloud", nodes=NODES, rpc_port=free_row(VALIDATORS), http_port=free_service_port(),
        agent_port=free_row(NODES * AGENT_PORT_STEP), container_port=31_000, docker=engine, validators=VALIDATORS,
        p2p_port=free_row(VALIDATORS * VALIDATOR_PORT_STEP), ready_seconds=PATIENCE,
    )  # fmt: skip
    async with LocalCloud(options) as cloud:
        environment = {"FLUX_HOME": str(tmp_path), "FLUX_RPC": cloud.rpc, "DOCKER_HOST": engine, "REGISTRY": registry}

        async def flux(*arguments: str) -> None:
            finished = await run_command(*arguments, environment=environment, folder=tmp_path)
            assert finished.code == 0, finished

        async def until_answers() -> None:
            await until(lambda: page(cloud, "box"), PATIENCE)

        async def until_height(height: int, validators: int) -> None:
            async def is_reached() -> bool:
                return sum(found > height for found in await heights(cloud)) >= validators

            await until(is_reached, PATIENCE)

        (tmp_path / "compose.yaml").write_text(small_app())
        await flux("deploy", "compose.yaml", "--name", "box")
        await until_answers()

        # One of four is gone, the one that everybody asks first: the others go on, clients find them.
        await cloud.validators[0].kill()
        reached = max(await heights(cloud))
        await until_height(reached + 2, 3)
        await flux("app", "scale", "box", "2")

        # Two of four are gone: no block can come, and no container goes.
        await cloud.validators[1].kill()
        stuck = max(await heights(cloud))  # one block more may have got its votes before
        await holds(lambda: page(cloud, "box"), 2)
        assert max(await heights(cloud)) <= stuck + 1

        for index in (0, 1):
            cloud.validators[index] = cloud.start_validator(index)
        await until_height(stuck + 2, 4)
        await until_answers()
        await flux("app", "scale", "box", "1")
        await flux("app", "rm", "box", "--yes")

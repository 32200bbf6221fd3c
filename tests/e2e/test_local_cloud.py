"""`flux up`, `down` and `status` with real processes and real containers: starts, deaths, restarts, leftovers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tools.ports import free_row, free_service_port

from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32
from flux.runtime.docker.engine import DockerRuntime
from flux.runtime.labels import CHAIN, ChainName, chain_labels, node_labels
from flux.services.cloud_state import CloudState, find_state
from flux.services.errors import CloudRunning
from flux.services.home import FluxHome
from flux.services.local_cloud import AGENT_PORT_STEP, CloudOptions, LocalCloud, find_chain_name
from support.engine_fixture import busybox, engine, registry
from support.waiting import until

__all__ = ["busybox", "engine", "registry"]
pytestmark = [pytest.mark.e2e, pytest.mark.docker]
NODES = 2
COMPOSE = """\
services:
  web:
    image: {image}
    command:
      - sh
      - -c
      - echo started >> /data/starts; cp /data/starts /tmp/index.html; exec httpd -f -p 8080 -h /tmp
    ports: ["8080"]
    volumes: ["data:/data"]
    stop_grace_period: 1s
    deploy: {{resources: {{limits: {{cpus: "0.1", memory: 16M}}}}}}
volumes:
  data:
x-flux: {{http_port: 8080, instances: 1, volumes: {{data: 16M}}}}
"""


@dataclass(slots=True)
class Machine:
    """A user's machine: a FLUX_HOME, an engine, ports of its own."""

    home: Path
    docker: str
    rpc_port: int = field(default_factory=free_service_port)
    http_port: int = field(default_factory=free_service_port)
    agent_port: int = field(default_factory=lambda: free_row(NODES * AGENT_PORT_STEP))

    @property
    def options(self) -> CloudOptions:
        return CloudOptions(
            home=FluxHome(self.home).cloud.path, nodes=NODES, rpc_port=self.rpc_port, http_port=self.http_port,
            agent_port=self.agent_port, container_port=24_000, docker=self.docker,
        )  # fmt: skip

    @property
    def ports(self) -> list[str]:
        return [
            "--nodes", str(NODES), "--rpc-port", str(self.rpc_port), "--http-port", str(self.http_port),
            "--agent-port", str(self.agent_port), "--container-port", "24000",
        ]  # fmt: skip

    @property
    def state(self) -> CloudState:
        found = find_state(FluxHome(self.home).cloud)
        assert found is not None
        return found

    @property
    def labels(self) -> dict[str, str]:
        """Of everything that this machine's cloud has on the engine."""
        name = find_chain_name(FluxHome(self.home).cloud)
        assert name is not None
        return chain_labels(name)

    async def flux(self, *arguments: str, code: int = 0) -> Any:
        """The JSON document of a command, which must end with `code`."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = await process.communicate()
        assert process.returncode == code, (arguments, output.decode(), errors.decode())
        return json.loads(output)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "flux.cli.main", "--json", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        rpc = f"http://127.0.0.1:{self.rpc_port}"
        return {**os.environ, "FLUX_HOME": str(self.home), "FLUX_RPC": rpc, "DOCKER_HOST": self.docker}

    async def answers(self, app: str, seconds: float = 60) -> None:
        """Return once the app answers."""
        await until(lambda: self.page(app), seconds, lambda: f"{app} answers")

    async def page(self, app: str) -> str:
        """What the app answers through the ingress; empty while it does not."""
        headers = {"Host": f"{app}.flux.localhost"}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            try:
                async with session.get(f"http://127.0.0.1:{self.http_port}/", headers=headers) as answer:
                    return await answer.text() if answer.status == 200 else ""
            except (aiohttp.ClientError, TimeoutError):
                return ""


@pytest.fixture
def machine(tmp_path: Path, engine: str) -> Iterator[Machine]:
    made = Machine(tmp_path / "home", engine)
    yield made
    subprocess.run(made.command("down", "--purge"), env=made.environment, check=True, capture_output=True)


@asynccontextmanager
async def runtime_of(machine: Machine) -> AsyncIterator[DockerRuntime]:
    runtime = DockerRuntime(machine.docker)
    try:
        yield runtime
    finally:
        await runtime.close()


@contextmanager
def compose(machine: Machine, image: str) -> Iterator[str]:
    machine.home.mkdir(parents=True, exist_ok=True)
    file = machine.home / "compose.yaml"
    file.write_text(COMPOSE.format(image=image))
    yield str(file)


async def test_a_cloud_goes_on_where_it_was_stopped(machine: Machine, busybox: str) -> None:
    up = await machine.flux("up", "--detach", *machine.ports)
    assert up["nodes"] == [1, 2]
    assert (await machine.flux("up", "--detach", *machine.ports, code=1))["error"]["kind"] == "CloudRunning"
    with compose(machine, busybox) as file:
        made = await machine.flux("deploy", file, "--name", "box")
    assert made["url"] == f"http://box.flux.localhost:{machine.http_port}/"
    await machine.answers("box")
    assert (await machine.page("box")).split() == ["started"]
    labels = machine.labels
    height = (await machine.flux("status"))["chain"]["head"]
    assert await machine.flux("down") == {"stopped": True, "purged": False}
    assert (await machine.flux("status", code=4))["cloud"] is None
    async with runtime_of(machine) as runtime:
        assert await runtime.list_containers(labels) == []
        assert len(await runtime.list_volumes(labels)) == 1
        again = await machine.flux("up", "--detach", *machine.ports)
        assert again["nodes"] == [1, 2]
        assert (await machine.flux("status"))["chain"]["head"] >= height
        await machine.answers("box")
        assert (await machine.page("box")).split() == ["started", "started"], "its volume is still there"
        assert (await machine.flux("down", "--purge"))["purged"]
        assert await runtime.list_containers(labels) == []
        assert await runtime.list_volumes(labels) == []
    assert not FluxHome(machine.home).cloud.path.exists()


async def test_a_supervisor_that_was_killed_leaves_a_cloud_that_can_be_taken_up_or_stopped(machine: Machine) -> None:
    await machine.flux("up", "--detach", *machine.ports)
    before = machine.state
    os.kill(before.supervisor.pid, signal.SIGKILL)
    await until(lambda: not before.is_supervised)
    status = await machine.flux("status")
    assert not status["cloud"]["supervisor"]["alive"]
    assert all(process["alive"] for process in status["cloud"]["processes"])
    await machine.flux("up", "--detach", *machine.ports)
    assert not any(record.is_alive for record in before.processes)
    os.kill(machine.state.supervisor.pid, signal.SIGKILL)
    left = machine.state
    await machine.flux("down")
    assert not any(record.is_alive for record in left.processes)


async def test_ctrl_c_stops_everything_that_was_started(machine: Machine) -> None:
    process = await asyncio.create_subprocess_exec(
        *machine.command("up", *machine.ports), env=machine.environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    document = await process.stdout.readuntil(b"\n}\n")
    assert json.loads(document)["nodes"] == [1, 2]
    state = machine.state
    assert all(record.is_alive for record in state.processes)
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    assert not any(record.is_alive for record in state.processes)
    assert find_state(FluxHome(machine.home).cloud) is None


async def test_a_node_that_is_killed_leaves_no_container_and_its_app_moves(machine: Machine, busybox: str) -> None:
    async with LocalCloud(machine.options) as cloud, runtime_of(machine) as runtime:
        with pytest.raises(CloudRunning):
            await LocalCloud(machine.options).start()
        with compose(machine, busybox) as file:
            made = await machine.flux("deploy", file, "--name", "box")
        (instance,) = made["instances"]
        victim = next(node for node in cloud.nodes if node.id == instance["node"])
        pid = victim.pid
        await victim.kill()
        assert pid is not None
        assert victim.pid is None
        assert await runtime.list_containers(machine.labels) == []
        victim.start()
        assert victim.pid not in (None, pid)
        await machine.answers("box")


async def test_two_clouds_share_an_engine_and_touch_only_what_is_theirs(machine: Machine, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other", machine.docker)
    async with runtime_of(machine) as runtime, LocalCloud(machine.options) as cloud:
        async with LocalCloud(replace(other.options, container_port=26_000)) as second:
            assert cloud.name is not None
            assert second.name is not None
            assert cloud.name != second.name
            ours, theirs = volume_labels(cloud.name), volume_labels(second.name)
            for labels in (ours, theirs):
                await runtime.ensure_volume(f"flux-{labels[CHAIN]}-1-app1-0-data", labels, 16)
        assert (await other.flux("down", "--purge"))["purged"]
        assert await runtime.list_volumes(theirs) == []
        assert len(await runtime.list_volumes(ours)) == 1


def volume_labels(name: ChainName) -> dict[str, str]:
    return {**node_labels(name, NodeId(U32(1))), "flux.app": "1", "flux.ordinal": "0"}

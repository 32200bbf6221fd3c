"""The whole cloud with real Docker and Caddy: deploy → 200 from every instance, host killed → replacement serving."""

import asyncio
import shutil
import time
from collections.abc import Callable, Collection

import psutil
from tools.demonstration.load import Tally, steady_requests
from tools.demonstration.stage import Stage, staged
from tools.paths import STATE

from bench.measurement import Goal, Measurement, Report, Section
from flux.contracts.apps.types import AppId
from flux.primitives.types import U64
from flux.runtime.labels import APP
from flux.sdk.deployment import progress
from flux.services.local_cloud import CloudOptions
from flux.services.ports import free_port

RUNS = 5
FIRST_AGENT_PORT = 26127
FIRST_CONTAINER_PORT = 30_000
TIMEOUT = 60.0
METHOD = (
    "A local cloud: one chain process, five agents, Caddy, one Docker Engine, all on this machine; the app is "
    "examples/hello (two containers an instance, three instances), its images present. Deploy: from the start of the "
    "`flux deploy` process to the first 200 from each of the three instances through the ingress. Kill: `kill -9` of "
    "an agent and its containers, to the first 200 from the replacement, under 50 requests a second; the agent is "
    "started again before the next kill. Memory: resident, of the largest agent at the end."
)


def run(report: Report) -> Section:
    """Deploys, then kills."""
    return asyncio.run(_run(report))


async def _run(report: Report) -> Section:
    home = STATE / "bench-cloud"
    shutil.rmtree(home, ignore_errors=True)
    options = CloudOptions(
        home=home / "cloud", rpc_port=free_port(), http_port=free_port(), agent_port=FIRST_AGENT_PORT,
        container_port=FIRST_CONTAINER_PORT,
    )  # fmt: skip
    async with staged(home, options, report) as stage:
        await _deploy(stage, "warm")
        deploys = []
        for number in range(RUNS):
            report(f"cloud: deploy {number + 1} of {RUNS}")
            deploys.append(await _deploy(stage, f"hello-{number}"))
        await stage.flux("deploy", "examples/hello/compose.yaml", "--name", "victim")
        kills, failed = [], []
        for number in range(RUNS):
            report(f"cloud: kill {number + 1} of {RUNS}")
            seconds, share = await _kill(stage, "victim")
            kills.append(seconds)
            failed.append(share)
        memory = _agent_memory(stage)
    return Section(
        title="Deployment and failover",
        method=METHOD,
        measurements=(
            Measurement(
                what="`flux deploy` → 200 from all 3 instances", unit="s", values=tuple(deploys),
                goal=Goal(1.2, at_least=False), reference="Swarm 1.25 s, Nomad 1.27 s (one container an instance)",
            ),
            Measurement(
                what="host killed → replacement serving", unit="s", values=tuple(kills),
                goal=Goal(5.0, at_least=False), reference="Swarm 18.5 s, Nomad 18.7 s; Kubernetes 340 s",
            ),
            Measurement(what="requests failed while a host died", unit="%", values=tuple(failed)),
            Measurement(
                what="memory of the largest agent", unit="MiB", values=(memory,), goal=Goal(80, at_least=False),
                reference="Nomad client 84 MiB idle; k3s agent 275 MB",
            ),
        ),
    )  # fmt: skip


async def _deploy(stage: Stage, name: str) -> float:
    """Deploy under a name of its own, measure, remove."""
    begun = time.monotonic()
    deploying = asyncio.create_task(stage.flux("deploy", "examples/hello/compose.yaml", "--name", name))
    async with steady_requests(f"{stage.url(name)}/whoami", stage.host(name)) as tally:
        await _until(lambda: len(tally.answers) == 3, f"{name} answers from three instances")
    took = max(tally.first_at.values()) - begun
    app = (await deploying)["app"]
    await stage.flux("app", "rm", name, "--yes")
    await _gone(stage, app)
    return took


async def _kill(stage: Stage, name: str) -> tuple[float, float]:
    app = AppId(U64((await stage.flux("app", "show", name))["app"]))
    before = {lease.node for lease in (await progress(stage.cloud.client, app)).running}
    victim = next(node for node in stage.cloud.nodes if node.id in before)
    async with steady_requests(f"{stage.url(name)}/whoami", stage.host(name)) as tally:
        await _until(lambda: tally.made >= 50, "requests are made")
        killed = time.monotonic()
        await victim.kill()
        await _until(lambda: _newcomer(tally, before, killed) is not None, "a replacement serves")
        newcomer = _newcomer(tally, before, killed)
    assert newcomer is not None
    victim.start()
    await _recovered(stage, victim.id)
    return newcomer - killed, 100 * tally.failed / tally.made


def _newcomer(tally: Tally, before: Collection[int], since: float) -> float | None:
    """When the first node that had no instance answered after `since`."""
    times = [at for node, at in tally.first_at.items() if int(node) not in before and at > since]
    return min(times, default=None)


async def _recovered(stage: Stage, node: int) -> None:
    """Until the node is active again, so that the next kill finds the same fleet."""

    async def is_active() -> bool:
        nodes = await stage.flux("node", "ls")
        rows = nodes["nodes"] if isinstance(nodes, dict) else nodes
        return all(row["status"] == "active" for row in rows if row["node"] == node)

    deadline = time.monotonic() + TIMEOUT
    while not await is_active():
        assert time.monotonic() < deadline, f"node {node} did not become active again"
        await asyncio.sleep(0.2)


async def _gone(stage: Stage, app: int) -> None:
    """Until no container of the app is left."""
    deadline = time.monotonic() + TIMEOUT
    while await stage.cloud.runtime.list_containers({APP: str(app)}):
        assert time.monotonic() < deadline, "containers of a removed app stay"
        await asyncio.sleep(0.05)


async def _until(condition: Callable[[], bool], promise: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT:g} s: {promise}"
        await asyncio.sleep(0.01)


def _agent_memory(stage: Stage) -> float:
    pids = [node.pid for node in stage.cloud.nodes if node.pid is not None]
    return max(psutil.Process(pid).memory_info().rss for pid in pids) / 2**20

"""A whole local cloud: from `flux deploy` to answers, from a host's death to its replacement, what an agent costs.

Real processes, real containers on one Docker Engine, requests through the real ingress.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import psutil
from tools.demonstration.load import PACE, steady_requests
from tools.demonstration.stage import DemoFailed, Stage, staged
from tools.paths import STATE
from tools.ports import free_row

from bench.measurement import Goal, Measurement, Report, Section
from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import LeaseState
from flux.contracts.nodes.types import NodeStatus
from flux.primitives.types import U32, U64
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.probes import Probes
from flux.sdk.deployment import progress, runs
from flux.services.local_cloud import AGENT_PORT_STEP, CloudOptions
from flux.services.local_node import LocalNode
from flux.services.ports import free_port

HOME = STATE / "bench"
SERVICE = "bench/web.compose.yaml"
SMALL = "bench/small.compose.yaml"
TINY = "bench/tiny.compose.yaml"
HELLO = "examples/hello/compose.yaml"
NODES = 5
INSTANCES = 3
DEPLOYS = 5
KILLS = 5
HOSTED = 10
HOSTED_MANY = 100
IDLE_SECONDS = 20.0
CONTAINER_PORT = 28_000
_WAIT = 60.0
_WAIT_FOR_MANY = 300.0
FIRST = Revision(U32(1))

METHOD = (
    f"A local cloud: a chain process, {NODES} agents, an ingress with Caddy, on this machine and one Docker Engine; "
    "images are pulled before. Deploying: from the start of the `flux deploy` process (reading the file, asking the "
    "registry for digests, signing and waiting are in it) until every instance has answered 200 through the ingress, "
    f"asked every {PACE * 1000:.0f} ms by the one client process. Losing a host: an agent is killed and its containers "
    "are removed, as nobody else sees a machine die; from before that until an instance on another node has answered "
    "200 through the ingress; peers find the port closed, which is quicker than a time-out; the next is killed when "
    "this one is back, so that one is down at a time. The agent: one node with "
    f"{HOSTED} instances of {HOSTED} apps, then {HOSTED_MANY} of {HOSTED_MANY}, memory (RSS) and CPU of its "
    f"process over {IDLE_SECONDS:.0f} s in which nothing changes."
)


def run(report: Report) -> Section:
    """Deploys, kills, and one agent by itself."""
    measurements = asyncio.run(_run(report))
    return Section(title="A local cloud", method=METHOD, measurements=tuple(measurements))


async def _run(report: Report) -> list[Measurement]:
    async with _cloud(NODES, report) as stage:
        await _deploy(stage, SERVICE, "warm-up")
        await _deploy(stage, HELLO, "warm-up-2")
        one = [await _timed_deploy(stage, SERVICE, f"one-{number}", report) for number in range(DEPLOYS)]
        two = [await _timed_deploy(stage, HELLO, f"two-{number}", report) for number in range(DEPLOYS)]
        recoveries = await _kills(stage, report)
    async with _cloud(1, report) as stage:
        few, many = await _agent(stage, report)
    reference = "Swarm 1.25 s, Nomad 1.27 s"
    return [
        Measurement(
            what=f"deploy → 200 from all {INSTANCES} instances, one service",
            unit="s",
            values=tuple(one),
            goal=Goal(1.2, at_least=False),
            reference=reference,
        ),
        Measurement(
            what=f"deploy → 200 from all {INSTANCES} instances, two services, one waits for the other's health",
            unit="s",
            values=tuple(two),
            goal=Goal(1.2, at_least=False),
            reference=reference,
        ),
        Measurement(
            what="host killed → replacement serving",
            unit="s",
            values=tuple(recoveries),
            goal=Goal(5.0, at_least=False),
            reference="Swarm 18.5 s (48 s when the leader dies), Nomad 18.7 s; published: Kubernetes 340 s",
        ),
        Measurement(
            what=f"agent's memory with {HOSTED} instances",
            unit="MB",
            values=(few.memory,),
            goal=Goal(80, at_least=False),
            reference="Nomad client 84 MiB idle (+ 140 MiB of helpers per running task); k3s agent 275 MB",
        ),
        Measurement(
            what=f"agent's CPU, {HOSTED} instances, nothing changes", unit="% of a core", values=(few.processor,)
        ),
        Measurement(what=f"agent's memory with {HOSTED_MANY} instances", unit="MB", values=(many.memory,)),
        Measurement(
            what=f"agent's CPU, {HOSTED_MANY} instances, nothing changes", unit="% of a core", values=(many.processor,)
        ),
    ]


def _cloud(nodes: int, report: Report) -> AbstractAsyncContextManager[Stage]:
    """A new cloud."""
    shutil.rmtree(HOME, ignore_errors=True)
    options = CloudOptions(
        home=HOME / "cloud",
        nodes=nodes,
        rpc_port=free_port(),
        http_port=free_port(),
        agent_port=free_row(nodes, AGENT_PORT_STEP),
        container_port=CONTAINER_PORT,
    )
    return staged(HOME, options, lambda line: report(f"cloud: {line}"))


async def _deploy(stage: Stage, file: str, name: str, instances: int = INSTANCES) -> AppId:
    result = await stage.flux("deploy", file, "--name", name, "--instances", str(instances))
    return AppId(U64(result["app"]))


async def _timed_deploy(stage: Stage, file: str, name: str, report: Report) -> float:
    report(f"cloud: deploying {name}")
    async with steady_requests(f"{stage.url(name)}/whoami", stage.host(name)) as tally:
        started = time.monotonic()
        deploying = asyncio.create_task(_deploy(stage, file, name))
        await _until(lambda: len(tally.first_at) == INSTANCES, f"{INSTANCES} instances of {name} answer")
        took = max(tally.first_at.values()) - started
        await deploying
    await stage.flux("app", "rm", name, "--yes")
    return took


async def _kills(stage: Stage, report: Report) -> list[float]:
    """Kill a host of the app, again and again; the dead node comes back in between."""
    app = await _deploy(stage, SERVICE, "killed")
    recoveries = []
    for number in range(KILLS):
        report(f"cloud: kill {number + 1} of {KILLS}")
        hosts = {lease.node for lease in (await progress(stage.cloud.client, app)).running}
        victim = next(node for node in stage.cloud.nodes if node.id in hosts)
        recoveries.append(await _kill(stage, victim, {str(host) for host in hosts}))
        await _restore(stage, victim)
        await _until_async(lambda: _is_complete(stage, app), f"{INSTANCES} instances run")
    return recoveries


async def _kill(stage: Stage, victim: LocalNode, hosts: set[str]) -> float:
    """Seconds until a node that was not a host before answers."""
    async with steady_requests(f"{stage.url('killed')}/whoami", stage.host("killed")) as tally:
        await _until(lambda: tally.made >= 20, "requests are made")
        started = time.monotonic()
        await victim.kill()
        await _until(lambda: not tally.first_at.keys() <= hosts, "a replacement answers")
        return min(moment for node, moment in tally.first_at.items() if node not in hosts) - started


async def _restore(stage: Stage, node: LocalNode) -> None:
    node.start()
    await _until_async(lambda: _is_back(stage, node), f"node {node.id} is back")


@dataclass(frozen=True, slots=True)
class _Cost:
    """What an agent takes while nothing changes."""

    memory: float
    """Megabytes."""
    processor: float
    """Percent of a core."""


async def _agent(stage: Stage, report: Report) -> tuple[_Cost, _Cost]:
    """An agent that hosts ten instances, and the same one when it hosts a hundred."""
    for number in range(HOSTED):
        report(f"cloud: instance {number + 1} of {HOSTED} on one agent")
        await _deploy(stage, SMALL, f"hosted-{number}", 1)
    few = await _cost(stage, report)
    for number in range(HOSTED, HOSTED_MANY):
        report(f"cloud: instance {number + 1} of {HOSTED_MANY} on one agent")
        await stage.flux("deploy", TINY, "--name", f"hosted-{number}", "--no-wait")
    await _until_async(lambda: _hosts(stage, HOSTED_MANY), f"{HOSTED_MANY} instances run", _WAIT_FOR_MANY)
    return few, await _cost(stage, report)


async def _cost(stage: Stage, report: Report) -> _Cost:
    (node,) = stage.cloud.nodes
    assert node.pid is not None, "it hosts instances"
    process = psutil.Process(node.pid)
    report(f"cloud: watching an idle agent for {IDLE_SECONDS:.0f} s")
    before = process.cpu_times()
    await asyncio.sleep(IDLE_SECONDS)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    memory = sum(part.memory_info().rss for part in (process, *process.children(recursive=True)))
    return _Cost(memory / 1e6, used / IDLE_SECONDS * 100)


async def _hosts(stage: Stage, count: int) -> bool:
    """Whether the cloud's only node runs so many instances."""
    (node,) = stage.cloud.nodes
    leases = await Market(stage.cloud.client).leases_of_node(node.id)
    return sum(lease.state is LeaseState.RUNNING for lease in leases) == count


async def _is_back(stage: Stage, node: LocalNode) -> bool:
    """Whether instances can be placed on it: a node that died stays active for a while, and under suspicion for longer.

    A host that is killed while another is still down would have to wait for that one where no third is free.
    """
    client = stage.cloud.client
    record = await Nodes(client).node(node.id)
    return record.status is NodeStatus.ACTIVE and node.id not in await Probes(client).suspicions()


async def _is_complete(stage: Stage, app: AppId) -> bool:
    return runs(await progress(stage.cloud.client, app), FIRST, INSTANCES)


async def _until(condition: Callable[[], bool], promise: str) -> None:
    async def asked() -> bool:
        return condition()

    await _until_async(asked, promise)


async def _until_async(condition: Callable[[], Awaitable[bool]], promise: str, seconds: float = _WAIT) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise DemoFailed(f"not within {seconds:g} s: {promise}")
        await asyncio.sleep(0.01)

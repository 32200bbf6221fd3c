"""A node that claims to be fast without computing: what its committee makes of it, and what it costs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flux.contracts import addresses
from flux.contracts.benchmarks.types import Benchmark, BenchmarkReported
from flux.contracts.slashing.types import Case, CaseId, CaseState
from flux.primitives.types import U64
from flux.primitives.types import flux as whole
from flux.primitives.units import format_flux
from flux.sdk.bindings.benchmarks import Benchmarks
from flux.sdk.bindings.slashing import Slashing
from flux.sdk.bindings.staking import Staking
from flux.services.local_cloud import AGENT_PORT_STEP, CONTAINER_PORTS_PER_NODE
from flux.services.local_node import LocalNode, NodeSetting
from flux.services.local_places import place
from tools.demonstration.history import history
from tools.demonstration.stage import DemoFailed, Stage
from tools.demonstration.waiting import found

PROSECUTOR = "dev9"
STAKE = whole(2_000)
"""More than the lowest tier asks for, so that the slashed node stays and its committee can go on measuring it."""
_CAUGHT_SECONDS = 120.0
_APPEAL_SECONDS = 60.0


@asynccontextmanager
async def lying_node(stage: Stage) -> AsyncIterator[LocalNode]:
    """One node more, with a stake of its own, whose agent makes up what it should compute; ended at the end."""
    cloud, index = stage.cloud, len(stage.cloud.nodes)
    options = cloud.options
    first = options.container_port + index * CONTAINER_PORTS_PER_NODE
    setting = NodeSetting(
        index=index,
        home=cloud.home.node(index),
        log=cloud.home.log(f"node-{index + 1}"),
        place=replace(place(index), stake=STAKE),
        host=options.host,
        port=options.agent_port + AGENT_PORT_STEP * index,
        first_port=first,
        last_port=first + CONTAINER_PORTS_PER_NODE - 1,
        docker=options.docker,
    )
    node = LocalNode(setting, cloud.rpc, cloud.runtime, program="tools.demonstration.lying_agent")
    await node.register(cloud.client)
    node.start()
    stake = await Staking(cloud.client).stake_of(node.id)
    stage.say(f"node {node.id} joins with a stake of {format_flux(stake)} FLUX; its operator changed the agent:")
    stage.say("  asked to compute, it makes up the results at once, to seem infinitely fast")
    try:
        yield node
    finally:
        await node.stop()


async def expose(stage: Stage, node: LocalNode) -> Benchmark:
    """Wait until its committee's median is on record, and show it beside an honest node's. Raises DemoFailed."""
    client, benchmarks = stage.cloud.client, Benchmarks(stage.cloud.client)

    async def measured() -> Benchmark | None:
        benchmark = await benchmarks.benchmark(node.id)
        return benchmark if benchmark.reports else None

    benchmark = await found(measured, _CAUGHT_SECONDS, f"a committee has measured node {node.id}", 0.2)
    for _, event in await history(client, addresses.BENCHMARKS, node.id):
        if isinstance(event, BenchmarkReported):
            speed = event.measurement.cpu_events
            stage.say(f"  node {event.reporter} measured {speed} events/s on node {node.id} (0: the answer was false)")
    honest = [await benchmarks.benchmark(other.id) for other in stage.cloud.nodes]
    speeds = ", ".join(f"node {item.node} {item.median.cpu_events}" for item in honest if item.reports)
    stage.say(f"  median of its committee: {benchmark.median.cpu_events} events/s; of honest nodes: {speeds}")
    if benchmark.median.cpu_events or not any(item.median.cpu_events for item in honest):
        raise DemoFailed("the committee's median does not tell the liar from honest nodes")
    return benchmark


async def prosecute(stage: Stage, node: LocalNode) -> Case:
    """Wait for a committee member's evidence and send it to the chain. Raises DemoFailed."""

    async def evidence() -> Path | None:
        return _newest_evidence(stage, node)

    file = await found(evidence, _CAUGHT_SECONDS, f"a member of its committee catches node {node.id}", 0.2)
    stage.say(f"a member of its committee did one step of an answer again, and kept what node {node.id} signed:")
    stage.say(f"  {file.name}; anybody may prosecute with it, for a deposit")
    opened: dict[str, Any] = await stage.flux("jury", "prosecute", "--evidence", str(file), "--account", PROSECUTOR)
    await stage.show("jury", "ls")
    return await Slashing(stage.cloud.client).case(CaseId(U64(opened["case"])))


async def see_slashed(stage: Stage, case: Case) -> Case:
    """Wait until nobody has appealed in time; what was taken, and from whom. Raises DemoFailed."""
    slashing, staking = Slashing(stage.cloud.client), Staking(stage.cloud.client)

    async def over() -> Case | None:
        now = await slashing.case(case.id)
        return now if now.state in (CaseState.SLASHED, CaseState.DISMISSED) else None

    ended = await found(over, _APPEAL_SECONDS, "the time for an appeal is over", 0.2)
    stake = await staking.stake_of(case.node)
    reward = STAKE - stake - ended.burned
    stage.say(f"nobody appealed: case {case.id} is {ended.state.name.lower()}")
    stage.say(f"  node {case.node} had {format_flux(STAKE)} FLUX at stake and has {format_flux(stake)};")
    stage.say(f"  {format_flux(ended.burned)} are burned, {format_flux(reward)} are the reporter's")
    if ended.state is not CaseState.SLASHED or not ended.burned or reward <= 0:
        raise DemoFailed("the liar was not slashed")
    return ended


def _newest_evidence(stage: Stage, node: LocalNode) -> Path | None:
    """Of the latest epoch: the chain does not take old answers."""
    homes = [stage.cloud.home.node(index) / "node" for index in range(len(stage.cloud.nodes))]
    files = [file for home in homes for file in (home / "evidence").glob(f"node-{node.id}-epoch-*.json")]
    return max(files, key=lambda file: int(file.stem.rpartition("-")[2]), default=None)

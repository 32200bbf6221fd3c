"""A node that claims to be fast without computing, and what its committee makes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flux.contracts import addresses
from flux.contracts.benchmarks.types import Benchmark, BenchmarkReported
from flux.primitives.units import format_flux
from flux.sdk.bindings.benchmarks import Benchmarks
from flux.sdk.bindings.staking import Staking
from flux.services.local_cloud import AGENT_PORT_STEP, CONTAINER_PORTS_PER_NODE
from flux.services.local_node import LocalNode, NodeSetting
from flux.services.local_places import place
from tools.demonstration.history import history
from tools.demonstration.stage import DemoFailed, Stage
from tools.demonstration.waiting import found

_CAUGHT_SECONDS = 120.0


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
        place=place(index),
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

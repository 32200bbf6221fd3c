"""What a cloud costs while nothing happens: processor time of agents, transactions that nodes send by themselves."""

import asyncio
import shutil
from contextlib import AbstractAsyncContextManager

import psutil
from tools.demonstration.stage import EPOCH, Stage, staged
from tools.paths import STATE
from tools.ports import free_row

from bench.measurement import Goal, Measurement, Report, Section
from flux.primitives.hexadecimal import quantity
from flux.protocol.params import DEFAULT
from flux.sdk.client import FluxClient
from flux.services.local_cloud import AGENT_PORT_STEP, CloudOptions
from flux.services.ports import free_port

HOME = STATE / "bench-idle"
NODES = 5
CPU_SECONDS = 60.0
SETTLING = 10.0
"""Seconds after the start that are not measured: first readings, first connections."""
EPOCHS = 4
CONTAINER_PORT = 27_000
DAY_EPOCH = int(DEFAULT.probes.epoch)

METHOD = (
    f"A local cloud: a chain process, {NODES} agents, an ingress, no apps. Processor time: of each agent's process "
    f"over {CPU_SECONDS:.0f} s within an epoch; it probes the {NODES - 1} others each second and follows the chain. "
    f"Transactions: all that nodes sent in {EPOCHS} whole epochs of {EPOCH} s, by node and epoch; what a node sends by "
    f"itself it sends once an epoch (its report on its targets, measurements), so that by hour is this times "
    f"{3600 // DAY_EPOCH} with the protocol's default epoch of {DAY_EPOCH} s."
)


def run(report: Report) -> Section:
    """Two clouds: one to watch the processor, one to see epochs pass."""
    return Section(title="An idle cloud", method=METHOD, measurements=tuple(asyncio.run(_run(report))))


async def _run(report: Report) -> list[Measurement]:
    async with _cloud(report, DAY_EPOCH) as stage:
        processor = await _processor(stage, report)
    async with _cloud(report, EPOCH) as stage:
        sent = await _transactions(stage.cloud.client, report)
    per_hour = sent / NODES / EPOCHS * 3600 / DAY_EPOCH
    return [
        Measurement(
            what="idle agent's CPU", unit="% of a core", values=tuple(processor), goal=Goal(1.0, at_least=False)
        ),
        Measurement(
            what="transactions per node and hour when nothing happens", unit="", values=(per_hour,),
            goal=Goal(10, at_least=False),
        ),
    ]  # fmt: skip


def _cloud(report: Report, epoch: int) -> AbstractAsyncContextManager[Stage]:
    shutil.rmtree(HOME, ignore_errors=True)
    options = CloudOptions(
        home=HOME / "cloud", nodes=NODES, rpc_port=free_port(), http_port=free_port(),
        agent_port=free_row(NODES, AGENT_PORT_STEP), container_port=CONTAINER_PORT,
    )  # fmt: skip
    return staged(HOME, options, lambda line: report(f"idle: {line}"), epoch)


async def _processor(stage: Stage, report: Report) -> list[float]:
    """Percent of a core that each agent takes."""
    processes = [psutil.Process(node.pid) for node in stage.cloud.nodes if node.pid is not None]
    report(f"idle: watching {len(processes)} agents for {CPU_SECONDS:.0f} s")
    await asyncio.sleep(SETTLING)
    before = [process.cpu_times() for process in processes]
    await asyncio.sleep(CPU_SECONDS)
    after = [process.cpu_times() for process in processes]
    used = [new.user + new.system - old.user - old.system for old, new in zip(before, after, strict=True)]
    return [seconds / CPU_SECONDS * 100 for seconds in used]


async def _transactions(client: FluxClient, report: Report) -> int:
    """How many were sent in the epochs after the first."""
    await asyncio.sleep(EPOCH)
    first = (await client.head()).number
    for number in range(EPOCHS):
        report(f"idle: epoch {number + 1} of {EPOCHS}")
        await asyncio.sleep(EPOCH)
    last = (await client.head()).number
    blocks = await client.transport.batch(
        [("eth_getBlockByNumber", (quantity(block), False)) for block in range(first + 1, last + 1)]
    )
    # The last transaction of each block is the protocol's own.
    return sum(len(block["transactions"]) - 1 for block in blocks)

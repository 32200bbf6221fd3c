"""`flux node benchmark`."""

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flux.agent.challenges.prover import transfer_bytes
from flux.agent.challenges.tasks import SEED_BYTES, TransferTask
from flux.agent.hardware.benchmark import Benchmark, TierJudgement, TierThresholds, judge, measure
from flux.agent.identity import IdentityError, load
from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.output import Column, right
from flux.contracts.benchmarks.types import BenchmarksParams, TierBenchmark
from flux.contracts.nodes.types import Node, NodeStatus
from flux.protocol.params import DEFAULT
from flux.sdk.agent_api import AgentClient
from flux.sdk.bindings.benchmarks import Benchmarks
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError
from flux.sdk.paging import all_nodes
from flux.sdk.signer import Signer
from flux.services.home import FluxHome

MOST_PEERS = 5
PEER_SECONDS = 20.0
NAMES = ("Cumulus", "Nimbus", "Stratus")


async def run(
    context: CommandContext,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="On the disk that will hold containers; FLUX_HOME without it.")
    ] = None,
) -> None:
    """Measure this machine: processor, memory, disk, GPUs, network to peers; say which tier it reaches and why.

    The network is timed against nodes of the chain, which answer only a registered node: its keys lie in FLUX_HOME.
    Without a chain the thresholds are the main network's.
    """
    tiers, network, remark = await _ask_chain(context)
    place = (folder or context.home).absolute()
    measured = await asyncio.to_thread(measure, place, context.output.note, network)
    judgements = judge(measured, tiers)
    _draw(context, measured, judgements, remark)
    context.output.document(_document(measured, judgements))


async def _ask_chain(context: CommandContext) -> tuple[list[TierThresholds], float | None, str]:
    """What the tiers ask for, the network's speed, and why that was not measured."""
    try:
        async with context.client() as client:
            params = await Benchmarks(client).parameters()
            tiers = await _tiers(client, params)
            nodes = [node for node in await all_nodes(client) if node.status is NodeStatus.ACTIVE]
    except ClientError:
        return _main_network(), None, "no chain was reached"
    try:
        signer = load(FluxHome(context.home).node).signer
    except IdentityError:
        return tiers, None, "this machine has no node's keys (`flux node init`)"
    if not any(node.agent == signer.address for node in nodes):
        return tiers, None, "this machine is no active node"
    peers = [node for node in nodes if node.agent != signer.address]
    rates = await _rates(random.sample(peers, min(MOST_PEERS, len(peers))), signer, params.tasks.transfer_kib)
    return tiers, max(rates, default=None), "" if rates else "no peer answered"


async def _tiers(client: FluxClient, params: BenchmarksParams) -> list[TierThresholds]:
    answer: dict[str, Any] = await client.transport.request("flux_params")
    sizes = [
        [int(tier[name], 16) for name in ("cpuMilli", "memoryMib", "diskMib")] for tier in answer["nodes"]["tiers"]
    ]
    return [_thresholds(*parts) for parts in zip(NAMES, sizes, params.tiers, strict=True)]


def _main_network() -> list[TierThresholds]:
    sizes = [[tier.cpu_milli, tier.memory_mib, tier.disk_mib] for tier in DEFAULT.nodes.tiers]
    return [_thresholds(*parts) for parts in zip(NAMES, sizes, DEFAULT.benchmarks.tiers, strict=True)]


def _thresholds(name: str, size: Sequence[int], speed: TierBenchmark) -> TierThresholds:
    cpu_milli, memory, disk = size
    return TierThresholds(name, cpu_milli, memory, disk, speed.cpu_events, speed.disk_mib, speed.network_mbit)


async def _rates(peers: list[Node], signer: Signer, kib: int) -> list[float]:
    """Mbit/s from each peer that answered, one after the other so that they do not share the line."""
    found = []
    async with AgentClient() as agents:
        for peer in peers:
            task = TransferTask(os.urandom(SEED_BYTES))
            try:
                download = await agents.download(peer, signer, task.query(), PEER_SECONDS, kib * 1024)
            except ClientError:
                continue
            if download.body == transfer_bytes(task.seed, kib):
                found.append(download.bytes_per_second() * 8 / 1e6)
    return found


def _draw(context: CommandContext, measured: Benchmark, judgements: list[TierJudgement], remark: str) -> None:
    cpu, memory, disk, network = measured.cpu, measured.memory, measured.disk, measured.network_mbit_per_second
    latency = f"{disk.read_latency_us:,.0f} µs"
    cached = "" if disk.direct else "  (through the page cache: this file system cannot do otherwise)"
    rows = [
        ("CPU, one core", f"{cpu.single:,.0f} events/s"),
        (f"CPU, {show.count(cpu.cores, 'core')}", f"{cpu.all_cores:,.0f} events/s"),
        ("memory", f"{show.memory(memory.total_mib)}, {show.memory(memory.available_mib)} free"),
        ("memory copy", f"{memory.copy_mib_per_second:,.0f} MiB/s"),
        ("disk writing", f"{disk.write_mib_per_second:,.0f} MiB/s{cached}"),
        ("disk reading", f"{disk.read_mib_per_second:,.0f} MiB/s, {latency} for 4 KiB at random"),
        ("network", f"not measured: {remark}" if network is None else f"{network:,.0f} Mbit/s from the best peer"),
    ]
    for gpu in measured.gpus:
        speed = "CUDA does not run" if gpu.gflops is None else f"{gpu.gflops:,.0f} GFLOPS single precision"
        rows.append(("GPU", f"{gpu.model}, {show.memory(gpu.memory_mib)}, {speed}"))
    if not measured.gpus:
        rows.append(("GPU", "none"))
    context.output.table([Column("MEASURED"), right("RESULT")], rows)
    context.output.line()
    tiers = [(item.name, "no" if item.shortfalls else "yes", "; ".join(item.shortfalls)) for item in judgements]
    context.output.table(["TIER", "REACHED", Column("WHY NOT", wrap=True)], tiers)


def _document(measured: Benchmark, judgements: list[TierJudgement]) -> dict[str, Any]:
    reached = [item.name.lower() for item in judgements if not item.shortfalls]
    return {
        "cpu": {
            "cores": measured.cpu.cores,
            "single_events_per_second": measured.cpu.single,
            "all_events_per_second": measured.cpu.all_cores,
        },
        "memory": {
            "total_mib": measured.memory.total_mib,
            "available_mib": measured.memory.available_mib,
            "copy_mib_per_second": measured.memory.copy_mib_per_second,
        },
        "disk": {
            "write_mib_per_second": measured.disk.write_mib_per_second,
            "read_mib_per_second": measured.disk.read_mib_per_second,
            "read_latency_us": measured.disk.read_latency_us,
            "direct": measured.disk.direct,
        },
        "network_mbit_per_second": measured.network_mbit_per_second,
        "gpus": [{"model": gpu.model, "memory_mib": gpu.memory_mib, "gflops": gpu.gflops} for gpu in measured.gpus],
        "tier": reached[-1] if reached else "none",
        "tiers": {item.name.lower(): list(item.shortfalls) for item in judgements},
    }

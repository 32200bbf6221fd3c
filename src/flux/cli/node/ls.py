"""`flux node ls`."""

import asyncio
from typing import Annotated, Any

import typer

from flux.cli import format as show
from flux.cli import words
from flux.cli.context import CommandContext
from flux.cli.node.prices import ask_document, price_text
from flux.cli.output import Column, right
from flux.cli.verdicts import place
from flux.contracts.nodes.types import Node, NodeStatus
from flux.primitives.types import Wei
from flux.sdk.bindings.probes import Probes
from flux.sdk.paging import all_nodes, all_pools


async def run(
    context: CommandContext,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also nodes that are gone.")] = False,
) -> None:
    """List nodes: where they are, what they offer, what they ask."""
    async with context.client() as client:
        nodes, pools, suspected = await asyncio.gather(
            all_nodes(client), all_pools(client), Probes(client).suspicions()
        )
    staked = {pool.node: pool.stake for pool in pools}
    found = [node for node in nodes if everything or node.status is not NodeStatus.GONE]
    columns: list[Column | str] = [
        right("NODE"),
        "STATUS",
        "PLACE",
        "TIER",
        right("CORES"),
        right("MEMORY"),
        right("DISK"),
        right("STAKE"),
        right("CORE/h"),
        right("GiB/h"),
        "OPERATOR",
    ]
    context.output.table(
        columns, [_row(node, staked[node.id], suspected=node.id in suspected) for node in found], "No nodes."
    )
    context.output.document(
        [{**node_document(node, staked[node.id]), "suspected": node.id in suspected} for node in found]
    )


def _row(node: Node, staked: Wei, *, suspected: bool) -> tuple[str, ...]:
    hardware = node.hardware
    return (
        str(node.id),
        "suspected" if suspected else _status(node),
        place(node),
        words.tier(node.tier),
        show.cores(hardware.cpu_milli).split()[0],
        show.memory(hardware.memory_mib),
        show.memory(hardware.disk_mib),
        show.number(staked),
        price_text(node.ask.cpu, node.ask.currency),
        price_text(node.ask.memory, node.ask.currency),
        show.short_address(node.operator),
    )


def _status(node: Node) -> str:
    if node.drains_until and node.status is NodeStatus.ACTIVE:
        return "draining"
    return words.status_word("node", node.status)


def node_document(node: Node, staked: Wei) -> dict[str, Any]:
    """A node for scripts, with all that is staked on it."""
    hardware = node.hardware
    return {
        "node": node.id,
        "status": words.status_word("node", node.status),
        "status_reason": node.status_reason,
        "drains_until": node.drains_until or None,
        "tier": words.tier(node.tier).lower(),
        "operator": show.address(node.operator),
        "agent": show.address(node.agent),
        "stake": show.exact(staked),
        "place": place(node),
        "host": node.endpoint.host,
        "port": node.endpoint.port,
        "certificate": f"0x{node.endpoint.certificate.hex()}",
        "cpu_milli": hardware.cpu_milli,
        "memory_mib": hardware.memory_mib,
        "disk_mib": hardware.disk_mib,
        "architecture": words.architecture(hardware.architecture),
        "gpu": hardware.gpu_model or None,
        "gpu_count": hardware.gpu_count,
        "prices": ask_document(node.ask),
    }

"""`flux node show`."""

import asyncio
from collections.abc import Sequence
from typing import Any

from flux.cli import format as show
from flux.cli import words
from flux.cli.context import CommandContext
from flux.cli.dollars import exact, per_hour
from flux.cli.lookup import node_number, protocol_now
from flux.cli.node.ls import node_document
from flux.cli.node.prices import ask_text
from flux.cli.node.staking import own_stake, percent
from flux.cli.options import NodeArgument
from flux.cli.output import right
from flux.cli.verdicts import place
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, Usage
from flux.contracts.nodes.types import Node
from flux.contracts.staking.types import Pool
from flux.primitives.types import Wei
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.staking import Staking
from flux.sdk.client import FluxClient


async def run(context: CommandContext, node: NodeArgument) -> None:
    """Show a node: hardware and how much of it is used, prices, leases, what it has earned."""
    number = node_number(node)
    async with context.client() as client:
        market = Market(client)
        record, pool, leases, usage, earned, now = await asyncio.gather(
            Nodes(client).node(number),
            Staking(client).pool(number),
            market.leases_of_node(number),
            market.usage(number),
            Escrow(client).earned(number),
            protocol_now(client),
        )
        duties = await market.standby_duties(number)
        names = await _names(client, [*(lease.app for lease in leases), *(duty.app for duty in duties)])
    _draw(context, record, pool, usage, earned, now, sum(lease.rate for lease in leases))
    rows = [
        (
            str(lease.id),
            names[lease.app],
            str(lease.ordinal),
            words.status_word("lease", lease.state),
            per_hour(lease),
        )
        for lease in leases
    ]
    context.output.line()
    context.output.table([right("LEASE"), "APP", right("INSTANCE"), "STATE", right("PER HOUR")], rows, "No leases.")
    if duties:
        stands_by = [(names[duty.app], "ready" if duty.ready else "fetches the images") for duty in duties]
        context.output.line()
        context.output.table(["STANDS BY FOR", "STATE"], stands_by)
    standbys = [{"app": duty.app, "name": names[duty.app], "ready": duty.ready} for duty in duties]
    document = _document(record, pool, usage, earned, leases, names)
    context.output.document({**document, "stands_by": standbys})


async def _names(client: FluxClient, numbers: Sequence[AppId]) -> dict[int, str]:
    apps = Apps(client)
    records = await asyncio.gather(*(apps.app(number) for number in dict.fromkeys(numbers)))
    return {record.id: record.name for record in records}


def _draw(context: CommandContext, node: Node, pool: Pool, usage: Usage, earned: Wei, now: int, rate: int) -> None:
    hardware, ask = node.hardware, node.ask
    reason = f" ({node.status_reason})" if node.status_reason else ""
    since = show.duration(now - node.status_since)
    facts = [("drains", _drain_text(node, now))] if node.drains_until else []
    facts += [
        ("status", f"{words.status_word('node', node.status)}{reason} for {since}"),
        ("place", place(node)),
        ("tier", words.tier(node.tier)),
        ("stake", f"{show.flux(pool.stake)}, of it {show.flux(own_stake(pool))} the operator's own"),
        ("commission", percent(pool.commission)),
        ("operator", show.address(node.operator)),
        ("agent", f"{show.address(node.agent)} at {node.endpoint.host}:{node.endpoint.port}"),
        ("cpu", f"{show.cores(usage.cpu_milli)} of {show.cores(hardware.cpu_milli)} used"),
        ("memory", f"{show.memory(usage.memory_mib)} of {show.memory(hardware.memory_mib)} used"),
        ("disk", f"{show.memory(usage.disk_mib)} of {show.memory(hardware.disk_mib)} used"),
    ]
    if hardware.gpu_count:
        facts.append(("gpu", f"{usage.gpu_count} of {hardware.gpu_count} {hardware.gpu_model} used"))
    facts += [("asks per hour", f"{ask_text(ask)} ({ask.currency.name})"), ("earned so far", show.flux(earned))]
    facts.append(("earns now", f"{show.per_hour(rate)}, {show.per_month(rate)}"))
    context.output.facts(facts, f"node {node.id}")


def _drain_text(node: Node, now: int) -> str:
    left = node.drains_until - now
    end = f"what is left closes in {show.duration(left)}" if left > 0 else "its deadline is over"
    return f"takes nothing new, what runs moves away; {end}"


def _document(
    node: Node, pool: Pool, usage: Usage, earned: Wei, leases: list[Lease], names: dict[int, str]
) -> dict[str, Any]:
    return {
        **node_document(node, pool.stake),
        "own_stake": show.exact(own_stake(pool)),
        "commission_percent": percent(pool.commission).rstrip("%"),
        "used": {
            "cpu_milli": usage.cpu_milli,
            "memory_mib": usage.memory_mib,
            "disk_mib": usage.disk_mib,
            "gpu_count": usage.gpu_count,
        },
        "earned": show.exact(earned),
        "leases": [
            {
                "lease": lease.id,
                "app": lease.app,
                "name": names[lease.app],
                "instance": lease.ordinal,
                "state": words.status_word("lease", lease.state),
                "price_per_hour": show.exact(lease.rate * show.HOUR),
                "usd_per_hour": exact(lease.usd_rate * show.HOUR),
            }
            for lease in leases
        ],
    }

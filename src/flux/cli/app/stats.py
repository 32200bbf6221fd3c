"""`flux app stats`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli import usage
from flux.cli.context import CommandContext
from flux.cli.errors import UNREACHABLE, CliError
from flux.cli.lookup import find_app, nodes_by_id
from flux.cli.options import AppArgument
from flux.cli.output import Column, right
from flux.cli.usage import Instance, UsageReader
from flux.contracts.apps.types import App
from flux.sdk.agent_api import AgentClient
from flux.sdk.client import FluxClient
from flux.sdk.deployment import progress

_BETWEEN = 1.0
"""Seconds between the two readings that a rate needs."""
_COLUMNS: list[Column | str] = [
    right("INSTANCE"),
    right("NODE"),
    "COMPONENT",
    "HEALTH",
    right("CORES"),
    right("MEMORY"),
    right("LIMIT"),
    right("RECEIVED"),
    right("SENT"),
    right("READ"),
    right("WRITTEN"),
]


async def run(
    context: CommandContext,
    name: AppArgument,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again and again, until interrupted.")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.5, help="Seconds from one reading to the next.")] = 2.0,
) -> None:
    """Show what an app's containers use now: CPU, memory, network and disk, from the nodes that run them."""
    async with context.client() as client, AgentClient() as agents:
        app = await find_app(client, name)
        reader = UsageReader(agents, await context.signer(client))
        instances = await _read(client, reader, app)
        await asyncio.sleep(_BETWEEN)
        instances = await _read(client, reader, app)
        if instances and all(instance.error for instance in instances):
            raise CliError(f"no node of {app.name} answered: {instances[0].error}", f"see `flux app show {app.name}`",
                           UNREACHABLE)  # fmt: skip
        _show(context, app, instances, is_stream=watch)
        while watch:
            await asyncio.sleep(interval)
            context.output.line()
            _show(context, app, await _read(client, reader, app), is_stream=True)


async def _read(client: FluxClient, reader: UsageReader, app: App) -> list[Instance]:
    leases = sorted((await progress(client, app.id)).open, key=lambda lease: (lease.ordinal, lease.id))
    return await reader.read(leases, await nodes_by_id(client, {lease.node for lease in leases}))


def _show(context: CommandContext, app: App, instances: Sequence[Instance], *, is_stream: bool) -> None:
    document = {"app": app.id, "name": app.name, "instances": [usage.document(instance) for instance in instances]}
    if context.output.json and is_stream:
        context.output.item(document, "")
        return
    rows = [row for instance in instances for row in _rows(instance)]
    context.output.table(_COLUMNS, rows, f"No instance of {app.name} runs.")
    for instance in instances:
        if instance.error:
            context.output.line(f"instance {instance.lease.ordinal} on node {instance.lease.node}: {instance.error}")
    context.output.document(document)


def _rows(instance: Instance) -> list[tuple[str, ...]]:
    place = (str(instance.lease.ordinal), str(instance.lease.node))
    if not instance.components:
        return [(*place, "–", instance.health, *("–",) * 7)]
    return [
        (
            *place,
            item.name,
            item.health if item.health != "none" else item.state,
            "–" if item.cores is None else f"{item.cores:.2f}",
            *(
                show.size(int(item.counters[name])) if name in item.counters else "–"
                for name in (
                    "memory_bytes", "memory_limit_bytes", "received_bytes", "sent_bytes", "read_bytes", "written_bytes",
                )
            ),
        )
        for item in instance.components
    ]  # fmt: skip

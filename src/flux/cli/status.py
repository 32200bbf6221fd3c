"""`flux status`."""

import asyncio
from typing import Any

from flux.cli import format as show
from flux.cli.brake import document_of, find_brake
from flux.cli.context import CommandContext
from flux.cli.errors import UNREACHABLE
from flux.cli.output import Column, right
from flux.cli.words import status_word
from flux.contracts.apps.types import AppStatus
from flux.contracts.nodes.types import NodeStatus
from flux.sdk.client import FluxClient
from flux.sdk.errors import Unreachable
from flux.sdk.paging import all_apps, all_nodes, all_pools
from flux.services.cloud_state import CloudState, find_state
from flux.services.home import FluxHome


async def run(context: CommandContext) -> int:
    """Show the local cloud's processes, and the chain, nodes and apps behind --rpc.

    Exit code 4 when the chain does not answer.
    """
    state = find_state(FluxHome(context.home).cloud)
    document: dict[str, Any] = {"cloud": None if state is None else _cloud(state)}
    if state is not None:
        _show_cloud(context, state)
    try:
        async with context.client() as client:
            document["chain"] = await _chain(context, client)
    except Unreachable as error:
        document["chain"] = None
        context.output.line(f"The chain at {context.rpc} does not answer ({error.reason}). Start one with `flux up`.")
    context.output.document(document)
    return UNREACHABLE if document["chain"] is None else 0


def _cloud(state: CloudState) -> dict[str, Any]:
    return {
        "supervisor": {"pid": state.supervisor.pid, "alive": state.is_supervised},
        "ready": state.ready,
        "processes": [
            {"name": record.name, "pid": record.pid, "alive": record.is_alive, "log": record.log}
            for record in state.processes
        ],
    }


def _show_cloud(context: CommandContext, state: CloudState) -> None:
    rows = [
        (record.name, str(record.pid), "running" if record.is_alive else "ended", record.log)
        for record in (state.supervisor, *state.processes)
    ]
    context.output.table(["PROCESS", right("PID"), "STATE", Column("LOG", wrap=True)], rows)
    if not state.is_supervised:
        context.output.line("Its supervisor has ended: `flux up` takes up where it was, `flux down` cleans up.")
    context.output.line()


async def _chain(context: CommandContext, client: FluxClient) -> dict[str, Any]:
    info, nodes, apps, pools, brake = await asyncio.gather(
        client.transport.request("flux_chainInfo"),
        all_nodes(client),
        all_apps(client),
        all_pools(client),
        find_brake(client),
    )
    head = int(info["head"]["number"], 16)
    active = sum(node.status is NodeStatus.ACTIVE for node in nodes)
    here = [node for node in nodes if node.status is not NodeStatus.GONE]
    open_apps = [app for app in apps if app.status is not AppStatus.CLOSED]
    context.output.facts(
        [
            ("chain", f"{context.rpc}  id {int(info['chainId'], 16)}, block {head:,}, {info['engine']}"),
            ("nodes", f"{active} of {len(here)} active"),
            ("apps", ", ".join(f"{app.name} ({status_word('app', app.status)})" for app in open_apps) or "none"),
        ]
    )
    if brake is not None:
        context.output.line(f"\nCare: {brake.sentence}.")
    return {
        "rpc": context.rpc,
        "chain_id": int(info["chainId"], 16),
        "head": head,
        "nodes": [{"id": node.id, "status": status_word("node", node.status)} for node in here],
        "apps": [
            {"id": app.id, "name": app.name, "status": status_word("app", app.status), "instances": app.instances}
            for app in open_apps
        ],
        "brake": document_of(brake),
        "stake": show.exact(sum(pool.stake for pool in pools)),
    }

"""`flux app rebalance`."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.lookup import find_app, nodes_by_id
from flux.cli.options import AppArgument, PatienceOption
from flux.cli.output import Column, right
from flux.cli.rollout import await_running, begin
from flux.cli.verdicts import place
from flux.contracts.apps.types import App, decode_spec
from flux.contracts.market.types import Relocation
from flux.contracts.nodes.types import Node, NodeId
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.deployment import progress


async def run(
    context: CommandContext,
    name: AppArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move and what it saves.")] = False,
    patience: PatienceOption = 300,
) -> None:
    """Move instances to nodes that are cheaper today, one after the other: each old one ends when its new one runs.

    Nothing moves by itself because another node is cheaper. The first instance that does not start elsewhere ends it.
    """
    async with context.client() as client:
        app = await find_app(client, name)
        market = Market(client)
        found = await market.relocations(app.id)
        nodes = await nodes_by_id(client, {item.node for item in found} | {item.to for item in found})
        _draw(context, found, nodes, await _why_none(client, app))
        if found and not dry_run:
            signer = await context.signer(client)
            for item in found:
                receipt = await market.rebalance(signer, app.id, item.ordinal)
                await await_running(await begin(context, client, signer, app.id, receipt), patience)
                await _check_moved(client, app, item)
            context.output.line(f"Saved {show.per_hour(_saved(found))}.")
    context.output.document({"app": app.id, "name": app.name, "done": not dry_run, **_document(found)})


async def _check_moved(client: FluxClient, app: App, wanted: Relocation) -> None:
    """Raise CliError when the instance runs where it ran before."""
    if any(lease.id == wanted.lease for lease in (await progress(client, app.id)).running):
        raise CliError(
            f"instance {wanted.ordinal} did not start on node {wanted.to}; it runs on at node {wanted.node}",
            f"see why with `flux app why {app.name} {wanted.ordinal}`, then try again; that node is left out a while",
        )


async def _why_none(client: FluxClient, app: App) -> str:
    spec = decode_spec(await Apps(client).spec(app.id, app.revision))
    if spec.volumes:
        return "Nothing moves: its data stays with its volumes. Move one by hand with `flux app move`."
    return "No instance would be cheaper on another node."


def _saved(found: Sequence[Relocation]) -> int:
    return sum(item.rate - item.new_rate for item in found)


def _draw(context: CommandContext, found: Sequence[Relocation], nodes: dict[NodeId, Node], none: str) -> None:
    rows = [
        (
            str(item.ordinal),
            f"{item.node} ({place(nodes[item.node])})",
            f"{item.to} ({place(nodes[item.to])})",
            show.number(item.rate * show.HOUR),
            show.number(item.new_rate * show.HOUR),
        )
        for item in found
    ]
    columns: list[Column | str] = [right("INSTANCE"), "FROM NODE", "TO NODE", right("FLUX/h NOW"), right("THEN")]
    context.output.table(columns, rows, none)


def _document(found: Sequence[Relocation]) -> dict[str, Any]:
    return {
        "moves": [
            {
                "instance": item.ordinal,
                "lease": item.lease,
                "from": item.node,
                "to": item.to,
                "price_per_hour": show.exact(item.rate * show.HOUR),
                "new_price_per_hour": show.exact(item.new_rate * show.HOUR),
            }
            for item in found
        ],
        "saved_per_hour": show.exact(_saved(found) * show.HOUR),
    }

"""`flux node volumes ls`."""

import asyncio
import time
from dataclasses import dataclass

from flux.agent.identity import load
from flux.agent.quarantine import Moment, judge
from flux.agent.sightings import SightingStore
from flux.agent.volume_keeper import ChainQuarantineSource
from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.output import right
from flux.contracts.apps.types import AppId, UnknownApp
from flux.runtime.docker import DockerRuntime
from flux.runtime.labels import VolumeKey, chain_name, find_volume_owner, node_labels, short_volume_name
from flux.runtime.types import VolumeView
from flux.sdk.bindings.apps import Apps
from flux.sdk.client import FluxClient
from flux.sdk.errors import Refused
from flux.services.agent import find_node
from flux.services.home import FluxHome


@dataclass(frozen=True, slots=True)
class Row:
    """One volume and what becomes of it."""

    view: VolumeView
    owner: VolumeKey
    app: str
    closed_ago: int | None
    """Seconds since its lease ended; None while an open lease holds it."""
    deleted_in: int | None


async def run(context: CommandContext) -> None:
    """List the volumes on this machine: whose they are, and when those without a lease are deleted.

    Run it where the node's agent runs, as a user who may ask the Docker Engine.
    """
    identity = load(FluxHome(context.home).node)
    runtime = DockerRuntime(context.environment.get("DOCKER_HOST"))
    try:
        async with context.client() as client:
            node = (await find_node(client, identity)).id
            chain = chain_name(await client.chain_id(), await client.genesis())
            views = await runtime.list_volumes(node_labels(chain, node))
            rows = await _rows(client, views, SightingStore(identity.home))
    finally:
        await runtime.close()
    context.output.table(
        ["APP", right("INSTANCE"), "VOLUME", right("SIZE"), "LIMIT", "STATE", right("DELETED IN")],
        [_cells(row) for row in rows],
        "No volumes.",
    )
    context.output.document([_document(row) for row in rows])


async def _rows(client: FluxClient, views: list[VolumeView], store: SightingStore) -> list[Row]:
    source, notes = ChainQuarantineSource(client), store.load()
    chain_now, block_time, floor = await source.times()
    moment = Moment(chain_now, block_time, time.time(), 0.0, max(floor, notes.keep_seconds))
    owned = [(view, owner) for view in views if (owner := find_volume_owner(view.labels)) is not None]
    apps = sorted({owner.app for _, owner in owned})
    leases = dict(zip(apps, await asyncio.gather(*(source.leases_of_app(app) for app in apps)), strict=True))
    names = dict(zip(apps, await asyncio.gather(*(_name(client, app) for app in apps)), strict=True))
    rows = []
    for view, owner in owned:
        verdict = judge(owner, leases[owner.app], notes.volumes.get(view.name), moment)
        sighting, delete_at = verdict.sighting, verdict.delete_at(moment.grace)
        closed_ago = None if sighting is None else max(0, chain_now - sighting.closed_at)
        deleted_in = None if delete_at is None else max(0, delete_at - chain_now)
        rows.append(Row(view, owner, names[owner.app], closed_ago, deleted_in))
    return rows


async def _name(client: FluxClient, app: AppId) -> str:
    """Of an app; the chain may not know it any more."""
    try:
        return (await Apps(client).app(app)).name
    except Refused as refused:
        if isinstance(refused.revert, UnknownApp):
            return ""
        raise


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.app} ({row.owner.app})",
        str(row.owner.ordinal),
        short_volume_name(row.view.name),
        show.memory(row.view.size_mib),
        "enforced" if row.view.limited else "only counted",
        "in use" if row.closed_ago is None else f"its lease ended {show.duration(row.closed_ago)} ago",
        "-" if row.deleted_in is None else show.duration(row.deleted_in),
    )


def _document(row: Row) -> dict[str, object]:
    return {
        "name": row.view.name,
        "app": row.owner.app,
        "app_name": row.app,
        "instance": row.owner.ordinal,
        "volume": short_volume_name(row.view.name),
        "size_mib": row.view.size_mib,
        "enforced": row.view.limited,
        "in_use": row.closed_ago is None,
        "closed_seconds_ago": row.closed_ago,
        "deleted_in_seconds": row.deleted_in,
    }

"""`flux app show`."""

import asyncio
from typing import Any

from flux.cli import format as show
from flux.cli.addresses import app_url, endpoints
from flux.cli.context import CommandContext
from flux.cli.dollars import amount, exact, per_hour
from flux.cli.keepers import keepers_document, keepers_sentence
from flux.cli.lookup import find_app, nodes_by_id, protocol_now
from flux.cli.options import AppArgument
from flux.cli.output import Column, right
from flux.cli.verdicts import place
from flux.cli.words import close_reason, status_word
from flux.contracts.apps.types import App, AppSpec, AppStatus, decode_spec
from flux.contracts.escrow.types import EscrowBalance
from flux.contracts.market.rollout_types import Rollout, RolloutState
from flux.contracts.market.standby_types import Standby
from flux.contracts.market.types import Lease, LeaseState
from flux.contracts.nodes.types import Node
from flux.contracts.secrets.types import Sharing
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.deployment import Progress, progress
from flux.sdk.errors import Refused


async def run(context: CommandContext, name: AppArgument) -> None:
    """Show an app: what runs where, under which addresses, what it costs and how long the balance lasts."""
    async with context.client() as client:
        app = await find_app(client, name)
        spec, state, balance, now, sharing = await asyncio.gather(
            Apps(client).spec(app.id, app.revision),
            progress(client, app.id),
            _balance(client, app),
            protocol_now(client),
            _sharing(client, app),
        )
        nodes = await nodes_by_id(client, {lease.node for lease in state.leases})
        rollout, revisions, standbys = await asyncio.gather(
            Market(client).rollout(app.id), Apps(client).revisions(app.id), Market(client).standbys(app.id)
        )
    decoded = decode_spec(spec)
    lasts = balance.depletes_at - now if balance is not None and balance.depletes_at else None
    url = app_url(context, app.name, decoded) if app.status is not AppStatus.CLOSED else None
    _draw_facts(context, app, decoded, balance, lasts, url, sharing)
    if rollout.state is not RolloutState.NONE:
        context.output.facts([("rollout", rollout_sentence(rollout))])
    rows = [_row(lease, nodes[lease.node], now) for lease in _ordered(state)]
    rows += [
        (str(item.ordinal), "", "", "waits for a node", show.duration(now - item.since), "", "")
        for item in state.pending
    ]
    columns: list[Column | str] = [
        right("INSTANCE"),
        right("NODE"),
        "PLACE",
        "STATE",
        "SINCE",
        right("PER HOUR"),
        Column("PORTS", wrap=True),
    ]
    context.output.line()
    context.output.table(columns, rows, "No instances.")
    closed = [lease for lease in state.leases if lease.state is LeaseState.CLOSED][:5]
    if closed:
        context.output.line()
        ended = [
            (str(lease.ordinal), str(lease.node), show.duration(now - lease.closed_at), _ending(lease))
            for lease in closed
        ]
        context.output.table([right("WAS"), right("NODE"), "AGO", Column("ENDED BECAUSE", wrap=True)], ended)
    if decoded.standby and app.status is AppStatus.ACTIVE:
        context.output.line()
        _draw_standbys(context, standbys, decoded.standby, now)
    if len(revisions) > 1:
        context.output.line()
        kept = [
            (str(item.revision), show.duration(now - item.created_at), "yes" if item.revision == app.revision else "")
            for item in reversed(revisions)
        ]
        context.output.table([right("REVISION"), right("AGO"), "CURRENT"], kept)
    document = {
        **_document(app, decoded, state, nodes, balance, lasts, url),
        "rollout": rollout_document(rollout),
        "standby": {"wanted": decoded.standby, "nodes": [standby_document(item) for item in standbys]},
        "revisions": [{"revision": item.revision, "created_at": item.created_at} for item in revisions],
    }
    context.output.document({**document, "keepers": None if sharing is None else keepers_document(sharing)})


def _draw_standbys(context: CommandContext, standbys: list[Standby], wanted: int, now: int) -> None:
    rows = [
        (
            str(item.node),
            "ready" if item.ready_at else "fetches the images",
            show.duration(now - (item.ready_at or item.since)),
            per_hour(item),
        )
        for item in standbys
    ]
    context.output.table([right("STANDS BY"), "STATE", "SINCE", right("PER HOUR")], rows, "No node stands by.")
    if len(standbys) < wanted:
        context.output.line(f"{show.count(wanted, 'node')} should stand by; others are looked for.")


def standby_document(item: Standby) -> dict[str, Any]:
    """A node that stands by, for scripts."""
    return {
        "node": item.node,
        "revision": item.revision,
        "ready": bool(item.ready_at),
        "ready_at": item.ready_at or None,
        "since": item.since,
        "price_per_hour": show.exact(item.rate * show.HOUR),
        "usd_per_hour": exact(item.usd_rate * show.HOUR),
    }


def rollout_sentence(rollout: Rollout) -> str:
    """How the last change of revision stands, for people."""
    words = {
        RolloutState.ROLLING: f"to revision {rollout.target}, {rollout.steps} came so far",
        RolloutState.ROLLING_BACK: f"to revision {rollout.target} failed, going back to {rollout.source}",
        RolloutState.DONE: f"to revision {rollout.target} is done",
        RolloutState.FAILED: f"to revision {rollout.target} failed",
        RolloutState.PAUSED: f"to revision {rollout.target} is paused",
    }.get(rollout.state, "none")
    return f"{words}: {rollout.reason}" if rollout.reason else words


def rollout_document(rollout: Rollout) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "state": rollout.state.name.lower(),
        "from": rollout.source or None,
        "to": rollout.target or None,
        "steps": rollout.steps,
        "failures": rollout.failures,
        "started_at": rollout.started_at or None,
        "turned_at": rollout.turned_at or None,
        "ended_at": rollout.ended_at or None,
        "reason": rollout.reason,
    }


async def _balance(client: FluxClient, app: App) -> EscrowBalance | None:
    """None once the account is closed."""
    try:
        return await Escrow(client).balance(app.id)
    except Refused:
        return None


async def _sharing(client: FluxClient, app: App) -> Sharing | None:
    """None without a private half, and once the app is closed."""
    try:
        return await Secrets(client).sharing(app.id, app.revision)
    except Refused:
        return None


def _draw_facts(
    context: CommandContext,
    app: App,
    spec: AppSpec,
    balance: EscrowBalance | None,
    lasts: int | None,
    url: str | None,
    sharing: Sharing | None,
) -> None:
    facts = [
        (
            "status",
            f"{status_word('app', app.status)}, revision {app.revision}, {show.count(app.instances, 'instance')}",
        ),
        ("owner", show.address(app.owner)),
    ]
    facts += [("url", url)] if url else []
    if balance is not None:
        until = "" if lasts is None else f", lasts {show.duration(lasts)}"
        facts += [
            ("price", f"{show.per_hour(balance.rate)}, {show.per_month(balance.rate)}{_in_dollars(balance)}"),
            ("balance", f"{show.flux(balance.balance)}{until}; spent so far {show.flux(balance.spent)}"),
        ]
    facts += [] if sharing is None else [("keepers", keepers_sentence(sharing))]
    rules = spec.constraints.geo
    facts += [("only where", " ".join(rules))] if rules else []
    facts += [(component.name, component.image) for component in spec.components]
    context.output.facts(facts, f"{app.name} (app {app.id})")


def _in_dollars(balance: EscrowBalance) -> str:
    """How much of a price is a rate in dollars, and whether FLUX has a price at all."""
    if not balance.usd_rate:
        return ""
    said = f"; of it {amount(balance.usd_rate * show.HOUR)}/h in dollars, at the price of FLUX of each moment"
    return said + (" (frozen: too few feeders report, the last price holds)" if balance.frozen else "")


def _ordered(state: Progress) -> list[Lease]:
    return sorted(state.open, key=lambda lease: (lease.ordinal, lease.id))


def _row(lease: Lease, node: Node, now: int) -> tuple[str, ...]:
    since = lease.running_at if lease.state is LeaseState.RUNNING else lease.assigned_at
    return (
        str(lease.ordinal),
        str(lease.node),
        place(node),
        status_word("lease", lease.state),
        show.duration(now - since),
        per_hour(lease),
        ", ".join(endpoints(lease, node)) or "–",
    )


def _ending(lease: Lease) -> str:
    return close_reason(lease.reason) + (f": {lease.detail}" if lease.detail else "")


def _document(
    app: App,
    spec: AppSpec,
    state: Progress,
    nodes: dict[Any, Node],
    balance: EscrowBalance | None,
    lasts: int | None,
    url: str | None,
) -> dict[str, Any]:
    return {
        "app": app.id,
        "name": app.name,
        "owner": show.address(app.owner),
        "status": status_word("app", app.status),
        "revision": app.revision,
        "instances": app.instances,
        "url": url,
        "images": {component.name: component.image for component in spec.components},
        "leases": [lease_document(lease, nodes[lease.node]) for lease in state.leases],
        "pending": [{"instance": item.ordinal, "since": item.since} for item in state.pending],
        "price_per_hour": None if balance is None else show.exact(balance.rate * show.HOUR),
        "usd_per_hour": None if balance is None else exact(balance.usd_rate * show.HOUR),
        "usd_price_frozen": None if balance is None else balance.frozen,
        "balance": None if balance is None else show.exact(balance.balance),
        "spent": None if balance is None else show.exact(balance.spent),
        "balance_lasts_seconds": lasts,
    }


def lease_document(lease: Lease, node: Node) -> dict[str, Any]:
    """A lease for scripts."""
    return {
        "lease": lease.id,
        "instance": lease.ordinal,
        "revision": lease.revision,
        "node": lease.node,
        "place": place(node),
        "state": status_word("lease", lease.state),
        "price_per_hour": show.exact(lease.rate * show.HOUR),
        "usd_per_hour": exact(lease.usd_rate * show.HOUR),
        "assigned_at": lease.assigned_at,
        "running_at": lease.running_at or None,
        "closed_at": lease.closed_at or None,
        "reason": lease.reason.name.lower() if lease.state is LeaseState.CLOSED else None,
        "detail": lease.detail,
        "endpoints": endpoints(lease, node),
    }

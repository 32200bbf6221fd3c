"""`flux app why`."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from flux.cli import costs
from flux.cli import format as show
from flux.cli import verdicts as verdict_table
from flux.cli.app.events import event_document
from flux.cli.brake import HeldBrake, document_of, find_brake
from flux.cli.context import CommandContext
from flux.cli.lookup import find_app
from flux.cli.options import AppArgument
from flux.cli.story import Story, Told
from flux.cli.verdicts import place
from flux.contracts.apps.types import App, AppStatus
from flux.contracts.escrow.types import EscrowBalance, HostPaid
from flux.contracts.market.standby_types import StandbyUsed
from flux.contracts.market.types import Lease, LeaseAssigned, LeaseState, Verdict, VolumesKept
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.secrets.types import SeedSealed
from flux.primitives.hexadecimal import quantity
from flux.primitives.types import U16, U32
from flux.sdk import paging
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.deployment import Progress, progress
from flux.sdk.errors import ClientError, Refused
from flux.sdk.history import Happened, app_history

_SHOWN = 1_000
"""Nodes looked at when a placement is explained afterwards."""
_VERBS = {
    LeaseState.ASSIGNED: "starts",
    LeaseState.RUNNING: "runs",
    LeaseState.STALLED: "waits unbilled to be started again",
}


async def run(
    context: CommandContext,
    name: AppArgument,
    instance: Annotated[int | None, typer.Argument(min=0, metavar="INSTANCE", help="Only this one.")] = None,
) -> None:
    """Explain an app: why each instance is where it is, what happened to it, why each node was or was not chosen, what
    it cost."""
    async with context.client() as client:
        app = await find_app(client, name)
        state, history, nodes, balance, brake = await asyncio.gather(
            progress(client, app.id),
            app_history(client, app.id),
            _nodes(client),
            _balance(client, app),
            find_brake(client),
        )
        told = Story(nodes).tell(history)
        choices = await _choices(client, app, state, history, nodes)
        verdicts = [] if app.status is AppStatus.CLOSED else await paging.explain(client, app.id)
    about = [
        item for item in told if instance in (None, item.ordinal) and not isinstance(item.happened.event, SeedSealed)
    ]
    if brake is not None:
        context.output.line(f"Care: {brake.sentence}.")
    _draw_instances(context, app, state, about, choices, nodes, instance)
    if instance is None:
        _draw_app(context, about)
    if verdicts:
        context.output.line("\nOne more instance could go to:")
        verdict_table.draw(context.output, verdicts, nodes)
    _draw_cost(context, history, balance)
    context.output.document(_document(app, state, about, choices, verdicts, nodes, balance, history, brake))


@dataclass(frozen=True, slots=True)
class Choice:
    """What stood for choice in the block before an instance was placed."""

    lease: Lease
    able: int
    """Nodes that could take it, those that ran other instances left out."""
    cheaper: tuple[str, ...]
    """For each that asked less: why it was not taken."""
    is_kept: bool = False
    """Whether it was taken because it holds the instance's volumes."""
    stood_by: bool = False
    """Whether it was taken because it stood by with the images."""

    @property
    def sentence(self) -> str:
        if self.is_kept:
            return "it holds the instance's volumes"
        if self.stood_by:
            return "it stood by with the images"
        if self.able == 1:
            return "it was the only node that could take it"
        among = f"of {self.able} nodes that could take it"
        if not self.cheaper:
            return f"{among}, it asked the least"
        return f"{among}, it was the cheapest that spreads the app: {'; '.join(self.cheaper)}"


async def _choices(
    client: FluxClient, app: App, state: Progress, history: list[Happened], nodes: dict[NodeId, Node]
) -> dict[int, Choice]:
    """By ordinal, for what is open; nothing where the chain has forgotten the state of that time."""
    placed = {happened.event.lease: happened.block for happened in history if isinstance(happened.event, LeaseAssigned)}
    wanted = [lease for lease in state.open if lease.id in placed]
    before = await asyncio.gather(*(_verdicts_before(client, app, lease, placed[lease.id]) for lease in wanted))
    choices = [
        choice(lease, verdicts, state.leases, nodes)
        for lease, verdicts in zip(wanted, before, strict=True)
        if any(verdict.node == lease.node for verdict in verdicts)
    ]
    kept = {happened.event.lease for happened in history if isinstance(happened.event, VolumesKept)}
    used = {happened.event.lease for happened in history if isinstance(happened.event, StandbyUsed)}
    return {
        made.lease.ordinal: replace(made, is_kept=made.lease.id in kept, stood_by=made.lease.id in used)
        for made in choices
    }


def choice(lease: Lease, verdicts: list[Verdict], leases: Sequence[Lease], nodes: Mapping[NodeId, Node]) -> Choice:
    """Why the lease's node was chosen, of those that the market said could run it in the block before."""
    others = {
        other.node
        for other in leases
        if other.id < lease.id and (other.state is not LeaseState.CLOSED or other.closed_at > lease.assigned_at)
    }
    able = [verdict for verdict in verdict_table.able(verdicts) if verdict.node not in others]
    rate = next((verdict.rate for verdict in able if verdict.node == lease.node), lease.rate)
    hosts = [nodes[number] for number in others if number in nodes]
    cheaper = [verdict.node for verdict in able if verdict.rate < rate and verdict.node in nodes]
    return Choice(lease, len(able), tuple(_passed_over(nodes[number], hosts) for number in cheaper))


def _passed_over(node: Node, hosts: list[Node]) -> str:
    """Why a cheaper node was not taken: what it shares with nodes that run other instances."""
    for host in hosts:
        if host.operator == node.operator:
            return f"node {node.id} asks less, but its operator runs another instance"
    for host in hosts:
        if host.location.country == node.location.country:
            return f"node {node.id} asks less, but another instance runs in {node.location.country}"
    return f"node {node.id} asks less, but spreads it less"


async def _verdicts_before(client: FluxClient, app: App, lease: Lease, block: int) -> list[Verdict]:
    try:
        spec = await Apps(client).spec(app.id, lease.revision)
        return await Market(client).plan(spec, NodeId(U32(1)), U16(_SHOWN), block=quantity(block - 1))
    except ClientError:
        return []


async def _nodes(client: FluxClient) -> dict[NodeId, Node]:
    return {node.id: node for node in await paging.all_nodes(client)}


async def _balance(client: FluxClient, app: App) -> EscrowBalance | None:
    try:
        return await Escrow(client).balance(app.id)
    except Refused:
        return None


def _draw_instances(
    context: CommandContext,
    app: App,
    state: Progress,
    told: list[Told],
    choices: dict[int, Choice],
    nodes: dict[NodeId, Node],
    only: int | None,
) -> None:
    numbers = {item.ordinal for item in told if item.ordinal is not None} | {lease.ordinal for lease in state.open}
    for number in sorted(numbers):
        if only is not None and number != only:
            continue
        context.output.line(f"\nInstance {number}: {_now(app, state, number, nodes)}")
        if (made := choices.get(number)) is not None:
            context.output.line(f"  Why there: {made.sentence}.")
        for item in told:
            if item.ordinal == number:
                context.output.line(f"  {_moment(item)}  {item.sentence}")


def _now(app: App, state: Progress, number: int, nodes: dict[NodeId, Node]) -> str:
    for lease in state.open:
        if lease.ordinal == number:
            verb = _VERBS.get(lease.state, "is in doubt")
            return f"{verb} on node {lease.node} ({place(nodes[lease.node])}) at {show.per_hour(lease.rate)}"
    if any(pending.ordinal == number for pending in state.pending):
        return "waits for a node"
    return "not wanted" if number >= app.instances else "does not run"


def _draw_app(context: CommandContext, told: list[Told]) -> None:
    context.output.line("\nThe app:")
    for item in told:
        if item.ordinal is None and not isinstance(item.happened.event, HostPaid):
            context.output.line(f"  {_moment(item)}  {item.sentence}")


def _draw_cost(context: CommandContext, history: list[Happened], balance: EscrowBalance | None) -> None:
    context.output.line("\nWhat it cost:")
    for cost in costs.by_lease(history):
        about = "" if cost.ordinal is None else f" (instance {cost.ordinal})"
        served, what = show.duration(cost.seconds), "standing by" if cost.stood_by else f"lease {cost.lease}{about}"
        context.output.line(f"  {what} on node {cost.node}: {show.flux(cost.wei)} for {served}")
    for day, wei in costs.by_day(history).items():
        context.output.line(f"  {day}: {show.flux(wei)}")
    if balance is not None:
        context.output.line(f"  spent so far, fees and what is not paid out yet included: {show.flux(balance.spent)}")


def _moment(item: Told) -> str:
    return time.strftime("%H:%M:%S", time.localtime(item.happened.timestamp))


def _document(
    app: App,
    state: Progress,
    told: list[Told],
    choices: dict[int, Choice],
    verdicts: list[Verdict],
    nodes: dict[NodeId, Node],
    balance: EscrowBalance | None,
    history: Sequence[Happened],
    brake: HeldBrake | None,
) -> dict[str, Any]:
    return {
        "app": app.id,
        "name": app.name,
        "brake": document_of(brake),
        "timeline": [event_document(item.happened, item.ordinal, item.sentence) for item in told],
        "choices": [
            {
                "instance": made.lease.ordinal,
                "lease": made.lease.id,
                "node": made.lease.node,
                "able": made.able,
                "cheaper": len(made.cheaper),
                "sentence": made.sentence,
            }
            for made in choices.values()
        ],
        "nodes": verdict_table.document(verdicts, nodes),
        "pending": [
            {
                "instance": item.ordinal,
                "since": item.since,
                "rejections": verdict_table.tallied(verdicts),
                "sentence": f"waits, no node can take it: {verdict_table.counted(verdicts)}",
            }
            for item in state.pending
        ],
        "costs": {
            "leases": [
                {
                    "lease": cost.lease,
                    "instance": cost.ordinal,
                    "node": cost.node,
                    "standby": cost.stood_by,
                    "seconds": cost.seconds,
                    "cost": show.exact(cost.wei),
                }
                for cost in costs.by_lease(history)
            ],
            "days": {day: show.exact(wei) for day, wei in costs.by_day(history).items()},
        },
        "spent": None if balance is None else show.exact(balance.spent),
    }

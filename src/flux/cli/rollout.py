"""From a transaction to running instances: seeds given, progress told, the result shown. For deploy, update, resume."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from flux.cli import format as show
from flux.cli import words
from flux.cli.addresses import app_url, endpoints
from flux.cli.change_watch import ChangeWatch
from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.lookup import nodes_by_id, protocol_now
from flux.cli.output import Column, right
from flux.cli.seeds import find_seed
from flux.cli.verdicts import place
from flux.contracts.apps.types import AppId, AppStatus, Revision, decode_spec
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.types import Node, NodeId
from flux.primitives.hexadecimal import quantity
from flux.primitives.types import Hash
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.escrow import Escrow
from flux.sdk.client import FluxClient, Receipt
from flux.sdk.deployment import Progress, SeedGiver, follow, progress, runs
from flux.sdk.signer import Signer

FAR_FUTURE = 2**63
WAITING_SECONDS = 5
"""After which instances without a node are told of: until then they may be between two."""


@dataclass(slots=True)
class Rollout:
    """One revision of an app on its way to its nodes."""

    context: CommandContext
    client: FluxClient
    app: AppId
    name: str
    revision: Revision
    instances: int
    signer: Signer
    seed: bytes | None
    """None where there is no private half."""
    since: int = 0
    """Protocol time; what happened before is not told."""
    status: AppStatus = AppStatus.ACTIVE
    """Unless it is active nothing runs, and there is nothing to wait for."""
    is_change: bool = False
    """Whether this revision was just chosen, so that its rollout decides whether it succeeded."""
    told: dict[LeaseId, LeaseState] = field(default_factory=dict)
    waits_since: float | None = None
    """When instances without a node were first seen, by the monotonic clock."""
    told_waiting: bool = False
    nodes: dict[NodeId, Node] = field(default_factory=dict)

    def giver(self) -> SeedGiver | None:
        """Who gives the seed to nodes, if there is one."""
        return None if self.seed is None else self.giver_of(self.seed)

    def giver_of(self, seed: bytes) -> SeedGiver:
        """Who gives a seed to nodes."""
        from flux.specs.private_half import seal

        def box(seal_key: Hash) -> bytes:
            return seal(seed, seal_key)

        return SeedGiver(self.client, self.signer, self.app, box)


async def await_running(rollout: Rollout, seconds: float) -> None:
    """Give seeds and tell what happens until every instance runs. Raises CliError when the time is over."""
    giver, watch = rollout.giver(), ChangeWatch(rollout)
    try:
        async with asyncio.timeout(seconds):
            async with aclosing(follow(rollout.client, rollout.app)) as states:
                async for state in states:
                    if giver is not None:
                        await giver.give(list(state.open), rollout.revision)
                    is_over = not rollout.is_change or await watch.look(state)
                    await _tell(rollout, state)
                    if is_over and runs(state, rollout.revision, rollout.instances):
                        break
    except asyncio.CancelledError:
        rollout.context.output.note(f"interrupted: {_stays(rollout)}; see `flux app show {rollout.name}`")
        raise
    except TimeoutError as error:
        raise CliError(
            f"not all instances of {rollout.name} run after {show.duration(seconds)}; {_stays(rollout)}",
            f"see why with `flux app why {rollout.name}`, and what it writes with `flux app logs {rollout.name}`",
        ) from error
    await share_seed(rollout)


def _stays(rollout: Rollout) -> str:
    stays = "the rollout goes on by itself" if rollout.is_change else "the app stays deployed"
    if rollout.seed is None:
        return stays
    return f"{stays}, and `flux app seal {rollout.name}` gives its seed to nodes that do not have it yet"


async def give_seed_once(rollout: Rollout) -> int:
    """Give the seed to those nodes that have a lease by now; they hand it on to later ones. How many were given it."""
    giver = rollout.giver()
    if giver is None:
        return 0
    state = await progress(rollout.client, rollout.app)
    given = await giver.give(list(state.open), rollout.revision)
    await share_seed(rollout)
    return given


async def share_seed(rollout: Rollout) -> None:
    """See that keepers hold shares of the seed, so that the app outlives all its nodes."""
    if rollout.seed is None:
        return
    from flux.cli.keepers import keep

    kept = await keep(rollout.client, rollout.signer, rollout.app, rollout.revision, rollout.seed)
    if not kept:
        rollout.context.output.note(
            "  too few nodes to keep shares of its seed: if all its nodes die, `flux app seal` has to bring it back"
        )


async def roll_out(
    context: CommandContext,
    client: FluxClient,
    signer: Signer,
    app: AppId,
    receipt: Receipt,
    begun: float,
    patience: float | None,
    revision: Revision | None = None,
) -> None:
    """After a change of an app: give seeds, wait (unless `patience` is None), show the result.

    `revision` is the one that was chosen, where one was. Raises CliError when its rollout failed.
    """
    rollout = await begin(context, client, signer, app, receipt, revision)
    if rollout.status is not AppStatus.ACTIVE:
        await share_seed(rollout)
        why, verb = ("is paused", "resume") if rollout.status is AppStatus.PAUSED else ("is out of funds", "topup")
        context.output.note(
            f"{rollout.name} {why}: it runs revision {rollout.revision} after `flux app {verb} {rollout.name}`"
        )
    elif patience is None:
        await give_seed_once(rollout)
    else:
        await await_running(rollout, patience)
    result = await result_document(rollout)
    seconds = round(time.monotonic() - begun, 3)
    context.output.document({**result, "transaction": f"0x{receipt.transaction.hex()}", "seconds": seconds})
    show_result(context, result, seconds)


async def begin(
    context: CommandContext,
    client: FluxClient,
    signer: Signer,
    app: AppId,
    receipt: Receipt,
    revision: Revision | None = None,
) -> Rollout:
    """What a transaction set going; `revision` where it chose one."""
    record = await Apps(client).app(app)
    wanted = record.revision if revision is None else revision
    seed = await find_seed(context, client, app, record.name, wanted)
    clock = await client.transport.request("flux_clock", quantity(receipt.block))
    return Rollout(
        context, client, app, record.name, wanted, record.instances, signer, seed,
        since=int(clock["now"], 16), status=record.status, is_change=revision is not None,
    )  # fmt: skip


async def result_document(rollout: Rollout) -> dict[str, Any]:
    """The app as it stands, for scripts and for `show_result`."""
    spec, state, balance, now = await asyncio.gather(
        Apps(rollout.client).spec(rollout.app, rollout.revision),
        progress(rollout.client, rollout.app),
        Escrow(rollout.client).balance(rollout.app),
        protocol_now(rollout.client),
    )
    leases = [lease for lease in state.open if lease.revision == rollout.revision]
    rollout.nodes |= await nodes_by_id(rollout.client, {lease.node for lease in leases} - rollout.nodes.keys())
    newest = {lease.ordinal: lease for lease in sorted(state.open, key=_order)}
    rate = sum(lease.rate for lease in newest.values())
    return {
        "app": rollout.app,
        "name": rollout.name,
        "url": app_url(rollout.context, rollout.name, decode_spec(spec)),
        "revision": rollout.revision,
        "instances": [_instance(lease, rollout.nodes[lease.node]) for lease in sorted(leases, key=_order)],
        "pending": [pending.ordinal for pending in state.pending],
        "price_per_hour": show.exact(rate * show.HOUR),
        "price_per_month": show.exact(rate * show.MONTH),
        "balance": show.exact(balance.balance),
        "balance_lasts_seconds": balance.depletes_at - now if balance.depletes_at else None,
    }


def show_result(context: CommandContext, result: dict[str, Any], seconds: float) -> None:
    """The result for people."""
    rows = [
        (str(item["instance"]), str(item["node"]), item["place"], item["state"], item["price_per_hour"])
        for item in result["instances"]
    ]
    context.output.line()
    columns: list[Column | str] = [right("INSTANCE"), right("NODE"), "PLACE", "STATE", right("FLUX/h")]
    context.output.table(columns, [(*row[:4], _cut(row[4])) for row in rows])
    context.output.line()
    facts = [("url", result["url"])] if result["url"] else []
    facts.append(("price", f"{_cut(result['price_per_hour'])} FLUX/h, {_cut(result['price_per_month'])} FLUX/month"))
    lasts = result["balance_lasts_seconds"]
    left = f"{_cut(result['balance'])} FLUX"
    facts.append(("balance", left if lasts is None else f"{left}, lasts {show.duration(lasts)}"))
    if result["pending"]:
        facts.append(
            ("waiting", f"{show.count(len(result['pending']), 'instance')} for a node: `flux app why {result['name']}`")
        )
    context.output.facts(facts, f"{result['name']} (app {result['app']}), {seconds:.1f} s")
    if not result["url"]:
        context.output.line("Where it answers: `flux app show " + result["name"] + "`")


async def _tell(rollout: Rollout, state: Progress) -> None:
    """A line for every lease that is in a new state, and one when instances find no node."""
    _tell_waiting(rollout, state)
    changed = [lease for lease in state.leases if rollout.told.get(lease.id) != lease.state]
    for lease in changed:
        rollout.told[lease.id] = lease.state
    changed = [lease for lease in changed if _last_change(lease) >= rollout.since]
    rollout.nodes |= await nodes_by_id(rollout.client, {lease.node for lease in changed} - rollout.nodes.keys())
    for lease in sorted(changed, key=_order):
        rollout.context.output.note(f"  instance {lease.ordinal}: {_sentence(lease, rollout.nodes[lease.node])}")


def _tell_waiting(rollout: Rollout, state: Progress) -> None:
    if not state.pending:
        rollout.waits_since, rollout.told_waiting = None, False
        return
    now = time.monotonic()
    rollout.waits_since = now if rollout.waits_since is None else rollout.waits_since
    if now - rollout.waits_since >= WAITING_SECONDS and not rollout.told_waiting:
        rollout.told_waiting = True
        waiting = show.count(len(state.pending), "instance")
        rollout.context.output.note(f"  {waiting} without a node so far: see why with `flux app why {rollout.name}`")


def _sentence(lease: Lease, node: Node) -> str:
    where = f"node {node.id} ({place(node)})"
    match lease.state:
        case LeaseState.ASSIGNED:
            return f"starts on {where} at {show.per_hour(lease.rate)}"
        case LeaseState.RUNNING:
            return f"runs on {where}"
        case LeaseState.SUSPECT:
            return f"{where} is not reached; a replacement is placed"
        case LeaseState.STALLED:
            return f"stopped on {where}, which waits before it starts it again"
    detail = f" ({lease.detail})" if lease.detail else ""
    return f"closed on {where}: {words.close_reason(lease.reason)}{detail}"


def _instance(lease: Lease, node: Node) -> dict[str, Any]:
    return {
        "instance": lease.ordinal,
        "lease": lease.id,
        "node": node.id,
        "place": place(node),
        "state": words.status_word("lease", lease.state),
        "price_per_hour": show.exact(lease.rate * show.HOUR),
        "endpoints": endpoints(lease, node),
    }


def _last_change(lease: Lease) -> int:
    """When it came into the state it is in; suspicion has no time of its own."""
    match lease.state:
        case LeaseState.ASSIGNED:
            return lease.assigned_at
        case LeaseState.RUNNING:
            return lease.running_at
        case LeaseState.CLOSED:
            return lease.closed_at
    return FAR_FUTURE


def _order(lease: Lease) -> tuple[int, int]:
    return lease.ordinal, lease.id


def _cut(amount: str) -> str:
    from flux.primitives.units import parse_flux

    return show.number(parse_flux(amount))

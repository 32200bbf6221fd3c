"""What a change of revision would do: how each instance is brought, in which order, the price before and after.

It decides as the chain would now (`contracts/market/rules.py`); the chain decides again when the time comes.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flux.cli import format as show
from flux.cli.dollars import find_price
from flux.cli.lookup import nodes_by_id
from flux.cli.output import Column, right
from flux.cli.quote import standby_rate
from flux.cli.spec_changes import Change
from flux.cli.verdicts import able, place
from flux.cli.words import rejection
from flux.contracts.apps.types import App, AppSpec, Update, decode_spec, encode_spec
from flux.contracts.market import rules
from flux.contracts.market.exchange import Terms, accepts, ask_in_flux, bill_of, limit_in_flux, rate_at, terms_in_place
from flux.contracts.market.types import Lease, LeaseState, Rejection, Usage
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.oracle.types import UsdPrice
from flux.primitives.types import U64
from flux.sdk import paging
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.deployment import progress


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one instance."""

    instance: int
    node: NodeId | None
    place: str
    does: str
    rate_before: int
    """Wei per second; 0 where nothing runs."""
    rate_after: int | None
    """None where no node can run it now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a dry run prints."""

    app: App
    revision: int
    changes: Sequence[Change]
    steps: Sequence[Step]
    update: Update
    standby: tuple[int, int]
    """Wei per second of whoever stands by: now, when all are ready, and then."""

    def document(self) -> dict[str, Any]:
        """For scripts."""
        before, after = self._prices()
        return {
            "app": self.app.id,
            "name": self.app.name,
            "from": self.app.revision,
            "to": self.revision,
            "changes": [{"what": item.what, "before": item.before, "after": item.after} for item in self.changes],
            "steps": [
                {
                    "instance": step.instance,
                    "node": step.node,
                    "place": step.place,
                    "does": step.does,
                    "price_per_hour": show.exact(step.rate_before * show.HOUR),
                    "new_price_per_hour": None if step.rate_after is None else show.exact(step.rate_after * show.HOUR),
                }
                for step in self.steps
            ],
            "standby_per_hour": show.exact(self.standby[0] * show.HOUR),
            "new_standby_per_hour": show.exact(self.standby[1] * show.HOUR),
            "price_per_hour": show.exact(before * show.HOUR),
            "new_price_per_hour": show.exact(after * show.HOUR),
            "update": {
                "parallelism": self.update.parallelism,
                "order": self.update.order,
                "delay": self.update.delay_seconds,
                "monitor": self.update.monitor_seconds,
                "on_failure": self.update.on_failure,
            },
            "keeps": ["name", "volumes", "history", "balance"],
        }

    def draw(self, output: Any) -> None:
        """For people."""
        output.line(f"{self.app.name}: revision {self.app.revision} would become {self.revision}.")
        rows = [(item.what, item.before, item.after) for item in self.changes]
        output.table(["WHAT", Column("NOW", wrap=True), Column("THEN", wrap=True)], rows, "Nothing differs.")
        output.line()
        steps = [
            (
                str(step.instance),
                "" if step.node is None else str(step.node),
                step.place,
                step.does,
                "?" if step.rate_after is None else show.number(step.rate_after * show.HOUR),
            )
            for step in self.steps
        ]
        columns: list[Column | str] = [right("INSTANCE"), right("NODE"), "PLACE", Column("WHAT HAPPENS", wrap=True)]
        output.table([*columns, right("FLUX/h")], steps, "No instance runs.")
        before, after = self._prices()
        update, (now, then) = self.update, self.standby
        standby = [("standing by", f"{show.per_hour(now)} of it now, {show.per_hour(then)} then")]
        output.line()
        output.facts(
            [
                ("price", f"{show.per_hour(before)} now, {show.per_hour(after)} then"),
                *(standby if now or then else []),
                (
                    "pace",
                    f"{update.parallelism} at a time; each must stay well for {update.monitor_seconds} s"
                    + (f", the next after {update.delay_seconds} s" if update.delay_seconds else ""),
                ),
                ("if one fails", _FAILURES[update.on_failure]),
                ("stays", "its name, volumes, history and balance"),
            ]
        )

    def _prices(self) -> tuple[int, int]:
        before, after = self.standby
        return (
            before + sum(step.rate_before for step in self.steps),
            after + sum(step.rate_after or 0 for step in self.steps),
        )


_FAILURES = {
    "rollback": "every instance goes back to the last revision that ran",
    "pause": "it pauses; what came stays, what did not stays too",
    "continue": "the others go on",
}


async def make_plan(
    client: FluxClient, app: App, revision: int, spec: AppSpec, instances: int, changes: Sequence[Change]
) -> Plan:
    """The plan for a spec as it would be carried out now."""
    state, verdicts = await asyncio.gather(progress(client, app.id), paging.plan(client, encode_spec(spec)))
    leases = sorted(state.open, key=lambda lease: (lease.ordinal, lease.id))
    nodes = await nodes_by_id(client, {lease.node for lease in leases})
    specs = await _specs(client, app, leases)
    found = await find_price(client)
    price = UsdPrice(U64(0)) if found is None else found.value
    usages = await asyncio.gather(*(Market(client).usage(lease.node) for lease in leases))
    elsewhere = [verdict for verdict in able(verdicts) if verdict.node not in nodes]
    dearest = elsewhere[0].rate if elsewhere else None
    steps = []
    if instances != app.instances:
        changes = [*changes, Change("instances", str(app.instances), str(instances))]
    for lease, usage in zip(leases, usages, strict=True):
        if lease.ordinal >= instances:
            steps.append(Step(lease.ordinal, lease.node, place(nodes[lease.node]), "ends", lease.rate, 0))
        else:
            steps.append(_step(lease, nodes[lease.node], usage, specs[lease.revision], spec, dearest, price))
    held = {lease.ordinal for lease in leases}
    for number in range(instances):
        if number not in held:
            does = "is placed" if dearest is not None else "waits for a node: none can run it now"
            steps.append(Step(number, None, "", does, 0, dearest))
    standbys = await Market(client).standbys(app.id)
    then = await standby_rate(client, elsewhere, sum(step.node is None for step in steps), spec.standby)
    now = sum(item.rate for item in standbys)
    return Plan(app, revision, changes, steps, spec.update or Update(), (now, then))


async def _specs(client: FluxClient, app: App, leases: Sequence[Lease]) -> Mapping[int, AppSpec]:
    revisions = list(dict.fromkeys(lease.revision for lease in leases))
    found = await asyncio.gather(*(Apps(client).spec(app.id, revision) for revision in revisions))
    return {revision: decode_spec(data) for revision, data in zip(revisions, found, strict=True)}


def _step(
    lease: Lease, node: Node, usage: Usage, old: AppSpec, new: AppSpec, elsewhere: int | None, price: UsdPrice
) -> Step:
    """As `contracts/market/succession.py` brings an instance."""
    order = (new.update or Update()).order
    before, needs = rules.needs_of(old), rules.needs_of(new)
    used = rules.Needs(usage.cpu_milli, usage.memory_mib, usage.disk_mib, usage.gpu_count)
    without = rules.Needs(*(taken - need for taken, need in zip(used, before, strict=True)))
    agreed = Terms(lease.rate, lease.usd_rate)
    terms = terms_in_place(bill_of(new.constraints), needs, before, node.ask, price, agreed)
    here, accepted = rate_at(terms, price), accepts(new.constraints, terms, price)
    ask, limit = ask_in_flux(node.ask, price), limit_in_flux(new.constraints, price)

    def verdict(load: rules.Needs) -> Rejection:
        facts = rules.Circumstances(False, load, excluded=False, hosts_already=False, slots_free=1)
        return rules.verdict_in_place(new, node, ask, limit, facts, accepted=accepted)

    beside, instead = verdict(used), verdict(without)
    kept = {volume.name for volume in old.volumes} & {volume.name for volume in new.volumes}

    def step(does: str, rate: int | None) -> Step:
        return Step(lease.ordinal, lease.node, place(node), does, lease.rate, rate)

    if lease.state is LeaseState.ASSIGNED:
        return step("is started anew: it does not run yet", here)
    starts_first = order == "start-first" or (order == "auto" and not new.volumes)
    if starts_first and beside is Rejection.NONE:
        return step("the new one starts beside it; it stops when that runs", here)
    if order != "start-first" and instead is Rejection.NONE:
        return step("stops, and the new one starts in its place", here)
    why = rejection(instead if order != "start-first" else beside)
    if kept:
        return step(f"cannot be brought: {why}, and its volumes are there; the rollout fails", lease.rate)
    if elsewhere is None:
        return step(f"runs on as it is: {why}, and no other node can run it now", lease.rate)
    return step(f"moves to another node: {why}", elsewhere)

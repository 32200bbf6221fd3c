"""What must hold of the market after every block."""

from collections.abc import Iterator

from flux.contracts.apps.types import AppId, AppStatus
from flux.contracts.market import standby_invariants
from flux.contracts.market.book import NEVER
from flux.contracts.market.contract import Market
from flux.contracts.market.fleet import COUNTRY, FEATURES, GPU_SHIFT, NETWORK, OPERATOR, PLACE, Fleet
from flux.contracts.market.rollout_rules import MOST_ALONE, MOVING, NO_ROLLOUT, is_closed
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.rules import needs_of
from flux.contracts.market.types import CloseReason, Lease, LeaseState, Ordinal
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U16

Instance = tuple[AppId, Ordinal]
_CONFIRMED = (LeaseState.RUNNING, LeaseState.SUSPECT, LeaseState.STALLED)


def check(market: Market) -> list[str]:
    """Violations as sentences."""
    return [
        *_check_leases(market),
        *_check_indices(market),
        *_check_loads(market),
        *_check_succession(market),
        *_check_instances(market),
        *_check_stalls(market),
        *_check_exclusions(market),
        *_check_holders(market),
        *_check_rollouts(market),
        *_check_at_most_one(market),
        *standby_invariants.check(market),
        *_check_fleet(market),
    ]


def _check_leases(market: Market) -> Iterator[str]:
    for id, lease in market.state.leases.items():
        if lease.id != id or id > market.state.last_lease.get():
            yield f"lease {id} is stored as {lease.id} and the last one is {market.state.last_lease.get()}"
        is_closed = lease.state is LeaseState.CLOSED
        if is_closed != (lease.closed_at != NEVER) or is_closed != (lease.reason is not CloseReason.NONE):
            yield f"lease {id} is {lease.state.name}, closed at {lease.closed_at}, because of {lease.reason.name}"
        if lease.state is LeaseState.ASSIGNED and lease.running_at != NEVER:
            yield f"lease {id} is assigned and ran since {lease.running_at}"
        if lease.state in _CONFIRMED and lease.running_at == NEVER:
            yield f"lease {id} runs since never"
        suspect = market.state.loads.get(lease.node).suspect
        if not is_closed and suspect != (lease.state is LeaseState.SUSPECT):
            yield f"lease {id} is {lease.state.name} on node {lease.node}, which is {'' if suspect else 'not '}suspect"


def _check_indices(market: Market) -> Iterator[str]:
    state = market.state
    leases = [lease for _, lease in state.leases.items()]
    opened = [lease for lease in leases if lease.state is not LeaseState.CLOSED]
    closed = [lease for lease in leases if lease.state is LeaseState.CLOSED]
    if [(node, id) for node, load in state.loads.items() for id in load.leases] != sorted(
        (lease.node, lease.id) for lease in opened
    ):
        yield "the loads of nodes do not name exactly the open leases"
    if [(app, id) for app, record in state.by_app.items() for id in record.leases] != sorted(
        (lease.app, lease.id) for lease in opened
    ):
        yield "the index by app does not name exactly the open leases"
    if list(state.closed) != sorted((lease.app, lease.closed_at, lease.id) for lease in closed):
        yield "the index of closed leases does not name exactly those that are kept"
    kept: dict[AppId, int] = {}
    for lease in closed:
        kept[lease.app] = kept.get(lease.app, 0) + 1
    for app, count in kept.items():
        if count > market.params.closed_leases_kept:
            yield f"{count} closed leases of app {app} are kept"


def _check_loads(market: Market) -> Iterator[str]:
    sums: dict[NodeId, list[int]] = {}
    for lease in _open(market):
        total = sums.setdefault(lease.node, [0, 0, 0, 0, 0])
        for index, amount in enumerate((*needs_of(market.spec_of(lease)), 1)):
            total[index] += amount
    for node, load in market.state.loads.items():
        taken = [load.cpu_milli, load.memory_mib, load.disk_mib, load.gpu_count, len(load.leases)]
        if taken != sums.pop(node, [0, 0, 0, 0, 0]):
            yield f"the load of node {node} is not the sum of its open leases"
        hardware = market.node_of(node).hardware
        offered = [hardware.cpu_milli, hardware.memory_mib, hardware.disk_mib, hardware.gpu_count]
        if any(used > most for used, most in zip(taken, [*offered, market.params.max_leases_per_node], strict=True)):
            yield f"node {node} holds {taken} and has {offered}"
    for node in sums:
        yield f"node {node} has leases and no load"


def _check_succession(market: Market) -> Iterator[str]:
    """At most one lease of an instance is nobody's successor, and at most one is its successor."""
    by_id = {lease.id: lease for lease in _open(market)}
    heads: dict[Instance, int] = {}
    successors: dict[int, int] = {}
    for lease in by_id.values():
        replaced = by_id.get(lease.replaces)
        if replaced is None:
            heads[lease.app, lease.ordinal] = heads.get((lease.app, lease.ordinal), 0) + 1
            continue
        successors[replaced.id] = successors.get(replaced.id, 0) + 1
        if (replaced.app, replaced.ordinal) != (lease.app, lease.ordinal):
            yield f"lease {lease.id} replaces lease {replaced.id} of another instance"
        if lease.state is not LeaseState.ASSIGNED or replaced.state is LeaseState.ASSIGNED:
            yield f"lease {lease.id} is {lease.state.name} and replaces {replaced.state.name} lease {replaced.id}"
    for (app, ordinal), waiting in market.state.waiting.items():
        replaced = by_id.get(waiting.replaces)
        if replaced is not None:
            successors[replaced.id] = successors.get(replaced.id, 0) + 1
        if waiting.replaces and (replaced is None or (replaced.app, replaced.ordinal) != (app, ordinal)):
            yield f"waiting instance {ordinal} of app {app} replaces lease {waiting.replaces}, which is not open there"
        if not waiting.replaces and (app, ordinal) in heads:
            yield f"instance {ordinal} of app {app} waits for a node and has one"
    for (app, ordinal), count in heads.items():
        if count > 1:
            yield f"instance {ordinal} of app {app} is held by {count} leases none of which replaces another"
    for lease_id, count in successors.items():
        if count > 1:
            yield f"lease {lease_id} has {count} successors"


def _check_instances(market: Market) -> Iterator[str]:
    """Wanted instances are held or wait, others do neither, and no lease of an older revision is still to start."""
    held: dict[AppId, dict[Ordinal, list[Lease]]] = {}
    for lease in _open(market):
        held.setdefault(lease.app, {}).setdefault(lease.ordinal, []).append(lease)
    waiting: dict[AppId, dict[Ordinal, None]] = {}
    for app, ordinal in [key for key, _ in market.state.waiting.items()]:
        waiting.setdefault(app, {})[ordinal] = None
    for record in market.every_app():
        is_active = record.status is AppStatus.ACTIVE
        wanted = [Ordinal(U16(number)) for number in range(record.instances)] if is_active else []
        present = {*held.get(record.id, {}), *waiting.get(record.id, {})}
        if sorted(present) != wanted:
            yield f"app {record.id} wants {len(wanted)} instances; {sorted(present)} are held or wait"
        leases = [lease for group in held.get(record.id, {}).values() for lease in group]
        if any(lease.state is LeaseState.ASSIGNED and lease.revision != record.revision for lease in leases):
            yield f"an older revision of app {record.id} is still to start"


def _check_stalls(market: Market) -> Iterator[str]:
    """Only open leases are remembered as stalled once, and whoever is stalled is."""
    opened = {lease.id: lease for lease in _open(market)}
    for id, at in market.state.stalls.items():
        lease = opened.pop(id, None)
        if lease is None or at < lease.running_at or at > market.host.block.now:
            yield f"lease {id} is said to have stalled at {at}"
    for id, lease in opened.items():
        if lease.state is LeaseState.STALLED:
            yield f"lease {id} is stalled since never"


def _check_exclusions(market: Market) -> Iterator[str]:
    counts: dict[AppId, int] = {}
    for (app, _), _ in market.state.exclusions.items():
        counts[app] = counts.get(app, 0) + 1
    for app, count in counts.items():
        if count > market.params.max_exclusions:
            yield f"app {app} excludes {count} nodes"


def _check_holders(market: Market) -> Iterator[str]:
    """Whoever is said to hold volumes of a running instance has a lease of it that ran."""
    running = {(lease.app, lease.ordinal, lease.node): None for lease in _open(market) if lease.running_at}
    closed = {app.id: None for app in market.every_app() if app.status is AppStatus.CLOSED}
    for (app, ordinal), holder in market.state.holders.items():
        if app in closed:
            yield f"app {app} is closed and volumes of it are remembered"
        if not holder.until and (app, ordinal, holder.node) not in running:
            yield f"node {holder.node} is said to run instance {ordinal} of app {app} with its volumes"


def _check_rollouts(market: Market) -> Iterator[str]:
    """A rollout says where its app is, keeps what it may go back to, and is not over while a step is left."""
    open_apps = {record.id: record for record in market.every_app() if record.status is not AppStatus.CLOSED}
    for app, rollout in market.state.rollouts.items():
        record = open_apps.get(app)
        if record is None:
            yield f"app {app} is closed and has a rollout"
            continue
        state, there = rollout.state, [rollout.target]
        if state is RolloutState.ROLLING_BACK:
            there = [rollout.source]
        elif state in (RolloutState.FAILED, RolloutState.PAUSED):
            there = [rollout.target, rollout.source]
        if record.revision not in there:
            yield f"app {app} is at revision {record.revision} and its rollout is {state.name} to {there}"
        if (state in MOVING) != (rollout.ended_at == NEVER):
            yield f"the rollout of app {app} is {state.name} and ended at {rollout.ended_at}"
        operators = dict.fromkeys(market.node_of(node).operator for node in rollout.failed_on)
        if len(operators) > 1 or len(rollout.failed_on) >= MOST_ALONE:
            yield f"the rollout of app {app} goes on after nodes {rollout.failed_on} failed it"
        if not is_closed(rollout, record.revision) and rollout.source and not market.has_spec(app, rollout.source):
            yield f"app {app} may go back to revision {rollout.source}, whose spec is gone"
    for lease in _open(market):
        record = open_apps.get(lease.app)
        known = market.state.rollouts.find(lease.app) or NO_ROLLOUT
        if record is not None and lease.revision != record.revision and is_closed(known, record.revision):
            yield f"lease {lease.id} runs revision {lease.revision} after the rollout of app {lease.app} was over"


def _check_at_most_one(market: Market) -> Iterator[str]:
    """An instance that must not run twice has one lease at the most, and none while another may still run."""
    held: dict[Instance, int] = {}
    for lease in _open(market):
        if not market.spec_of(lease).at_most_one:
            continue
        held[lease.app, lease.ordinal] = held.get((lease.app, lease.ordinal), 0) + 1
        fence = market.state.fences.find((lease.app, lease.ordinal))
        if fence is not None and lease.assigned_at < fence.until and max(fence.leases) < lease.id:
            yield f"lease {lease.id} was placed while lease {fence.leases[-1]} of the same instance may run"
    for (app, ordinal), count in held.items():
        if count > 1:
            yield f"instance {ordinal} of app {app} must run once and has {count} leases"


def _check_fleet(market: Market) -> Iterator[str]:
    """The fleet that was kept in step says the same as one made of records."""
    if next(iter(market.state.touched), None) is not None:
        yield "the last placement left nodes unnoticed"
    kept, rebuilt = market.fleets()
    if _facts(kept) != _facts(rebuilt):
        yield "the fleet that placement decides by is not what the records say"


def _facts(fleet: Fleet) -> list[list[object]]:
    """Columns with texts for codes, which depend on the order of first sight."""
    codes = fleet.codes
    places, operators = list(codes.places), list(codes.operators)
    networks, countries, models = list(codes.networks), list(codes.countries), list(codes.models)
    facts: list[list[object]] = []
    for column in fleet.columns.T.tolist():
        row: list[object] = [*column, models[column[FEATURES] >> GPU_SHIFT]]
        row[FEATURES] = column[FEATURES] & (1 << GPU_SHIFT) - 1
        row[PLACE], row[OPERATOR] = places[column[PLACE]], operators[column[OPERATOR]]
        row[NETWORK], row[COUNTRY] = networks[column[NETWORK]], countries[column[COUNTRY]]
        facts.append(row)
    return facts


def _open(market: Market) -> list[Lease]:
    return [lease for _, lease in market.state.leases.items() if lease.state is not LeaseState.CLOSED]

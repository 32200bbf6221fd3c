"""What must hold after every block of the nodes that stand by."""

from collections.abc import Iterator

from flux.contracts.apps.types import AppId, AppStatus
from flux.contracts.market.contract import Market
from flux.contracts.market.standby_types import AppStandbys
from flux.contracts.nodes.types import NodeId


def check(market: Market) -> Iterator[str]:
    """Violations as sentences."""
    state = market.state
    late = dict.fromkeys(state.standby_looks)
    known = dict(state.standbys.items())
    for record in market.every_app():
        if record.status is not AppStatus.ACTIVE:
            if record.id in known:
                yield f"app {record.id} is {record.status.name} and has nodes that stand by"
        elif record.id not in late:
            wanted = market.standby_wanted(record)
            found = known.get(record.id)
            if bool(wanted) != (found is not None):
                yield f"app {record.id} asks for {wanted} nodes to stand by; kept is {found}"
            elif found is not None:
                yield from _check_app(market, record.id, found, wanted)
    yield from _check_nodes(market, known)


def _check_app(market: Market, app: AppId, found: AppStandbys, wanted: int) -> Iterator[str]:
    """No more than asked for, and none that runs an instance."""
    nodes = [item.node for item in found.nodes]
    if len(nodes) > wanted:
        yield f"app {app} asks for {wanted} nodes to stand by; {nodes} do"
    hosts = {lease.node for lease in market.open_leases(app)}
    if both := [node for node in nodes if node in hosts]:
        yield f"nodes {both} run app {app} and stand by for it"


def _check_nodes(market: Market, known: dict[AppId, AppStandbys]) -> Iterator[str]:
    """The index by node, the bound of each, and numbers that no lease has."""
    state, counts = market.state, dict[NodeId, int]()
    pairs = [(item.node, app) for app, found in known.items() for item in found.nodes]
    if list(state.standby_duties) != sorted(pairs):
        yield "the index of whom nodes stand by for does not name exactly those that do"
    if len(set(pairs)) != len(pairs):
        yield "a node stands by twice for one app"
    for node, _ in pairs:
        counts[node] = counts.get(node, 0) + 1
    for node, count in counts.items():
        most = market.params.max_standbys_per_node
        if count > most or (count == most) != (node in state.standby_full):
            yield f"node {node} stands by for {count} apps of {most}"
    numbers = [item.number for found in known.values() for item in found.nodes]
    if len(set(numbers)) != len(numbers) or any(
        number in state.leases or number > state.last_lease.get() for number in numbers
    ):
        yield f"the numbers {numbers} of nodes that stand by are not their own"
    for app, found in known.items():
        for item in found.nodes:
            load = state.loads.find(item.node)
            if item.ready_at and load is not None and load.suspect:
                yield f"node {item.node} is suspect and ready for app {app}"
            if not market.is_hosting(item.node):
                yield f"node {item.node} hosts nothing new and stands by for app {app}"

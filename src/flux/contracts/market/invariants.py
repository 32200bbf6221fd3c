"""What must hold of the market after every block."""

from flux.contracts.market.contract import Market
from flux.contracts.market.rules import needs_of
from flux.contracts.market.types import LeaseState
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32


def check(market: Market) -> list[str]:
    """Violations as sentences."""
    problems: list[str] = []
    state = market.state
    loads: dict[int, list[int]] = {}
    by_node, by_app, closed = set(state.by_node), set(state.by_app), set(state.closed)
    open_count = 0
    holders: dict[tuple[int, int], list[int]] = {}
    for id, lease in state.leases.items():
        is_open = lease.state is not LeaseState.CLOSED
        if lease.id != id:
            problems.append(f"lease {id} is stored as {lease.id}")
        if ((lease.node, id) in by_node) != is_open or ((lease.app, id) in by_app) != is_open:
            problems.append(f"the indices disagree with lease {id}, which is {lease.state.name}")
        if ((lease.app, id) in closed) == is_open:
            problems.append(f"lease {id} is {lease.state.name} and kept among the closed ones or not")
        if not is_open:
            continue
        open_count += 1
        if lease.replaces == 0:
            holders.setdefault((lease.app, lease.ordinal), []).append(id)
        needs = needs_of(market.spec_of(lease))
        load = loads.setdefault(lease.node, [0, 0, 0, 0, 0])
        for index, amount in enumerate((*needs, 1)):
            load[index] += amount
    if open_count != len(by_node) or open_count != len(by_app):
        problems.append(f"{open_count} leases are open and the indices hold {len(by_node)} and {len(by_app)}")
    for (app, ordinal), ids in holders.items():
        if len(ids) > 1:
            problems.append(f"instance {ordinal} of app {app} is held by leases {ids} none of which replaces another")
    for node, stored in state.loads.items():
        kept = [stored.cpu_milli, stored.memory_mib, stored.disk_mib, stored.gpu_count, stored.leases]
        if kept != loads.pop(node, [0, 0, 0, 0, 0]):
            problems.append(f"the load of node {node} is not the sum of its open leases")
    problems += [f"node {node} has leases and no load" for node in loads]
    problems += [problem for node, _ in state.loads.items() for problem in _check_capacity(market, node)]
    return problems


def _check_capacity(market: Market, node: NodeId) -> list[str]:
    load, hardware = market.state.loads.get(node), market.hardware_of(NodeId(U32(node)))
    fits = (
        load.cpu_milli <= hardware.cpu_milli
        and load.memory_mib <= hardware.memory_mib
        and load.disk_mib <= hardware.disk_mib
        and load.gpu_count <= hardware.gpu_count
    )
    return [] if fits else [f"node {node} holds more than it has"]

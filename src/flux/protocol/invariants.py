"""Everything that must hold of the whole protocol after every block; tests and tools run it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flux.contracts.accounts import invariants as accounts
from flux.contracts.accounts.contract import Accounts
from flux.contracts.apps import invariants as apps
from flux.contracts.apps.contract import Apps
from flux.contracts.benchmarks import invariants as benchmarks
from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.escrow import invariants as escrow
from flux.contracts.escrow.contract import Escrow
from flux.contracts.governor import invariants as governor
from flux.contracts.governor.contract import Governor
from flux.contracts.market import invariants as market
from flux.contracts.market.contract import Market
from flux.contracts.market.types import LeaseState
from flux.contracts.nodes import invariants as nodes
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeStatus
from flux.contracts.oracle import invariants as oracle
from flux.contracts.oracle.contract import Oracle
from flux.contracts.parameters import invariants as parameters
from flux.contracts.parameters.contract import Parameters
from flux.contracts.policy import invariants as policy
from flux.contracts.policy.contract import Policy
from flux.contracts.probes import invariants as probes
from flux.contracts.probes.contract import Probes
from flux.contracts.rewards import invariants as rewards
from flux.contracts.rewards.contract import Rewards
from flux.contracts.secrets import invariants as secrets
from flux.contracts.secrets.contract import Secrets
from flux.contracts.slashing import invariants as slashing
from flux.contracts.slashing.contract import Slashing
from flux.contracts.staking import invariants as staking
from flux.contracts.staking.contract import Staking
from flux.contracts.validators import invariants as validators
from flux.contracts.validators.contract import Validators
from flux.contracts.votes import invariants as votes
from flux.contracts.votes.contract import Votes
from flux.kernel.contract import Contract

Check = Callable[[Any], list[str]]
CHECKS: dict[type[Contract], Check] = {
    Accounts: accounts.check,
    Nodes: nodes.check,
    Apps: apps.check,
    Market: market.check,
    Escrow: escrow.check,
    Secrets: secrets.check,
    Probes: probes.check,
    Benchmarks: benchmarks.check,
    Slashing: slashing.check,
    Validators: validators.check,
    Parameters: parameters.check,
    Staking: staking.check,
    Rewards: rewards.check,
    Votes: votes.check,
    Governor: governor.check,
    Policy: policy.check,
    Oracle: oracle.check,
}


def check(contracts: Sequence[Contract]) -> list[str]:
    """Violations as sentences, each with the contract's name; then those between contracts."""
    problems = [f"{contract.name}: {problem}" for contract in contracts for problem in CHECKS[type(contract)](contract)]
    return [*problems, *(f"between contracts: {problem}" for problem in _check_between(contracts))]


def _check_between(contracts: Sequence[Contract]) -> Iterator[str]:
    by_type: dict[type[Contract], Any] = {type(contract): contract for contract in contracts}
    leases: Market = by_type[Market]
    yield from _check_accrual(leases, by_type[Escrow])
    yield from _check_nodes(leases, by_type[Nodes])
    power: Votes = by_type[Votes]
    held = {account: holding.held for account, holding in power.state.holdings.items() if holding.held}
    if held != governor.held(by_type[Governor]):
        yield "what is held of locked FLUX is not what open proposals stand with"
    suspects = [node for node, load in leases.state.loads.items() if load.suspect]
    watched = list(by_type[Probes].state.suspects)
    if suspects != watched:
        yield f"the market takes nodes {suspects} for suspect, the probes {watched}"


def _check_accrual(leases: Market, money: Escrow) -> Iterator[str]:
    """Exactly what runs is paid, at the rate and to the node of its lease, and whoever holds images ready."""
    running = {
        (lease.app, id): (lease.node, 0 if lease.usd_rate else lease.rate, lease.usd_rate)
        for id, lease in leases.state.leases.items()
        if lease.state is LeaseState.RUNNING
    }
    for app, known in leases.state.standbys.items():
        for item in known.nodes:
            if item.ready_at:
                running[app, item.number] = (item.node, 0 if item.usd_rate else item.rate, item.usd_rate)
    accruing = {key: (accrual.node, accrual.rate, accrual.usd_rate) for key, accrual in money.state.accruals.items()}
    if running != accruing:
        yield f"running leases and ready standbys {running} are not what accrues: {accruing}"


def _check_nodes(leases: Market, machines: Nodes) -> Iterator[str]:
    """Only nodes that are active or leave hold leases, and one that leaves holds some or is gone."""
    for id, node in machines.state.nodes.items():
        load = leases.state.loads.find(id)
        holds = load is not None and bool(load.leases)
        if holds and node.status not in (NodeStatus.ACTIVE, NodeStatus.LEAVING):
            yield f"node {id} is {node.status.name} and holds leases"
        if not holds and node.status is NodeStatus.LEAVING:
            yield f"node {id} is leaving and holds nothing"

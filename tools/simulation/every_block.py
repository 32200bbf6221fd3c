"""The invariants that a block can break, checked over what it changed: quick enough after every block of a large run.

After every block: the cap; conservation of value to the wei; no negative balance; the emission schedule; every
contract's balance against the sum of what it holds for others; every changed app's escrow (never below what is owed);
every changed lease in exactly one state, index and load; every changed pool's shares; suspects; who accrues. What no
change of the block touched held before and still holds. `flux.protocol.invariants` checks everything from scratch;
the run calls it every so many blocks and at the end, and a test holds both against each other.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from flux.contracts.accounts import invariants as accounts
from flux.contracts.accounts.contract import Accounts
from flux.contracts.apps.types import AppId
from flux.contracts.escrow import invariants as escrow
from flux.contracts.escrow.contract import Escrow
from flux.contracts.escrow.rules import total
from flux.contracts.market.contract import Market
from flux.contracts.market.rules import needs_of
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.probes.contract import Probes
from flux.contracts.rewards import invariants as rewards
from flux.contracts.rewards.contract import Rewards
from flux.contracts.rewards.rules import accrued
from flux.contracts.slashing.contract import Slashing
from flux.contracts.slashing.types import Case, CaseState
from flux.contracts.staking.contract import Staking
from flux.contracts.staking.rules import value_of
from flux.kernel.contract import Contract
from flux.kernel.storage import Map
from flux.primitives.types import Address
from tools.simulation.recorded import RecordedWorld

C = TypeVar("C", bound=Contract)
_HOLDS = (NodeStatus.ACTIVE, NodeStatus.LEAVING)


class Sum:
    """What a contract holds for others under one collection, kept up to date key by key."""

    def __init__(self, collection: Map[Any, Any], part: Callable[[Any], int]) -> None:
        self._collection = collection
        self._part = part
        self._parts: dict[Any, int] = {}
        self.total = 0

    def update(self, written: set[bytes]) -> None:
        """Take in what was written to the contract."""
        for stored in written:
            key = self._collection.key_in(stored)
            if key is None:
                continue
            value = self._collection.find(key)
            part = 0 if value is None else self._part(value)
            self.total += part - self._parts.get(key, 0)
            self._parts[key] = part


class EveryBlock:
    """Checks one economy block by block, from its first block on."""

    def __init__(self, world: RecordedWorld, contracts: Sequence[Contract]) -> None:
        def of(kind: type[C]) -> C:
            return next(contract for contract in contracts if isinstance(contract, kind))

        self._world = world
        self._accounts, self._rewards = of(Accounts), of(Rewards)
        self._market, self._escrow = of(Market), of(Escrow)
        self._staking, self._nodes, self._probes = of(Staking), of(Nodes), of(Probes)
        slashing = of(Slashing)
        self._sums: list[tuple[Contract, list[Sum]]] = [
            (self._escrow, [Sum(self._escrow.state.accounts, lambda account: total(account.deposits))]),
            (
                self._staking,
                [
                    Sum(self._staking.state.pools, lambda pool: pool.stake),
                    Sum(self._staking.state.batches, lambda batch: batch.amount),
                ],
            ),
            (slashing, [Sum(slashing.state.cases, _deposits)]),
        ]
        self._holders: defaultdict[NodeId, set[Address]] = defaultdict(set)
        """Accounts that have, or had, shares of a node."""
        self._owed: dict[NodeId, int] = {}
        self._owed_total = 0

    def check(self) -> list[str]:
        """Violations as sentences."""
        written = self._world.take_written()
        return [
            *accounts.check(self._accounts),
            *accounts.check_total(self._accounts, self._world.total_held()),
            *([f"an account holds {low} wei"] if (low := self._world.least_balance()) < 0 else []),
            *rewards.check_budget(self._rewards),
            *self._check_sums(written),
            *self._check_apps(written),
            *self._check_nodes(written),
            *self._check_pools(written),
        ]

    def _check_sums(self, written: dict[Address, set[bytes]]) -> Iterator[str]:
        for contract, sums in self._sums:
            for item in sums:
                item.update(written.get(contract.address, set()))
            held = sum(item.total for item in sums)
            if contract.host.balance() != held:
                yield f"{contract.name} holds {contract.host.balance()} wei and its records say {held}"

    def _check_apps(self, written: dict[Address, set[bytes]]) -> Iterator[str]:
        market, money = self._market.state, self._escrow.state
        apps: set[AppId] = set()
        for stored in written.get(self._escrow.address, ()):
            if (app := money.accounts.key_in(stored)) is not None:
                apps.add(app)
            if (pair := money.accruals.key_in(stored)) is not None:
                apps.add(pair[0])
        for stored in written.get(self._market.address, ()):
            if (app := market.by_app.key_in(stored)) is not None:
                apps.add(app)
            if (id := market.leases.key_in(stored)) is not None and (lease := market.leases.find(id)) is not None:
                apps.add(lease.app)
                yield from self._check_lease(id, lease)
        for app in sorted(apps):
            yield from self._check_app(app)

    def _check_lease(self, id: LeaseId, lease: Lease) -> Iterator[str]:
        """It is in exactly the state that its indices say."""
        state = self._market.state
        by_app = state.by_app.find(lease.app)
        load = state.loads.find(lease.node)
        is_open = lease.state is not LeaseState.CLOSED
        found = (
            by_app is not None and id in by_app.leases,
            load is not None and id in load.leases,
            (lease.app, lease.closed_at, id) not in state.closed,
        )
        if lease.id != id or found != (is_open,) * 3:
            yield f"lease {id} is {lease.state.name} and its indices say {found}"
        if is_open and load is not None and load.suspect != (lease.state is LeaseState.SUSPECT):
            yield f"lease {id} is {lease.state.name} on a node that is {'' if load.suspect else 'not '}suspect"

    def _check_app(self, app: AppId) -> Iterator[str]:
        """Exactly what runs accrues, at its rate and for its node, and the account covers what is owed."""
        by_app = self._market.state.by_app.find(app)
        leases = [] if by_app is None else [self._market.state.leases.get(id) for id in by_app.leases]
        running = {
            lease.id: (lease.node, 0 if lease.usd_rate else lease.rate, lease.usd_rate)
            for lease in leases
            if lease.state is LeaseState.RUNNING
        }
        found = dict(self._escrow.state.accruals.under(app.to_bytes(8, "big")))
        if running != {id: (accrual.node, accrual.rate, accrual.usd_rate) for (_, id), accrual in found.items()}:
            yield f"app {app} runs {running}, which is not what accrues"
        account = self._escrow.state.accounts.find(app)
        if account is None:
            if found:
                yield f"app {app} accrues without an account"
            return
        yield from (f"account {app}: {problem}" for problem in escrow.check_account(account, list(found.values())))

    def _check_nodes(self, written: dict[Address, set[bytes]]) -> Iterator[str]:
        keys = written.get(self._market.address, set())
        nodes = {node for stored in keys if (node := self._market.state.loads.key_in(stored)) is not None}
        keys = written.get(self._nodes.address, set())
        nodes |= {node for stored in keys if (node := self._nodes.state.nodes.key_in(stored)) is not None}
        for node in sorted(nodes):
            yield from self._check_node(node)

    def _check_node(self, node: NodeId) -> Iterator[str]:
        load, record = self._market.state.loads.find(node), self._nodes.state.nodes.get(node)
        if load is None:
            return
        sums = [0, 0, 0, 0]
        for id in load.leases:
            lease = self._market.state.leases.get(id)
            for index, amount in enumerate(needs_of(self._market.spec_of(lease))):
                sums[index] += amount
            if lease.node != node or lease.state is LeaseState.CLOSED:
                yield f"node {node} counts lease {id}, which is {lease.state.name} on node {lease.node}"
        taken = [load.cpu_milli, load.memory_mib, load.disk_mib, load.gpu_count]
        hardware = record.hardware
        offered = [hardware.cpu_milli, hardware.memory_mib, hardware.disk_mib, hardware.gpu_count]
        if taken != sums:
            yield f"the load of node {node} is {taken} and its leases take {sums}"
        if any(used > most for used, most in zip(taken, offered, strict=True)):
            yield f"node {node} holds {taken} and has {offered}"
        if load.leases and record.status not in _HOLDS:
            yield f"node {node} is {record.status.name} and holds leases"
        if load.suspect != (node in self._probes.state.suspects):
            yield f"node {node} is suspect by one record only"

    def _check_pools(self, written: dict[Address, set[bytes]]) -> Iterator[str]:
        """Shares sum to the pool's and are worth no more than it holds; rewards that are owed are held."""
        state, nodes = self._staking.state, set[NodeId]()
        for stored in written.get(self._staking.address, ()):
            if (pair := state.positions.key_in(stored)) is not None:
                self._holders[pair[1]].add(pair[0])
                nodes.add(pair[1])
            if (node := state.pools.key_in(stored)) is not None:
                nodes.add(node)
        for node in sorted(nodes):
            yield from self._check_pool(node)
        for stored in written.get(self._rewards.address, ()):
            if (claim := self._rewards.state.claims.key_in(stored)) is not None:
                self._holders[claim[1]].add(claim[0])
                nodes.add(claim[1])
            if (node := self._rewards.state.nodes.key_in(stored)) is not None:
                nodes.add(node)
        for node in nodes:
            owed = self._owed_of(node)
            self._owed_total += owed - self._owed.get(node, 0)
            self._owed[node] = owed
        if self._owed_total > self._rewards.host.balance():
            yield f"{self._owed_total} wei of rewards are owed and {self._rewards.host.balance()} are held"

    def _check_pool(self, node: NodeId) -> Iterator[str]:
        pool = self._staking.state.pools.get(node)
        found = [self._staking.state.positions.find((account, node)) for account in self._holders[node]]
        shares = [position.shares for position in found if position is not None]
        if sum(shares) != pool.shares:
            yield f"positions in node {node} hold {sum(shares)} shares but the pool counts {pool.shares}"
        if sum(value_of(part, pool.stake, pool.shares) for part in shares) > pool.stake:
            yield f"shares of node {node} are worth more than the pool holds"
        if (pool.shares == 0) != (pool.stake == 0):
            yield f"the pool of node {node} has {pool.shares} shares for {pool.stake} wei"

    def _owed_of(self, node: NodeId) -> int:
        record, owed = self._rewards.state.nodes.find(node), 0
        for account in self._holders[node]:
            claim = self._rewards.state.claims.find((account, node))
            if claim is not None:
                now = claim.paid if record is None else record.per_share
                owed += claim.owed + accrued(self._rewards.shares_of(account, node), claim.paid, now)
        return owed


def _deposits(case: Case) -> int:
    """What a case holds: the reporter's deposit, and the operator's once it is appealed."""
    if case.state is CaseState.OPEN:
        return case.deposit
    return 2 * case.deposit if case.state in (CaseState.APPEALED, CaseState.COMMITTING, CaseState.REVEALING) else 0

"""Which wanted instances serve: a lease that runs on a machine that is up. Kept in step by the chain's events."""

from collections import Counter, defaultdict

from flux.contracts.apps.types import AppId
from flux.contracts.market.contract import Market
from flux.contracts.market.types import LeaseClosed, LeaseId, LeaseRunning, Ordinal
from flux.contracts.nodes.types import NodeId
from tools.simulation.economy import Economy

Instance = tuple[AppId, Ordinal]


class Serving:
    """Counts of one fleet."""

    def __init__(self, economy: Economy) -> None:
        self._market = economy.contract(Market)
        self._on: defaultdict[NodeId, dict[LeaseId, Instance]] = defaultdict(dict)
        """Leases that run, by node."""
        self._down: set[NodeId] = set()
        self._serving: Counter[Instance] = Counter()
        self.wanted: dict[Instance, None] = {}
        self.count = 0
        """Wanted instances that at least one lease serves."""
        self.moves: Counter[Instance] = Counter()
        """Times that an instance began to run somewhere, after its first."""
        self._ran: set[Instance] = set()
        economy.watch(LeaseRunning, self._running)
        economy.watch(LeaseClosed, self._closed)

    @property
    def missing(self) -> int:
        """Wanted instances that nobody serves."""
        return len(self.wanted) - self.count

    def want(self, app: AppId, instances: int) -> None:
        """A tenant wants so many."""
        for number in range(instances):
            self.wanted[app, Ordinal(number)] = None  # type: ignore[arg-type]

    def leases_on(self, node: NodeId) -> int:
        """Leases that run there by the chain."""
        return len(self._on[node])

    def serves(self, instance: Instance) -> bool:
        """Whether anybody serves it."""
        return self._serving[instance] > 0

    def set_up(self, node: NodeId, *, up: bool) -> None:
        """A machine went, or came back."""
        if up != (node in self._down):
            return
        if up:
            self._down.discard(node)
        else:
            self._down.add(node)
        for instance in self._on[node].values():
            self._change(instance, 1 if up else -1)

    def _running(self, event: LeaseRunning) -> None:
        lease = self._market.state.leases.get(event.lease)
        instance = (lease.app, lease.ordinal)
        if instance in self._ran:
            self.moves[instance] += 1
        self._ran.add(instance)
        self._on[event.node][event.lease] = instance
        if event.node not in self._down:
            self._change(instance, 1)

    def _closed(self, event: LeaseClosed) -> None:
        instance = self._on[event.node].pop(event.lease, None)
        if instance is not None and event.node not in self._down:
            self._change(instance, -1)

    def _change(self, instance: Instance, by: int) -> None:
        before = self._serving[instance]
        self._serving[instance] = before + by
        if instance in self.wanted and (before > 0) != (before + by > 0):
            self.count += 1 if by > 0 else -1

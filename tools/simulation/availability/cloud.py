"""A cloud on a virtual clock, one block a second: machines that come and go, committees that watch, agents that act.

A block takes no more of agents' free calls than the protocol's lane does; the others wait, in the order of a mempool.
"""

import heapq
import random
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import AppId, AppSpec, Component, Constraints, Http, Port, encode_spec
from flux.contracts.escrow.contract import Escrow
from flux.contracts.market.contract import Market
from flux.contracts.market.rollout_types import Rollout
from flux.contracts.market.types import Lease, LeaseAssigned, LeaseClosed, LeaseId
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeId, NodeStatus, Tier
from flux.contracts.probes.contract import Probes
from flux.contracts.probes.types import NodeRestored, NodeUnreachable
from flux.primitives.types import U16, WEI_PER_FLUX
from flux.protocol.params import DEFAULT
from tools.simulation.availability.hosts import GOOD, Hosts
from tools.simulation.availability.serving import Serving
from tools.simulation.behaviours import Honest
from tools.simulation.economy import Economy, person
from tools.simulation.population import PLACES, Machine, Population

NOTICED = 2
"""Seconds until two probes of a member failed."""
VOTE_AGAIN = 5
"""Seconds after which a member that still cannot reach its target tries to vote again."""
ACTIVATE_AGAIN = 10
START_SECONDS = (1, 5)
"""From a lease until its container runs: pull, create, start."""
LOOK_AGAIN = 2
_TIERS, _TIER_WEIGHTS = (Tier.CUMULUS, Tier.NIMBUS, Tier.STRATUS), (6, 3, 1)
_MACHINES_PER_OPERATOR = (1, 1, 1, 2, 3, 5)
_DAYS_PAID = 30
LARGEST = "DE"
"""A country with more than a third of all nodes, as the real network has one with a third."""
_PLACES = (*PLACES, *[("EU", LARGEST)] * 14)


class Second(NamedTuple):
    """One block."""

    missing: int
    """Wanted instances that nobody serves."""
    transactions: int
    gas: int


class Cloud:
    """Everything of one scenario."""

    def __init__(self, nodes: int, seed: int, check_every: int) -> None:
        self.draw = random.Random(seed)
        self.economy = Economy(DEFAULT, check_every=check_every)
        self.economy.begin()
        self.population = Population(self.economy, self.draw, _PLACES)
        self.hosts, self.serving = Hosts(self.economy), Serving(self.economy)
        self._apps, self._escrow = self.economy.contract(Apps), self.economy.contract(Escrow)
        self._market = self.economy.contract(Market)
        self._nodes, self.probes = self.economy.contract(Nodes), self.economy.contract(Probes)
        self._wakes: list[tuple[int, NodeId, LeaseId]] = []
        self._lost: dict[NodeId, int] = {}
        """Machines that are down and not given up, and when their committees vote next."""
        self._suspended: dict[NodeId, int] = {}
        """Nodes that were given up, and when they may try to come back."""
        self._votes: deque[tuple[NodeId, Machine]] = deque()
        """That wait for room in a block."""
        self._looking: dict[NodeId, None] = {}
        """Hosts that wait likewise."""
        self._said_alive: set[NodeId] = set()
        self.seconds: list[Second] = []
        self.owners: dict[AppId, int] = {}
        for event, seen in (
            (LeaseAssigned, self._assigned),
            (LeaseClosed, self._closed),
            (NodeUnreachable, self._gave_up),
            (NodeRestored, self._restored),
        ):
            self.economy.watch(event, seen)
        self._join(nodes)

    @property
    def now(self) -> int:
        """Protocol time."""
        return int(self.economy.now)

    def machines_in(self, country: str) -> list[Machine]:
        """Machines that really stand there."""
        return [machine for machine in self.population.machines.values() if machine.place[1] == country]

    def deploy(self, apps: int) -> None:
        """So many more apps, in this block."""
        for _ in range(apps):
            number = len(self.owners)
            spec, instances = self.spec(GOOD), self.draw.choice((1, 1, 2, 3))
            data = encode_spec(spec)
            quote = int(self.economy.view(self._escrow.quote, data, U16(instances)))
            owner = self.economy.fund(person("tenant", number), _DAYS_PAID * 24 * quote // WEI_PER_FLUX + 1)
            deposit = _DAYS_PAID * 24 * quote
            app = self.economy.send(owner, self._apps.deploy, f"app-{number}", U16(instances), data, b"", value=deposit)
            self.owners[app] = number
            self.serving.want(app, instances)

    def update(self, app: AppId, spec: AppSpec) -> bool:
        """Another revision of an app; whether the chain took it."""
        owner, instances = person("tenant", self.owners[app]), self._apps.state.apps.get(app).instances
        return self.economy.attempt(owner, self._apps.update, app, instances, encode_spec(spec), b"") is None

    def spec(self, image: str, restart: str = "always") -> AppSpec:
        """A small web app."""
        component = Component(
            name="web", image=image, cpu_milli=250, memory_mib=256, disk_mib=2_000, ports=(Port(80),), restart=restart
        )
        return AppSpec((component,), http=Http("web", 80), constraints=Constraints())

    def open_leases(self, node: NodeId) -> list[Lease]:
        """What a node runs or should run."""
        state = self._market.state
        return [state.leases.get(id) for id in state.loads.get(node).leases]

    def rollout(self, app: AppId) -> Rollout:
        """How the last update of an app stands; there was one."""
        return self._market.state.rollouts.get(app)

    def hosting(self) -> list[Machine]:
        """Machines that run something."""
        return [machine for id, machine in self.population.machines.items() if self.serving.leases_on(id)]

    def set_up(self, machine: Machine, *, up: bool) -> None:
        """Cut a machine off, or connect it again; what runs on it goes on running."""
        if machine.is_up == up:
            return
        machine.is_up = up
        self.serving.set_up(machine.id, up=up)
        if not up:
            self._lost[machine.id] = self.now + NOTICED
            return
        self._lost.pop(machine.id, None)
        for lease in self.hosts.by_node[machine.id].todo:
            self._wake(machine.id, lease, 1)

    async def second(self) -> Second:
        """One second and one block."""
        self._vote()
        self._answer()
        self._return()
        await self._act()
        self.economy.block(1)
        load = self.economy.last_load
        found = Second(self.serving.missing, load.transactions, load.gas)
        self.seconds.append(found)
        return found

    def _join(self, nodes: int) -> None:
        honest = Honest()
        while len(self.population.machines) < nodes:
            count = min(self.draw.choice(_MACHINES_PER_OPERATOR), nodes - len(self.population.machines))
            self.population.join(honest, self.draw.choices(_TIERS, _TIER_WEIGHTS, k=count))
        for machine in self.population.machines.values():
            self.hosts.add(machine)
        self.economy.block(1)

    def _vote(self) -> None:
        """Members that failed to reach a target twice vote against it, while that can have an effect."""
        now, suspects = self.now, set(self.probes.state.suspects)
        fresh: list[tuple[NodeId, Machine]] = []
        for node, at in list(self._lost.items()):
            if node in suspects or at > now:
                continue
            self._lost[node] = now + VOTE_AGAIN
            fresh += [(node, member) for member in self._up(self.economy.view(self.probes.committee, node))]
        self.draw.shuffle(fresh)
        self._votes.extend(fresh)
        while self._votes and self._has_room():
            node, member = self._votes.popleft()
            if node in self._lost and member.is_up:
                self.economy.attempt(member.agent, self.probes.suspect, node)

    def _answer(self) -> None:
        """Suspects that can be reached say so; their second committees reach them."""
        for node in list(self.probes.state.suspects):
            machine = self.population.machines[node]
            if not machine.is_up or node in self._said_alive or not self._has_room():
                continue
            self._said_alive.add(node)
            self.economy.attempt(machine.agent, self.probes.alive)
            for member in self._up(self.economy.view(self.probes.second_committee, node)):
                if self.economy.attempt(member.agent, self.probes.reached, node) is not None:
                    break

    def _return(self) -> None:
        """Nodes that were given up and are there again activate, as soon as they may."""
        for node, at in list(self._suspended.items()):
            machine = self.population.machines[node]
            if not machine.is_up or at > self.now:
                continue
            self._suspended[node] = self.now + ACTIVATE_AGAIN
            if self.economy.attempt(machine.agent, self._nodes.activate) is None:
                del self._suspended[node]

    async def _act(self) -> None:
        """Agents whose time has come look at their instances."""
        while self._wakes and self._wakes[0][0] <= self.now:
            _, node, lease = heapq.heappop(self._wakes)
            self.hosts.by_node[node].todo.add(lease)
            if self.population.machines[node].is_up:
                self._looking[node] = None
        while self._looking and self._has_room():
            node = next(iter(self._looking))
            del self._looking[node]
            if await self.hosts.look(node):
                for lease in self.hosts.by_node[node].todo:
                    self._wake(node, lease, LOOK_AGAIN)

    def _wake(self, node: NodeId, lease: LeaseId, after: int) -> None:
        heapq.heappush(self._wakes, (self.now + after, node, lease))

    def _has_room(self) -> bool:
        """Whether the block takes more of the free calls that agents report with."""
        return self.economy.load.gas < self.economy.params.chain.lane_gas_limit

    def _up(self, members: Iterable[NodeId]) -> list[Machine]:
        machines = (self.population.machines[member] for member in members)
        return [machine for machine in machines if machine.is_up]

    def _assigned(self, event: LeaseAssigned) -> None:
        self._wake(event.node, event.lease, self.draw.randint(*START_SECONDS))

    def _closed(self, event: LeaseClosed) -> None:
        self._wake(event.node, event.lease, 1)

    def _gave_up(self, event: NodeUnreachable) -> None:
        self._lost.pop(event.node, None)
        self._said_alive.discard(event.node)
        if self._nodes.state.nodes.get(event.node).status is NodeStatus.SUSPENDED:
            self._suspended[event.node] = self.now + ACTIVATE_AGAIN

    def _restored(self, event: NodeRestored) -> None:
        self._said_alive.discard(event.node)
        if not self.population.machines[event.node].is_up:
            self._lost[event.node] = self.now

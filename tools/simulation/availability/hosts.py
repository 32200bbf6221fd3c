"""Hosts: an in-memory engine for each node, driven by the agent's own plan and applier.

The agent's loop is not here: it waits for real time. What it decides by (`plan_instance`, `plan_removal`) and what it
does with a plan (`Applier`) are; a host looks when the simulation says so.
"""

import asyncio
import itertools
from dataclasses import dataclass, field, replace

from flux.agent.apply import Applier
from flux.agent.desired import DesiredInstance, Lock, NodeFacts
from flux.agent.observed import group
from flux.agent.plan import Memory, plan_instance, plan_removal
from flux.agent.ports import PortPool
from flux.contracts.apps.contract import Apps
from flux.contracts.market.contract import Market
from flux.contracts.market.types import FailReason, LeaseId, LeaseState, PortBinding
from flux.runtime.labels import LEASE, ChainName, node_labels
from flux.runtime.memory import MemoryEngine, MemoryRuntime, Process
from flux.runtime.types import ImageReference
from tools.simulation.economy import Economy
from tools.simulation.population import Machine

CHAIN = ChainName("simulation")
GOOD = "registry.example/web@sha256:" + "ab" * 32
NEWER = "registry.example/web@sha256:" + "12" * 32
GONE = "registry.example/web@sha256:" + "cd" * 32
"""A digest that no registry has."""
BROKEN = "registry.example/web@sha256:" + "ef" * 32
"""An image that ends as soon as it starts."""
_ROUNDS = 10
"""Looks at one instance in a row; each plan needs one of them."""
_FIRST_PORT, _LAST_PORT = 20_000, 40_000


async def end_at_once(process: Process) -> int:
    """A program that does not run."""
    return 1


class ChainClock:
    """Protocol time as the engines' clock; nothing sleeps by it, for the simulation moves it between looks."""

    def __init__(self, economy: Economy) -> None:
        self._economy = economy

    def now(self) -> float:
        """Seconds."""
        return float(self._economy.now)

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(0)


class CountedPorts(PortPool):
    """Ports in turn, without asking this machine's sockets."""

    def _take(self, host: str, protocol: str) -> int:
        taken, self._next = self._next, self.first if self._next == self.last else self._next + 1
        return taken


class Reports:
    """What an agent tells the chain; a refusal is over, as in the agent."""

    def __init__(self, economy: Economy, machine: Machine) -> None:
        self._economy, self._machine = economy, machine
        self._market = economy.contract(Market)

    async def confirm(self, lease: LeaseId, bindings: tuple[PortBinding, ...]) -> bool:
        """The instance runs."""
        call = self._market.confirm
        return self._economy.attempt(self._machine.agent, call, lease, list(bindings)) is None

    async def fail(self, lease: LeaseId, reason: FailReason, detail: str) -> bool:
        """The instance cannot run."""
        return self._economy.attempt(self._machine.agent, self._market.fail, lease, reason, detail) is None

    async def stalled(self, lease: LeaseId) -> bool:
        """Nothing of a running lease runs for now."""
        return self._economy.attempt(self._machine.agent, self._market.stall, lease) is None

    async def resumed(self, lease: LeaseId) -> bool:
        """A stalled lease runs again."""
        return self._economy.attempt(self._machine.agent, self._market.resume, lease) is None

    async def stopped(self, lease: LeaseId) -> bool:
        """Nothing of a closed lease runs any more."""
        return self._economy.attempt(self._machine.agent, self._market.stopped, lease) is None


@dataclass(slots=True)
class Host:
    """One node's agent and engine."""

    machine: Machine
    facts: NodeFacts
    runtime: MemoryRuntime
    applier: Applier
    memories: dict[LeaseId, Memory] = field(default_factory=dict)
    todo: set[LeaseId] = field(default_factory=set)
    """Leases to look at."""


class Hosts:
    """All of them."""

    def __init__(self, economy: Economy) -> None:
        self._economy = economy
        self._clock = ChainClock(economy)
        self._market, self._apps = economy.contract(Market), economy.contract(Apps)
        self._labels = itertools.count()
        self.by_node: dict[int, Host] = {}
        self.actions = 0
        """Plans that were carried out."""

    def add(self, machine: Machine) -> None:
        """A machine with an empty engine; every registry has the same images."""
        engine = MemoryEngine(self._clock)
        engine.add_image(ImageReference(GOOD))
        engine.add_image(ImageReference(NEWER))
        engine.add_image(ImageReference(BROKEN), end_at_once)
        runtime = MemoryRuntime(engine)
        ports = CountedPorts(_FIRST_PORT, _LAST_PORT)
        applier = Applier(runtime, Reports(self._economy, machine), ports)
        facts = NodeFacts(CHAIN, machine.id, machine.place[1], "", "0.0.0.0")
        self.by_node[machine.id] = Host(machine, facts, runtime, applier)

    def refuse_newer(self, node: int) -> None:
        """From now on a node says of the newer image that there is none."""
        self.by_node[node].runtime.engine.registry.pop(ImageReference(NEWER))

    def running(self, node: int) -> int:
        """Containers that run on a node, wanted or not."""
        return sum(item.is_running for item in self.by_node[node].runtime.engine.containers.values())

    async def look(self, node: int) -> bool:
        """Work on what is to do on a node until nothing more can be done now. Whether it should look again soon."""
        host = self.by_node[node]
        todo, host.todo = sorted(host.todo), set()
        for lease in todo:
            if not await self._settle(host, lease):
                host.todo.add(lease)
        return bool(host.todo)

    async def close(self) -> None:
        """End every program."""
        for host in self.by_node.values():
            await host.runtime.engine.__aexit__(None, None, None)

    async def _settle(self, host: Host, id: LeaseId) -> bool:
        """Whether the instance is as it should be, or gone."""
        for _ in range(_ROUNDS):
            lease = self._market.state.leases.find(id)
            labels = {**node_labels(CHAIN, host.machine.id), LEASE: str(id)}
            views, networks = await host.runtime.list_containers(labels), await host.runtime.list_networks(labels)
            observed = group(views, networks, {}).get(id)
            if lease is None or lease.state is LeaseState.CLOSED:
                host.memories.pop(id, None)
                if observed is None:
                    return True
                plan = plan_removal(observed)
            else:
                app = self._apps.state.apps.get(lease.app)
                desired = DesiredInstance(lease, app.name, self._apps.app_spec(lease.app, lease.revision), Lock.OPEN)
                memory = host.memories.setdefault(id, Memory(self._clock.now()))
                images = frozenset(host.runtime.engine.images)
                plan = plan_instance(host.facts, desired, observed, images, memory, self._clock.now())
            if not plan.actions:
                return not plan.waiting_for
            self.actions += 1
            if id in host.memories:
                host.memories[id] = host.memories[id].after(plan.actions, self._clock.now())
            outcome = await host.applier.apply(id, plan.actions)
            await asyncio.sleep(0)  # what was started may end at once
            if id in host.memories:
                known = host.memories[id]
                confirmed = known.confirmed or outcome.confirmed
                host.memories[id] = replace(known, failure=outcome.failure, confirmed=confirmed)
            if outcome.retry_after:
                return False
        return False

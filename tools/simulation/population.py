"""Operators and their machines: what a machine is, what its operator says of it, and how the operator behaves."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flux.contracts.market.contract import Market
from flux.contracts.market.types import LeaseAssigned, LeaseClosed, LeaseId, LeaseRunning, LeaseState, PortBinding
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Architecture, Ask, Endpoint, Hardware, Location, NodeId, Tier
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U16, U32, U64, WEI_PER_FLUX, Address
from tools.simulation.economy import Economy, person

PLACES = (
    *(("EU", country) for country in ("DE", "FR", "NL", "PL", "FI", "CZ", "ES", "IT", "SE", "RO")),
    *(("NA", country) for country in ("US", "CA", "MX")),
    *(("AS", country) for country in ("JP", "SG", "IN", "KR")),
    ("OC", "AU"), ("SA", "BR"), ("AF", "ZA"),
)  # fmt: skip
MACHINES = {
    Tier.CUMULUS: (4_000, 7_168, 225_280),
    Tier.NIMBUS: (8_000, 30_720, 450_560),
    Tier.STRATUS: (16_000, 62_464, 901_120),
}
"""What a machine of a tier has at the least (DESIGN §5): milli-cores, MiB of memory, MiB of disk."""
_NODES_PER_NETWORK = 4


class Behaviour(Protocol):
    """What the population asks of a way to behave (behaviours.py)."""

    name: str
    conspires: bool

    def declared(self, tier: Tier) -> Tier: ...
    def place(self, real: tuple[str, str], draw: random.Random) -> tuple[str, str]: ...
    def starts(self) -> bool: ...


@dataclass(slots=True)
class Machine:
    """One node, as its operator knows it."""

    id: NodeId
    agent: Address
    operator: "Operator"
    tier: Tier
    """What the machine really is."""
    declared: Tier
    """What its operator says that it is, and staked for."""
    place: tuple[str, str]
    """Where it really is: continent and country."""
    asks: tuple[int, int, int, int]
    """What it asked for on the first day."""
    is_up: bool = True
    served: int = 0
    """Of this epoch's probes, those that it could answer."""


@dataclass(slots=True)
class Operator:
    """Somebody with machines and a way of behaving."""

    number: int
    behaviour: str
    conspires: bool
    """Whether it belongs to the one conspiracy."""
    machines: list[Machine] = field(default_factory=list)

    @property
    def address(self) -> Address:
        """The cold key's address."""
        return person("operator", self.number)


class Population:
    """All operators, and what agents do by themselves."""

    def __init__(self, economy: Economy, draw: random.Random, places: Sequence[tuple[str, str]] = PLACES) -> None:
        """`places`: where machines stand, each as likely as the others; one may be named again."""
        self._economy = economy
        self._nodes = economy.contract(Nodes)
        self._market = economy.contract(Market)
        self._draw = draw
        self._places = places
        self._registered = 0
        self._assigned: list[LeaseId] = []
        economy.watch(LeaseAssigned, lambda event: self._assigned.append(event.lease))
        self.started = 0
        """Leases that ever ran."""
        economy.watch(LeaseRunning, self._ran)
        economy.watch(LeaseClosed, self._closed)
        self._running: set[LeaseId] = set()
        self.operators: list[Operator] = []
        self.machines: dict[NodeId, Machine] = {}

    @property
    def running(self) -> int:
        """Leases that run now, suspect ones included."""
        return len(self._running)

    def join(self, behaviour: Behaviour, tiers: Sequence[Tier]) -> Operator:
        """A new operator with a machine of each of these tiers, declared as its behaviour has it, and active."""
        operator = Operator(len(self.operators), behaviour.name, behaviour.conspires)
        self.operators.append(operator)
        for tier in tiers:
            self._register(operator, behaviour, tier)
        return operator

    def _register(self, operator: Operator, behaviour: Behaviour, tier: Tier) -> None:
        declared = behaviour.declared(tier)
        number, self._registered = self._registered, self._registered + 1
        where = self._draw.choice(self._places)
        stake = int(self._economy.params.nodes.tiers[declared - 1].stake)
        agent, ask = person("agent", number), self._ask()
        self._economy.fund(operator.address, stake // WEI_PER_FLUX)
        id: NodeId = self._economy.send(
            operator.address,
            self._nodes.register,
            agent,
            _endpoint(number),
            Location(*behaviour.place(where, self._draw), ""),
            _hardware(declared),
            ask,
            value=stake,
        )
        self._economy.send(agent, self._nodes.activate)
        machine = Machine(id, agent, operator, tier, declared, where, (ask.cpu, ask.memory, ask.disk, ask.gpu))
        operator.machines.append(machine)
        self.machines[id] = machine

    def of(self, behaviour: str) -> list[Operator]:
        """The operators that behave so."""
        return [operator for operator in self.operators if operator.behaviour == behaviour]

    def start_leases(self, behaviours: Mapping[str, Behaviour]) -> int:
        """Every machine that is up confirms what it was assigned, unless it never does; how many leases that were."""
        assigned, self._assigned = self._assigned, []
        started = 0
        for id in assigned:
            lease = self._economy.view(self._market.lease, id)
            machine = self.machines[lease.node]
            if lease.state is LeaseState.ASSIGNED and machine.is_up and behaviours[machine.operator.behaviour].starts():
                started += 1
                self._economy.attempt(machine.agent, self._market.confirm, id, [_BINDING])
        self.started += started
        return started

    def _ran(self, event: LeaseRunning) -> None:
        self._running.add(event.lease)

    def _closed(self, event: LeaseClosed) -> None:
        self._running.discard(event.lease)

    def _ask(self) -> Ask:
        def price(usual: int) -> U64:
            return U64(int(usual * self._draw.uniform(0.5, 2)))

        return Ask(price(2_000_000), price(800_000), price(5_000), U64(0))


def _hardware(tier: Tier) -> Hardware:
    cpu, memory, disk = MACHINES[tier]
    return Hardware(U32(cpu), U32(memory), U32(disk), Architecture.AMD64, U8(0), "")


_BINDING = PortBinding("web", U16(80), U16(20_000), U8(6))


def _endpoint(number: int) -> Endpoint:
    network, host = divmod(number, _NODES_PER_NETWORK)
    name = f"endpoint {number}".encode()
    return Endpoint(
        f"10.{network >> 8}.{network & 255}.{host + 1}",
        U16(16127),
        keccak256(b"certificate " + name),
        keccak256(b"seal key " + name),
        residential=False,
        static_ip=True,
    )

"""What placement costs beside the optimum, on random small fleets that are almost full."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from flux.contracts.apps.contract import Apps
from flux.contracts.apps.types import AppSpec, Component, Constraints, encode_spec
from flux.contracts.market.contract import Market
from flux.contracts.market.rules import needs_of
from flux.contracts.market.types import LeaseState, Rejection
from flux.contracts.nodes.types import NodeId, Tier
from flux.primitives.types import U16, U32
from flux.protocol.params import DEFAULT
from tools.simulation.behaviours import Honest
from tools.simulation.economy import Economy, person
from tools.simulation.optimum import Demand, NoAssignment, least_cost
from tools.simulation.population import MACHINES, Population

_NODES = 8
_APPS = 14
_IMAGE = "registry.example/web@sha256:" + "ab" * 32
_DEPOSIT = 10**21


@dataclass(frozen=True, slots=True)
class Comparison:
    """One case: the sums of all rates, wei per second."""

    chosen: int
    optimum: int

    @property
    def excess(self) -> float:
        """By which part the chain's choice costs more than the best."""
        return self.chosen / self.optimum - 1


def compare(cases: int, seed: int, instances: Sequence[int]) -> list[Comparison]:
    """Random cases in which everything fits. `instances`: how many an app may have; with 1 nothing is spread."""
    draw = random.Random(seed)
    found: list[Comparison] = []
    while len(found) < cases:
        case = _case(draw, instances)
        if case is not None:
            found.append(case)
    return found


def _case(draw: random.Random, instances: Sequence[int]) -> Comparison | None:
    """None when not everything found a node, or could have."""
    economy = Economy(DEFAULT)
    economy.begin()
    apps, market = economy.contract(Apps), economy.contract(Market)
    population = Population(economy, draw)
    for _ in range(_NODES):
        population.join(Honest(), [Tier.CUMULUS])
    economy.block()
    demands = []
    for number in range(_APPS):
        spec, wanted = _spec(draw), draw.choice(instances)
        data = encode_spec(spec)
        verdicts = economy.view(market.plan, data, NodeId(U32(1)), U16(_NODES))
        rates = {int(item.node): int(item.rate) for item in verdicts if item.rejection is Rejection.NONE}
        demands.append(Demand(wanted, needs_of(spec)[:3], rates))
        owner = economy.fund(person("tenant", number), 2_000)
        economy.send(owner, apps.deploy, f"app-{number}", U16(wanted), data, b"", value=_DEPOSIT)
    economy.block()
    leases = [lease for _, lease in market.state.leases.items() if lease.state is not LeaseState.CLOSED]
    if len(leases) < sum(demand.instances for demand in demands):
        return None
    capacities = {int(node): MACHINES[machine.tier] for node, machine in population.machines.items()}
    try:
        return Comparison(sum(int(lease.rate) for lease in leases), least_cost(capacities, demands))
    except NoAssignment:
        return None


def _spec(draw: random.Random) -> AppSpec:
    component = Component(
        name="web",
        image=_IMAGE,
        cpu_milli=draw.choice((500, 1_000, 1_500, 2_000)),
        memory_mib=draw.choice((512, 1_024, 2_048)),
        disk_mib=draw.choice((5_000, 20_000, 40_000)),
    )
    return AppSpec((component,), constraints=Constraints())

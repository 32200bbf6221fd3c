"""What committees measure in an epoch: speeds as the machine really has them, round trips from where it really is."""

from flux.contracts.benchmarks.contract import Benchmarks
from flux.contracts.benchmarks.rules import least_distance
from flux.contracts.benchmarks.types import Measurement
from flux.contracts.nodes.types import Tier
from flux.primitives.types import U32
from tools.simulation.behaviours import Honest
from tools.simulation.economy import Economy
from tools.simulation.population import Machine, Population

_NEAREST_US = 2_000
"""Round trip between neighbours."""
_KILOMETRES_PER_SECOND = 140_000
"""As packets travel: fibre that is not laid straight."""


class Measuring:
    """The measuring committees of one chain."""

    def __init__(self, economy: Economy, population: Population, behaviours: dict[str, Honest]) -> None:
        self._economy = economy
        self._population = population
        self._behaviours = behaviours
        self._benchmarks = economy.contract(Benchmarks)

    def measure(self) -> None:
        """Every member that is up measures and reports its targets of this epoch."""
        machines = self._population.machines
        for target in machines.values():
            for id in self._economy.view(self._benchmarks.committee, target.id):
                member = machines[id]
                if member.is_up:
                    told = self._behaviours[member.operator.behaviour].measured(target, self._seen(member, target))
                    self._economy.attempt(member.agent, self._benchmarks.report, target.id, told)

    def _seen(self, member: Machine, target: Machine) -> Measurement:
        if not target.is_up:
            return Measurement(*[U32(0)] * 6)
        distance = least_distance(member.place[1], target.place[1])
        return self._speeds(target.tier, _NEAREST_US + distance * 2_000_000 // _KILOMETRES_PER_SECOND)

    def _speeds(self, tier: Tier, round_trip_us: int) -> Measurement:
        """A tenth above what the tier asks for."""
        needs = self._economy.params.benchmarks.tiers[tier - 1]
        return Measurement(
            cpu_events=U32(needs.cpu_events * 11 // 10),
            memory_mib=U32(4_000),
            disk_mib=U32(needs.disk_mib * 11 // 10),
            disk_latency_us=U32(500),
            network_mbit=U32(needs.network_mbit * 11 // 10),
            round_trip_us=U32(round_trip_us),
        )

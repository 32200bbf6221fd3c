"""Mass outages: a country, once in a while a continent, is gone for hours; what the chain does about it meanwhile."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flux.contracts.market.contract import Market
from flux.contracts.market.types import CloseReason, LeaseClosed
from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeStatus
from flux.contracts.probes.contract import Probes
from tools.simulation.behaviours import ASKED
from tools.simulation.economy import Economy
from tools.simulation.population import PLACES, Machine, Population
from tools.simulation.watch import Watch

COUNTRIES_PER_YEAR = 3
CONTINENTS_PER_YEAR = 0.5
HOURS = (1, 2, 4, 12, 48)
_STEP = 10
"""Seconds, and blocks, between two looks of the committees while it lasts."""
_QUIET = 8
"""Steps without change after which what is left stays: nodes whose committees the conspiracy holds."""
_PATIENCE = 90
"""Steps in which everything lost must be found: half of the fleet at a tenth a minute, three times."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One of them."""

    day: float
    where: str
    hours: int
    part: float
    """Of the machines."""
    moved: int
    """Leases that closed as unreachable."""
    minutes: float
    """Until the last instance that could be placed elsewhere ran there."""
    braked: bool
    """Whether the mass-failure brake was set."""


class Outages:
    """Whatever hits one fleet."""

    def __init__(
        self, economy: Economy, population: Population, watch: Watch, place: Callable[[], None], draw: random.Random
    ) -> None:
        self._economy, self._population, self._watch, self._place, self._draw = economy, population, watch, place, draw
        self._nodes, self._probes = economy.contract(Nodes), economy.contract(Probes)
        self._market = economy.contract(Market)
        self._moved = 0
        self.all: list[Outage] = []
        economy.watch(LeaseClosed, self._closed)

    def maybe(self, days: float) -> None:
        """What happens in so many days."""
        years = days / 365
        if self._draw.random() < COUNTRIES_PER_YEAR * years:
            self.strike(self._draw.choice(PLACES)[1], days)
        if self._draw.random() < CONTINENTS_PER_YEAR * years:
            self.strike(self._draw.choice(("EU", "NA", "AS")), days)

    def strike(self, where: str, days: float) -> None:
        """A country or continent is gone for some hours, then comes back."""
        economy, hours = self._economy, self._draw.choice(HOURS)
        everything = self._population.machines
        lost = [machine for machine in everything.values() if machine.is_up and where in machine.place]
        if not lost:
            return
        began, moved, braked = int(economy.now), self._moved, False
        for machine in lost:
            machine.is_up = False
            machine.served = max(0, machine.served - int(ASKED * hours / 24 / days))
        settled_at, left, quiet = began, len(lost), 0
        for _ in range(_PATIENCE):
            active = self._still_active(lost)
            quiet = quiet + 1 if len(active) == left else 0
            if quiet == _QUIET or not active:
                break
            left = len(active)
            suspects = set(self._probes.state.suspects)
            self._watch.alarm(item for item in active if item.id not in suspects)
            for _ in range(_STEP):
                economy.block(1)
                if self._population.start_leases(self._watch.behaviours):
                    settled_at = int(economy.now)
            braked = braked or self._probes.state.brake.get().since > 0
        self._place()
        minutes = (settled_at - began) / 60
        economy.block(max(1, hours * 3_600 - (int(economy.now) - began)))
        for machine in lost:
            machine.is_up = True
        self._watch.come_back()
        self._place()
        day = (began - economy.started) / 86_400
        found = Outage(day, where, hours, len(lost) / len(everything), self._moved - moved, minutes, braked)
        self.all.append(found)

    def _still_active(self, lost: Sequence[Machine]) -> list[Machine]:
        return [item for item in lost if self._nodes.state.nodes.get(item.id).status is NodeStatus.ACTIVE]

    def _closed(self, event: LeaseClosed) -> None:
        if CloseReason(event.reason) is CloseReason.UNREACHABLE:
            self._moved += 1

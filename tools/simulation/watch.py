"""What agents do about each other in an epoch: watch, suspect, confirm, report."""

from collections import defaultdict
from collections.abc import Iterable

from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.probes.contract import Probes
from flux.contracts.probes.types import MAX_TARGETS, TargetCount
from flux.primitives.types import U32, Hash
from tools.simulation.behaviours import ASKED, Honest
from tools.simulation.economy import Economy
from tools.simulation.population import Machine, Population

_NO_DIGEST = Hash(bytes(32))


class Watch:
    """All committees of one chain."""

    def __init__(self, economy: Economy, population: Population, behaviours: dict[str, Honest]) -> None:
        self._economy = economy
        self._population = population
        self.behaviours = behaviours
        self._nodes = economy.contract(Nodes)
        self._probes = economy.contract(Probes)
        self._counts: dict[NodeId, list[TargetCount]] = {}
        """By member: what it will report of the epoch before."""
        self.suspected = 0
        """Suspicions that second committees looked at."""

    def come_back(self) -> None:
        """Machines that are up and suspended say so."""
        for machine in self._population.machines.values():
            if machine.is_up and self._nodes.state.nodes.get(machine.id).status is NodeStatus.SUSPENDED:
                self._economy.attempt(machine.agent, self._nodes.activate)

    def look(self) -> None:
        """Every member probes its targets: votes against those it says are down, and keeps what it will report."""
        kept: defaultdict[NodeId, list[TargetCount]] = defaultdict(list)
        for target in self._population.machines.values():
            if self._nodes.state.nodes.get(target.id).status is not NodeStatus.ACTIVE:
                continue
            committee = self._economy.view(self._probes.committee, target.id)
            conspirators = sum(self._population.machines[member].operator.conspires for member in committee)
            is_held = 2 * conspirators > len(committee)
            for member in committee:
                behaviour = self._behaviour(self._population.machines[member])
                if not self._population.machines[member].is_up:
                    continue
                answered = behaviour.answered(target, is_held=is_held)
                kept[member].append(TargetCount(target.id, U32(ASKED), U32(answered)))
                if behaviour.suspects(target):
                    self._economy.attempt(self._population.machines[member].agent, self._probes.suspect, target.id)
        self._counts = dict(kept)

    def alarm(self, targets: Iterable[Machine]) -> None:
        """The committees of these, as they are now, look at once and vote."""
        for target in targets:
            for id in self._economy.view(self._probes.committee, target.id):
                member = self._population.machines[id]
                if member.is_up and self._behaviour(member).suspects(target):
                    self._economy.attempt(member.agent, self._probes.suspect, target.id)

    def insist(self) -> None:
        """Those who persist vote once more."""
        for id, counts in self._counts.items():
            member = self._population.machines[id]
            behaviour = self._behaviour(member)
            for count in counts if behaviour.persists else ():
                if behaviour.suspects(self._population.machines[count.node]):
                    self._economy.attempt(member.agent, self._probes.suspect, count.node)

    def answer_suspicions(self) -> None:
        """Suspects that are up say so, and second committees look at them."""
        for id in self._economy.view(self._probes.suspicions):
            self.suspected += 1
            suspect = self._population.machines[id]
            if suspect.is_up:
                self._economy.attempt(suspect.agent, self._probes.alive)
            for member in self._economy.view(self._probes.second_committee, id):
                witness = self._population.machines[member]
                if witness.is_up and self._behaviour(witness).confirms(suspect):
                    self._economy.attempt(witness.agent, self._probes.reached, id)

    def report(self) -> None:
        """Members report on the epoch that is over, as far as they are still active."""
        epoch = self._economy.view(self._probes.previous_epoch).epoch
        for member, counts in self._counts.items():
            machine = self._population.machines[member]
            if self._behaviour(machine).reports:
                found = counts[:MAX_TARGETS]
                self._economy.attempt(machine.agent, self._probes.report, epoch, _NO_DIGEST, found)

    def _behaviour(self, machine: Machine) -> Honest:
        return self.behaviours[machine.operator.behaviour]

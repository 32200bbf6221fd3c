"""Somebody who lives on reporters' shares: every fault that the chain saw is brought to a case."""

from flux.contracts.slashing.contract import Slashing
from flux.contracts.slashing.types import FaultId, FaultSeen
from flux.primitives.types import WEI_PER_FLUX
from tools.simulation.economy import Economy, person


class Prosecutor:
    """One account that watches the chain."""

    def __init__(self, economy: Economy) -> None:
        self._economy = economy
        self._slashing = economy.contract(Slashing)
        self._faults: list[FaultId] = []
        self.cases = 0
        economy.watch(FaultSeen, lambda event: self._faults.append(event.fault))

    def prosecute(self) -> None:
        """Open a case for each fault seen since the last time."""
        faults, self._faults = self._faults, []
        deposit = int(self._economy.params.slashing.deposit)
        for fault in faults:
            reporter = self._economy.fund(person("prosecutor", 0), deposit // WEI_PER_FLUX)
            if self._economy.attempt(reporter, self._slashing.prosecute, fault, value=deposit) is None:
                self.cases += 1

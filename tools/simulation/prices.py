"""What one FLUX costs in dollars over the years: a random path with jumps, told to the chain by feeders.

One of them is always wrong. Half of the operators mean dollars and ask anew when the price moved; the others leave
their asks in FLUX alone. Tenants mean dollars too: who pays more than its budget leaves, and fewer come while FLUX is
dear.
"""

import math
import random
from collections.abc import Iterable

from flux.contracts.nodes.contract import Nodes
from flux.contracts.nodes.types import Ask
from flux.contracts.oracle.contract import Oracle
from flux.contracts.oracle.types import DECIMALS
from flux.kernel.context import GOVERNANCE_ADDRESS
from flux.primitives.types import U64, WEI_PER_FLUX
from tools.simulation.economy import Economy, person
from tools.simulation.population import Machine

START = 0.5
"""Dollars for one FLUX on the first day."""
_YEARLY_VOLATILITY = 0.9
"""Standard deviation of the logarithm in a year, as of a small cryptocurrency."""
_JUMPS_PER_YEAR = 1.5
_JUMP = 2.2
"""By how much the price jumps, up or down."""
_FEEDERS = 5
_ERRS_BY = 10
_WORTH_ASKING_ANEW = 0.1


class Prices:
    """The path, the feeders, and the operators that follow it."""

    def __init__(self, economy: Economy, draw: random.Random) -> None:
        self._economy = economy
        self._draw = draw
        self._oracle = economy.contract(Oracle)
        self._nodes = economy.contract(Nodes)
        self._asked_at = START
        self.dollars = START
        bond = int(economy.params.oracle.bond)
        for number in range(_FEEDERS):
            feeder = economy.fund(person("feeder", number), bond // WEI_PER_FLUX)
            economy.send(GOVERNANCE_ADDRESS, self._oracle.register_feeder, feeder)
            economy.send(feeder, self._oracle.join, value=bond)

    def move(self, days: float) -> None:
        """Let so many days pass and have the feeders report; one of them is wrong by a factor of ten."""
        years, draw = days / 365, self._draw
        step = draw.gauss(0, _YEARLY_VOLATILITY * math.sqrt(years))
        if draw.random() < _JUMPS_PER_YEAR * years:
            step += draw.choice((-1, 1)) * math.log(_JUMP)
        self.dollars = min(20.0, max(0.02, self.dollars * math.exp(step)))
        wrong = draw.randrange(_FEEDERS)
        for number in range(_FEEDERS):
            told = self.dollars * (_ERRS_BY if number == wrong else draw.uniform(0.995, 1.005))
            self._economy.attempt(person("feeder", number), self._oracle.report, U64(int(told * 10**DECIMALS)))

    def ask_anew(self, machines: Iterable[Machine]) -> int:
        """Operators that mean dollars change their asks when the chain's price moved enough; how many nodes did."""
        price = self._economy.view(self._oracle.price)
        agreed = int(price.value) / 10**DECIMALS
        if price.frozen or abs(agreed / self._asked_at - 1) < _WORTH_ASKING_ANEW:
            return 0
        self._asked_at = agreed
        followers = [machine for machine in machines if machine.operator.number % 2]
        for machine in followers:
            cpu, memory, disk, gpu = (U64(int(usual * START / agreed)) for usual in machine.asks)
            ask = Ask(cpu, memory, disk, gpu)
            self._economy.attempt(machine.operator.address, self._nodes.set_ask, machine.id, ask)
        return len(followers)

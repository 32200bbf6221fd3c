"""One run: a population with its behaviours, tenants, and epoch after epoch until the years are over."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flux.contracts.nodes.types import Tier
from flux.contracts.probes.contract import Probes
from flux.primitives.types import U64, Seconds
from flux.protocol.params import DEFAULT, Params
from tools.simulation.behaviours import ASKED, BEHAVIOURS, Honest
from tools.simulation.economy import Economy, Violated
from tools.simulation.income import Ledger
from tools.simulation.measure import Measuring
from tools.simulation.outages import Outages
from tools.simulation.population import Population
from tools.simulation.prices import START, Prices
from tools.simulation.prosecutor import Prosecutor
from tools.simulation.tenants import Tenants
from tools.simulation.watch import Watch

DAY = 86_400
_TIERS = (Tier.CUMULUS, Tier.NIMBUS, Tier.STRATUS)
_TIER_WEIGHTS = (6, 3, 1)
_MACHINES_PER_OPERATOR = (1, 1, 1, 2, 3, 5)
_PATIENCE = 40
"""Blocks in which everything that can be placed must have started."""
_INSISTING = 5
"""Further votes of those who persist, minutes after the first: more than the strikes that come as notice."""
_BATCH = 1_000
"""Apps that arrive in one block."""
_DUE_BLOCKS = 200
"""Blocks in which all must be done that fell due in an epoch; with a block every second it never piles up."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is played."""

    nodes: int
    apps: int
    years: float
    epoch_days: float
    """Real epochs are hours; longer ones compress years into minutes. Every rule counts in time, not in epochs."""
    shares: Mapping[str, float]
    """Part of the operators that behave in each way; the rest is honest."""
    seed: int = 1
    check_every: int = 1

    @property
    def epoch_seconds(self) -> int:
        """Length of an epoch."""
        return int(self.epoch_days * DAY)

    @property
    def epochs(self) -> int:
        """How many are played."""
        return int(self.years * 365 / self.epoch_days)

    def params(self) -> Params:
        """Mainnet's parameters, with these epochs."""
        return DEFAULT.but(probes=DEFAULT.probes.but(epoch=Seconds(U64(self.epoch_seconds))))


@dataclass(slots=True)
class EpochRecord:
    """What an epoch looked like at its end."""

    day: float
    supply: int
    """Wei minted and not burned."""
    emitted: int
    apps: int
    price: float
    """Dollars for one FLUX."""
    running: int
    """Leases."""


class Play:
    """A run in progress."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.draw = random.Random(setting.seed)
        self.economy = Economy(setting.params(), check_every=setting.check_every)
        self.economy.begin()
        self.behaviours = {kind.name: kind() for kind in BEHAVIOURS}
        self.ledger = Ledger(self.economy)
        self.population = Population(self.economy, self.draw)
        self.tenants = Tenants(self.economy, setting.apps, self.draw)
        self.watch = Watch(self.economy, self.population, self.behaviours)
        self.measuring = Measuring(self.economy, self.population, self.behaviours)
        self.prosecutor = Prosecutor(self.economy)
        self.prices = Prices(self.economy, self.draw)
        self.outages = Outages(self.economy, self.population, self.watch, self._place, self.draw)
        self.history: list[EpochRecord] = []

    def run(self, progress: Callable[[str], None], after_epoch: Callable[["Play"], None] = lambda _: None) -> None:
        """Play all of it. `after_epoch` may note what is known so far. Raises Violated."""
        self._settle_in()
        progress(f"{len(self.population.machines)} nodes of {len(self.population.operators)} operators have joined")
        for number in range(self.setting.epochs):
            self._epoch(number)
            record = self.history[-1]
            progress(
                f"day {record.day:.0f}: {record.apps} apps, {record.running} leases, 1 FLUX is ${record.price:.2f}, "
                f"{record.emitted // 10**18} FLUX emitted"
            )
            after_epoch(self)
        self.economy.check()

    def _settle_in(self) -> None:
        names = [name for name in self.setting.shares if self.setting.shares[name] > 0]
        weights = [self.setting.shares[name] for name in names]
        rest = 1 - sum(weights)
        while len(self.population.machines) < self.setting.nodes:
            (name,) = self.draw.choices([Honest.name, *names], [rest, *weights])
            self.population.join(self.behaviours[name], self._machines())
        self.economy.block()

    def _machines(self) -> list[Tier]:
        return self.draw.choices(_TIERS, _TIER_WEIGHTS, k=self.draw.choice(_MACHINES_PER_OPERATOR))

    def _epoch(self, number: int) -> None:
        economy, setting = self.economy, self.setting
        began = economy.now
        for machine in self.population.machines.values():
            machine.is_up = self.behaviours[machine.operator.behaviour].is_up(self.draw)
            machine.served = ASKED if machine.is_up else 0
        self.watch.come_back()
        self.prices.move(setting.epoch_days)
        self.prices.ask_anew(self.population.machines.values())
        self.tenants.act(setting.epoch_seconds, _BATCH, self.prices.dollars / START)
        self._place()
        economy.block(int(economy.params.market.start_deadline) + 1)
        self._place()
        if number:
            self.watch.report()
        self.outages.maybe(setting.epoch_days)
        self.watch.look()
        self.measuring.measure()
        economy.block(1)
        self._answer()
        for _ in range(_INSISTING):
            self.watch.insist()
            economy.block(1)
            self._answer()
        self._place()
        self.prosecutor.prosecute()
        self._pass_rest(int(began))
        self._record()

    def _pass_rest(self, began: int) -> None:
        """The rest of the epoch in one block, then those in which the chain works off what fell due in it.

        Raises Violated.
        """
        economy, probes = self.economy, self.economy.contract(Probes)
        epoch = economy.view(probes.epoch).epoch
        economy.block(max(1, began + self.setting.epoch_seconds - int(economy.now)))
        for _ in range(_DUE_BLOCKS):
            economy.block(1)
            if economy.view(probes.epoch).epoch != epoch:
                return
        raise Violated(f"epoch {epoch} does not end")

    def _answer(self) -> None:
        """Suspects have until the bound to be seen."""
        self.watch.answer_suspicions()
        self.economy.block(int(self.economy.params.probes.suspicion_bound) + 1)

    def _place(self) -> None:
        """Blocks until everything that can be placed has started."""
        for _ in range(_PATIENCE):
            came = self.tenants.arrive(self.setting.epoch_seconds, _BATCH)
            self.economy.block()
            if not self.population.start_leases(self.behaviours) and not came:
                return

    def _record(self) -> None:
        accounts = self.economy.view(self.economy.accounts.supply)
        emitted = sum(income.emission for income in self.ledger.nodes.values())
        self.history.append(
            EpochRecord(
                day=(int(self.economy.now) - self.economy.started) / DAY,
                supply=accounts.minted - accounts.burned,
                emitted=emitted,
                apps=len(self.tenants.tenancies),
                price=self.prices.dollars,
                running=self.population.running,
            )
        )

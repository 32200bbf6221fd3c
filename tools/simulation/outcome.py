"""What a run showed, as plain numbers: who earned what, what cheating paid, how concentrated it is."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from flux.primitives.types import WEI_PER_FLUX
from tools.simulation.behaviours import HONEST_AVAILABILITY, Honest
from tools.simulation.concentration import gini, largest_share, nakamoto
from tools.simulation.play import Play
from tools.simulation.population import Machine


class Earned(NamedTuple):
    """What one way to behave brought, per year and 100 FLUX of stake."""

    behaviour: str
    says: str
    machines: int
    emission: float
    tenants: float
    slashed: float
    beside_honest: float
    """Net income beside that of honest nodes in the same declared tiers; 1 is equal."""
    beside_untroubled: float
    """Net income beside what the same nodes would have if they and all others were honest; below 1 cheating costs."""

    @property
    def net(self) -> float:
        """What is left."""
        return self.emission + self.tenants - self.slashed


class Concentration(NamedTuple):
    """How a sum is spread over operators."""

    of: str
    gini: float
    largest: float
    third: int
    """Operators that together hold a third."""


def earned(play: Play) -> list[Earned]:
    """By behaviour, honest first."""
    honest = _rates_by_tier(play)
    groups: defaultdict[str, list[Machine]] = defaultdict(list)
    for machine in play.population.machines.values():
        groups[machine.operator.behaviour].append(machine)
    ordered = sorted(groups, key=lambda name: (name != Honest.name, name))
    return [_earned(play, name, groups[name], honest) for name in ordered]


def concentration(play: Play) -> list[Concentration]:
    """Of stake and of income, over operators; all operators of one owner count as one."""
    stakes: defaultdict[str, int] = defaultdict(int)
    incomes: defaultdict[str, int] = defaultdict(int)
    for machine in play.population.machines.values():
        owner = "sybil" if machine.operator.behaviour == "sybil" else str(machine.operator.number)
        stakes[owner] += _stake(play, machine)
        incomes[owner] += play.ledger.nodes[machine.id].emission + play.ledger.nodes[machine.id].tenants
    return [_spread("stake", stakes.values()), _spread("income", incomes.values())]


def _earned(play: Play, name: str, machines: list[Machine], honest: dict[int, float]) -> Earned:
    years = max(play.history[-1].day, 1) / 365
    stake = sum(_stake(play, machine) for machine in machines)
    incomes = [play.ledger.nodes[machine.id] for machine in machines]

    def rate(amount: int) -> float:
        return 100 * amount / stake / years

    expected = sum(honest[machine.declared] * _stake(play, machine) for machine in machines)
    net = sum(income.net for income in incomes)
    full = sum(play.ledger.full[machine.declared - 1] for machine in machines)
    untroubled = full * HONEST_AVAILABILITY + _tenants_of_honest(play) * stake
    return Earned(
        name,
        play.behaviours[name].says,
        len(machines),
        rate(sum(income.emission for income in incomes)),
        rate(sum(income.tenants for income in incomes)),
        rate(sum(income.slashed for income in incomes)),
        net / expected if expected else 0.0,
        net / untroubled if untroubled else 0.0,
    )


def _tenants_of_honest(play: Play) -> float:
    """What tenants paid to honest nodes, per wei of their stake."""
    honest = [item for item in play.population.machines.values() if item.operator.behaviour == Honest.name]
    return sum(play.ledger.nodes[item.id].tenants for item in honest) / sum(_stake(play, item) for item in honest)


def _rates_by_tier(play: Play) -> dict[int, float]:
    """Net income of honest nodes per wei of stake, by tier."""
    stakes: defaultdict[int, int] = defaultdict(int)
    net: defaultdict[int, int] = defaultdict(int)
    for machine in play.population.machines.values():
        if machine.operator.behaviour == Honest.name:
            stakes[machine.declared] += _stake(play, machine)
            net[machine.declared] += play.ledger.nodes[machine.id].net
    return defaultdict(float, {tier: net[tier] / stakes[tier] for tier in stakes})


def _stake(play: Play, machine: Machine) -> int:
    return int(play.economy.params.nodes.tiers[machine.declared - 1].stake)


def _spread(of: str, amounts: Iterable[int]) -> Concentration:
    whole = [amount // WEI_PER_FLUX for amount in amounts]
    return Concentration(of, gini(whole), largest_share(whole), nakamoto(whole))

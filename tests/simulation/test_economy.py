"""A small economy played over half a year: what the large one of `make sim` is made of, quick enough for every run."""

import pytest
from tools.simulation.concentration import gini, largest_share, nakamoto
from tools.simulation.optimum import Demand, NoAssignment, least_cost
from tools.simulation.outcome import earned
from tools.simulation.placement_cost import compare
from tools.simulation.play import Play, Setting

from flux.contracts.probes.contract import Probes
from flux.contracts.rewards import rules
from flux.protocol.params import CAP

SHARES = {"careful colluder": 0.15, "colluder": 0.15, "false hardware": 0.1, "silent member": 0.1, "abandoner": 0.1}


@pytest.fixture(scope="module")
def played() -> Play:
    """Every invariant is checked after every block; a violation ends the run."""
    play = Play(Setting(nodes=120, apps=80, years=0.35, epoch_days=14, shares=SHARES, seed=3, check_every=1))
    play.run(lambda _: None)
    return play


def test_nothing_is_emitted_beyond_the_schedule_or_the_cap(played: Play) -> None:
    pool = int(played.economy.params.rewards.pool)
    for record in played.history:
        assert record.emitted <= rules.budget(pool, int(record.day * 86_400))
        assert record.supply <= CAP
    assert played.history[-1].emitted > 0


def test_no_behaviour_earns_more_than_it_would_if_all_were_honest(played: Play) -> None:
    beside = {row.behaviour: row.beside_untroubled for row in earned(played)}
    assert all(share < 1.02 for share in beside.values()), beside
    for behaviour in ("colluder", "false hardware", "silent member"):
        assert beside[behaviour] < 0.9, beside


def test_honest_operators_lose_next_to_nothing_by_their_own_conduct(played: Play) -> None:
    conducts = played.economy.contract(Probes).conducts
    honest = [item.id for item in played.population.machines.values() if item.operator.behaviour == "honest"]
    assert sum(conducts.loss(node) for node in honest) < 0.02 * 1_000_000 * len(honest)


def test_tenants_are_served(played: Play) -> None:
    assert 40 <= len(played.tenants.tenancies) <= 80, "fewer want apps while FLUX is dear"
    assert played.population.started >= 80
    assert any(income.tenants for income in played.ledger.nodes.values())


def test_the_chain_places_near_the_optimum_and_never_below_it() -> None:
    excesses = [case.excess for case in compare(4, 1, (1,))]
    assert min(excesses) >= -1e-9
    assert max(excesses) < 0.25


def test_the_solver_finds_the_cheapest_assignment() -> None:
    room = {1: (1_000, 1_000, 1_000), 2: (2_000, 2_000, 2_000)}
    one = Demand(1, (1_000, 500, 500), {1: 10, 2: 30})
    assert least_cost(room, [one]) == 10
    assert least_cost(room, [one, one]) == 40, "the cheap node has room for one"
    assert least_cost(room, [Demand(2, (500, 500, 500), {1: 10, 2: 30})]) == 40, "two instances, two nodes"
    with pytest.raises(NoAssignment):
        least_cost(room, [Demand(1, (3_000, 1, 1), {1: 1, 2: 1})])


def test_concentration_of_known_distributions() -> None:
    assert gini([5, 5, 5, 5]) == pytest.approx(0)
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)
    assert gini([]) == 0
    assert largest_share([1, 1, 2]) == 0.5
    assert nakamoto([10, 10, 10, 10]) == 2
    assert nakamoto([100, 1, 1]) == 1

"""Epochs are paid by what committees saw, capped, shared by shares, taken once; what nobody earned stays."""

import pytest

from flux.contracts.nodes.types import NodeId, UnknownNode
from flux.contracts.probes.types import Epoch
from flux.contracts.rewards import rules
from flux.contracts.rewards.invariants import check
from flux.contracts.rewards.types import PPM, NothingToClaim
from flux.contracts.staking.types import EVERYTHING, BelowMinimum, NotDelegable, PartsPerMillion
from flux.kernel.context import SYSTEM_ADDRESS
from flux.primitives.types import NO_WEI, U16, U32, U64, U256, Address, Wei
from flux.protocol.params import USER_POOL, minimal
from support.contract_lab import FLUX, account
from support.epochs import ROOT, counts, end_epoch, pass_epoch, report
from support.protocol_world import ProtocolWorld

ONE, TWO = NodeId(U32(1)), NodeId(U32(2))
ANN = account("ann")
PARAMS = minimal()
GENEROUS = PARAMS
POOR = PARAMS.but(rewards=PARAMS.rewards.but(pool=Wei(U256(10_000 * FLUX))))
"""So little that no node meets its cap."""


def fleet(size: int = 6, params: object = POOR) -> ProtocolWorld:
    world = ProtocolWorld(params)  # type: ignore[arg-type]
    world.fleet(size)
    return world


def operator(node: int) -> Address:
    return account(f"operator {node}")


def claimable(world: ProtocolWorld, who: Address, node: NodeId = ONE) -> int:
    return world.rewards.claimable(world.world.context(who), node, who)


def claim(world: ProtocolWorld, who: Address, node: NodeId = ONE) -> int:
    before = world.world.balance(who)
    paid = world.send(who, world.rewards.claim, node)
    assert world.world.balance(who) == before + paid
    return int(paid)


def earned(world: ProtocolWorld, node: NodeId) -> int:
    return world.rewards.income(world.world.context(ANN), node).earned


def settle(world: ProtocolWorld, *nodes: int) -> list[int]:
    for node in nodes:
        world.send(ANN, world.rewards.settle, NodeId(U32(node)))
    return [earned(world, NodeId(U32(node))) for node in nodes]


def test_nodes_of_a_tier_have_equal_parts_of_its_pool_and_each_earns_its_availability_of_it() -> None:
    world = fleet()
    pass_epoch(world, {1: 500, 2: 0})
    end_epoch(world)
    one, two, three = settle(world, 1, 2, 3)
    assert (two, one * 2) == (0, three)
    budget = rules.budget(10_000 * FLUX, PARAMS.probes.epoch)
    hosts = budget - budget // 10
    assert 6 * three == pytest.approx(hosts * 10 // 135, abs=6 * PPM)
    assert 6 * three <= hosts * 10 // 135
    emission = world.rewards.emission(world.world.context(ANN))
    assert settle(world, 1, 3) == [one, three]
    assert emission.minted == one + three
    world.block()


def test_nobody_gains_when_a_rival_is_reported_as_absent() -> None:
    fair, robbed = fleet(), fleet()
    for world, seen in ((fair, {}), (robbed, {2: 0, 3: 0})):
        pass_epoch(world, seen)
        end_epoch(world)
    assert settle(robbed, 1) == settle(fair, 1)
    assert settle(robbed, 2) == [0]


def test_nothing_is_paid_before_the_reports_are_complete_and_nothing_twice() -> None:
    world = fleet()
    pass_epoch(world)
    assert settle(world, 1) == [0]
    assert claimable(world, operator(1)) == 0
    with pytest.raises(NothingToClaim):
        claim(world, operator(1))
    end_epoch(world)
    due = claimable(world, operator(1))
    assert due > 0
    assert claim(world, operator(1)) == due
    with pytest.raises(NothingToClaim):
        claim(world, operator(1))
    assert settle(world, 1)[0] >= due
    world.block()


def test_a_node_gets_no_more_than_its_tiers_stake_in_a_year_and_the_rest_stays_in_the_pool() -> None:
    world = fleet(params=GENEROUS)
    pass_epoch(world)
    end_epoch(world)
    (one,) = settle(world, 1)
    cap = rules.yearly_cap(1_000 * FLUX, 10_000, PARAMS.probes.epoch)
    assert cap - PPM < one <= cap
    emission = world.rewards.emission(world.world.context(ANN))
    assert emission.minted == one
    assert emission.unearned + rules.budget(USER_POOL, PARAMS.probes.epoch) >= emission.budget - 6 * cap
    world.block()


def test_the_median_of_the_committee_counts_and_only_when_more_than_half_spoke() -> None:
    world = fleet()
    epoch = end_epoch(world)
    ctx = world.world.context(ANN)
    for number, member in enumerate(world.probes.committee(ctx, ONE)):
        assert world.rewards.income(ctx, ONE).availability in (0, 700_000)
        seen = {1: (100, 700, 900, 700, 1_000)[number]}
        world.send(world.agents[member], world.probes.report, epoch, ROOT, counts(world, member, seen))
    assert world.rewards.income(ctx, ONE).availability == 700_000


def test_delegators_earn_by_their_shares_and_the_operator_takes_its_commission() -> None:
    world = fleet()
    world.fund("ann", 10_000)
    world.send(ANN, world.staking.delegate, ONE, value=1_000 * FLUX)
    pass_epoch(world)
    end_epoch(world)
    (one,) = settle(world, 1)
    commission = one // 10
    assert claim(world, ANN) == pytest.approx((one - commission) // 2, abs=2)
    assert claim(world, operator(1)) == pytest.approx(commission + (one - commission) // 2, abs=2)
    world.block()


def test_who_delegates_after_an_epoch_was_settled_has_no_part_in_it() -> None:
    world = fleet()
    world.fund("ann", 10_000)
    pass_epoch(world)
    end_epoch(world)
    world.send(ANN, world.staking.delegate, ONE, value=1_000 * FLUX)
    assert claimable(world, ANN) == 0
    with pytest.raises(NothingToClaim):
        claim(world, ANN)
    assert claimable(world, operator(1)) > 0


def test_stake_that_moves_takes_its_rewards_nowhere_twice() -> None:
    world = fleet()
    world.fund("ann", 10_000)
    world.send(ANN, world.staking.delegate, ONE, value=1_000 * FLUX)
    pass_epoch(world)
    end_epoch(world)
    due = claimable(world, ANN)
    world.send(ANN, world.staking.redelegate, ONE, TWO, EVERYTHING)
    assert (claimable(world, ANN, ONE), claimable(world, ANN, TWO)) == (due, 0)
    assert claim(world, ANN) == due
    assert list(world.rewards.state.claims.under(ANN)) != []
    with pytest.raises(NothingToClaim):
        claim(world, ANN)
    world.block()


def test_compounding_calls_back_into_rewards_while_it_pays_and_pays_once() -> None:
    rich = POOR.but(rewards=POOR.rewards.but(pool=Wei(U256(10**10 * FLUX)), max_yearly=U16(60_000)))
    rich = rich.but(staking=rich.staking.but(min_delegation=Wei(U256(FLUX // 1_000_000))))
    world = fleet(params=rich)
    pass_epoch(world)
    end_epoch(world)
    due = claimable(world, operator(1))
    assert world.send(operator(1), world.rewards.compound, ONE) == due
    assert world.staking.stakes(ONE) == (1_000 * FLUX + due, 1_000 * FLUX + due)
    with pytest.raises(NothingToClaim):
        world.send(operator(1), world.rewards.compound, ONE)
    world.block()


def test_too_little_to_compound_and_nodes_that_leave_are_refused_and_the_claim_stays() -> None:
    world = fleet()
    pass_epoch(world)
    end_epoch(world)
    due = claimable(world, operator(1))
    with pytest.raises(BelowMinimum):
        world.send(operator(1), world.rewards.compound, ONE)
    world.send(operator(1), world.nodes.leave, ONE)
    with pytest.raises(NotDelegable):
        world.send(operator(1), world.rewards.compound, ONE)
    assert claim(world, operator(1)) == due
    world.block()


def test_a_slashed_node_earns_nothing_for_what_is_not_settled_nor_for_the_epoch_of_the_fault() -> None:
    world = fleet()
    epoch = end_epoch(world)
    report(world, epoch)
    with world.world.transaction():
        context = world.world.context(SYSTEM_ADDRESS)
        world.staking.slash(context, ONE, PartsPerMillion(U32(50_000)), context.now, "lied")
    world.send(operator(1), world.staking.delegate, ONE, value=100 * FLUX)
    pass_epoch(world)
    pass_epoch(world)
    assert settle(world, 1, 2)[0] == 0
    assert settle(world, 2)[0] > 0
    world.block(2)
    world.send(world.agents[ONE], world.nodes.activate)
    pass_epoch(world)
    end_epoch(world)
    assert settle(world, 1)[0] > 0
    world.block()


def test_the_producer_of_a_chain_with_one_is_paid_if_it_runs_a_node() -> None:
    world = fleet()
    pass_epoch(world)
    assert earned(world, ONE) == 0
    world.world.block = world.world.block._replace(producer=operator(1))
    pass_epoch(world)
    produced = earned(world, ONE)
    assert produced > 0
    end_epoch(world)
    assert settle(world, 1)[0] > produced
    world.block()


def test_blocks_and_hosting_together_stay_below_the_cap() -> None:
    world = fleet(params=GENEROUS)
    world.world.block = world.world.block._replace(producer=operator(1))
    cap = rules.yearly_cap(1_000 * FLUX, 10_000, PARAMS.probes.epoch)
    for epochs in range(1, 4):
        pass_epoch(world)
        assert cap * epochs - PPM * epochs <= earned(world, ONE) <= cap * epochs
    world.block()


def test_a_node_in_no_tier_earns_nothing() -> None:
    world = fleet()
    world.send(operator(1), world.staking.undelegate, ONE, 11 * FLUX)  # more than the hundredth that may be missing
    world.world.block = world.world.block._replace(producer=operator(1))
    pass_epoch(world)
    end_epoch(world)
    assert settle(world, 1) == [0]


def test_rates_that_are_no_longer_kept_pay_nothing() -> None:
    world = fleet(params=POOR.but(rewards=POOR.rewards.but(epochs_kept=U32(2))))
    pass_epoch(world)
    for _ in range(4):
        end_epoch(world)
    assert len(list(world.rewards.state.rates.items())) == 2
    assert settle(world, 1) == [0]
    world.block()


def test_everything_is_about_nodes_that_exist() -> None:
    world = fleet(1)
    nobody = NodeId(U32(9))
    for attempt in (
        lambda: world.send(ANN, world.rewards.claim, nobody),
        lambda: world.send(ANN, world.rewards.settle, nobody),
        lambda: world.rewards.income(world.world.context(ANN), nobody),
        lambda: claimable(world, ANN, nobody),
    ):
        with pytest.raises(UnknownNode):
            attempt()


def test_what_an_operator_that_is_gone_has_earned_is_still_its_own() -> None:
    world = fleet()
    pass_epoch(world)
    world.send(operator(1), world.nodes.leave, ONE)
    end_epoch(world)
    assert claim(world, operator(1)) > 0
    assert list(world.rewards.state.claims.under(operator(1))) == []
    world.block()


def test_what_nobody_earned_comes_back_over_the_years() -> None:
    world = fleet(1)
    ctx = world.world.context(ANN)
    for _ in range(3):
        end_epoch(world)
        world.world.advance(rules.YEAR)
    emission = world.rewards.emission(ctx)
    assert emission.minted == 0
    assert 0 < emission.unearned < emission.budget
    open_ = world.rewards.state.open.get()
    assert emission.budget == pytest.approx(emission.unearned + open_.budget, abs=5)
    world.block()


def test_the_pool_is_less_what_the_genesis_gave_to_users() -> None:
    world = ProtocolWorld()
    world.rewards.begin(world.world.context(ANN), Wei(U256(USER_POOL - 5)))
    assert world.rewards.emission(world.world.context(ANN)).pool == 5


def test_a_day_is_shown_from_the_last_settled_epoch() -> None:
    world = fleet(params=GENEROUS)
    ctx = world.world.context(ANN)
    assert world.rewards.daily(ctx) == [0, 0, 0]
    pass_epoch(world)
    end_epoch(world)
    cumulus, nimbus, stratus = world.rewards.daily(ctx)
    assert cumulus == pytest.approx(1_000 * FLUX // 365, rel=1e-6)
    assert (nimbus, stratus) == (0, 0)
    assert world.rewards.income(ctx, ONE).day == cumulus


def test_books_that_contradict_each_other_are_noticed() -> None:
    for spoil, words in (
        (lambda rewards: rewards.state.minted.set(USER_POOL), "the schedule allows"),
        (lambda rewards: rewards.state.pool.set(NO_WEI), "the schedule allows"),
        (lambda rewards: rewards.host.burn(rewards.host.balance()), "are owed but"),
        (lambda rewards: rewards.state.nodes.delete(ONE), "beyond what a share"),
        (lambda rewards: rewards.state.open.set(rewards.state.open.get().but(epoch=Epoch(U64(0)))), "open epoch"),
    ):
        world = fleet()
        pass_epoch(world)
        pass_epoch(world)
        claim(world, operator(1))
        world.block()
        assert check(world.rewards) == []
        spoil(world.rewards)  # type: ignore[no-untyped-call]
        assert any(words in problem for problem in check(world.rewards)), words

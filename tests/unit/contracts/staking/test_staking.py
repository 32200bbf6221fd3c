"""Stake is bonded by anybody, leaves slowly, moves once, and pays for faults exactly as far as it answers for them."""

from collections.abc import Callable

import pytest

from flux.contracts.nodes.types import NodeId, NodeStatus, Tier, UnknownNode
from flux.contracts.staking import rules
from flux.contracts.staking.types import (
    EVERYTHING,
    BasisPoints,
    BelowMinimum,
    CommissionChanged,
    CommissionChangedRecently,
    CommissionChangeTooLarge,
    CommissionTooHigh,
    Delegated,
    InvalidInfraction,
    InvalidSlash,
    MoveSlashed,
    NotDelegable,
    NotEnoughStaked,
    NothingToWithdraw,
    OwnStakeTooLow,
    PartsPerMillion,
    PoolExhausted,
    RedelegationCoolingDown,
    SameNode,
    Slashed,
    StakeWithdrawn,
    Undelegated,
    ZeroShares,
)
from flux.kernel.context import SYSTEM_ADDRESS
from flux.kernel.errors import InsufficientBalance, Unauthorized
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import U16, U32, U64, U256, Address, ChainTime, Wei
from support.contract_lab import FLUX, Lab, account

ANN, BOB = account("ann"), account("bob")
OPERATOR = account("one operator")
ONE, TWO = NodeId(U32(1)), NodeId(U32(2))
HALF = 500_000


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.join("one")
    lab.join("two")
    for holder in (ANN, BOB, OPERATOR):
        lab.fund(holder, 10_000)
    return lab


def delegate(lab: Lab, who: Address, flux: int, node: NodeId = ONE) -> None:
    lab.send(who, flux * FLUX, lab.staking.delegate, node)


def undelegate(lab: Lab, who: Address, amount: int, node: NodeId = ONE) -> None:
    lab.send(who, 0, lab.staking.undelegate, node, Wei(U256(amount)))


def slash(lab: Lab, parts: int = HALF, ago: int = 0, node: NodeId = ONE, reporter: Address = ZERO_ADDRESS) -> Wei:
    """As a slashing contract would, for a fault so many seconds ago; a tenth is the reporter's."""
    context = lab.context(SYSTEM_ADDRESS)
    with lab.world.transaction():
        fault = ChainTime(U64(context.now - ago))
        reward = PartsPerMillion(U32(100_000))
        return lab.staking.slash(context, node, PartsPerMillion(U32(parts)), fault, "a fault", reporter, reward)


def value(lab: Lab, who: Address, node: NodeId = ONE) -> int:
    return lab.staking.delegation(lab.context(), node, who).value


def leaving(lab: Lab, who: Address) -> list[int]:
    return [item.amount for item in lab.staking.unbondings(lab.context(), who)]


def unbond(lab: Lab) -> None:
    lab.advance(lab.params.staking.unbonding + lab.params.staking.unbonding_step)


def test_stake_of_anybody_is_bonded_and_counts_as_voting_power(lab: Lab) -> None:
    delegate(lab, ANN, 250)
    delegate(lab, ANN, 50)
    assert value(lab, ANN) == lab.heard.powers[ANN] == lab.staking.power_of(lab.context(), ANN) == 300 * FLUX
    assert lab.staking.stake_of(lab.context(), ONE) == 1_300 * FLUX
    assert lab.staking.stakes(ONE) == (1_300 * FLUX, 1_000 * FLUX)
    assert lab.world.emitted(lab.staking, Delegated(ONE, ANN, 50 * FLUX, 50 * FLUX))
    assert (ONE, ANN, 250 * FLUX, 1_250 * FLUX) in lab.heard.positions
    lab.check()


def test_views_page_and_an_account_sees_its_own(lab: Lab) -> None:
    delegate(lab, ANN, 10, ONE)
    delegate(lab, ANN, 20, TWO)
    assert [item.value for item in lab.staking.delegations(lab.context(), ANN, ONE)] == [10 * FLUX, 20 * FLUX]
    assert [item.node for item in lab.staking.delegations(lab.context(), ANN, TWO)] == [TWO]
    assert [pool.node for pool in lab.staking.pools(lab.context(), TWO, U16(9))] == [TWO]
    assert [pool.node for pool in lab.staking.pools(lab.context(), NodeId(U32(0)), U16(1))] == [ONE]
    assert lab.staking.stake_of(lab.context(), NodeId(U32(3))) == 0
    assert lab.staking.delegation(lab.context(), ONE, BOB).value == 0
    with pytest.raises(UnknownNode):
        lab.staking.pool(lab.context(), NodeId(U32(3)))


def test_too_little_and_too_much_are_refused(lab: Lab) -> None:
    with pytest.raises(BelowMinimum) as caught:
        lab.send(ANN, FLUX - 1, lab.staking.delegate, ONE)
    assert (caught.value.required, caught.value.provided) == (FLUX, FLUX - 1)
    with pytest.raises(InsufficientBalance):
        delegate(lab, ANN, 10_001)
    with pytest.raises(UnknownNode):
        delegate(lab, ANN, 1, NodeId(U32(3)))
    delegate(lab, ANN, 10)
    with pytest.raises(NotEnoughStaked) as short:
        undelegate(lab, ANN, 10 * FLUX + 1)
    assert short.value.available == 10 * FLUX
    with pytest.raises(NotEnoughStaked):
        undelegate(lab, ANN, EVERYTHING - 1)
    with pytest.raises(NotEnoughStaked):
        undelegate(lab, BOB, EVERYTHING)
    with pytest.raises(BelowMinimum):
        undelegate(lab, ANN, 0)
    with pytest.raises(BelowMinimum, match="999"):
        undelegate(lab, ANN, 9 * FLUX + 1)
    lab.check()


def test_nobody_stakes_on_a_node_that_leaves(lab: Lab) -> None:
    lab.send(account("two operator"), 0, lab.nodes.leave, TWO)
    with pytest.raises(NotDelegable):
        delegate(lab, ANN, 1, TWO)
    delegate(lab, ANN, 5)
    with pytest.raises(NotDelegable):
        lab.send(ANN, 0, lab.staking.redelegate, ONE, TWO, EVERYTHING)


def test_stake_leaves_after_unbonding_and_once(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    undelegate(lab, ANN, 40 * FLUX)
    undelegate(lab, ANN, EVERYTHING)
    (out,) = lab.staking.unbondings(lab.context(), ANN)
    params = lab.params.staking
    assert (out.amount, out.ends - out.begins) == (100 * FLUX, params.unbonding)
    assert 0 < out.begins - lab.world.block.now <= params.unbonding_step
    assert lab.world.emitted(lab.staking, Undelegated(ONE, ANN, 40 * FLUX, out.ends))
    assert lab.heard.powers[ANN] == 0
    lab.advance(out.ends - lab.world.block.now - 1)
    with pytest.raises(NothingToWithdraw) as early:
        lab.send(ANN, 0, lab.staking.withdraw, ONE)
    assert early.value.next_at == out.ends
    lab.advance(1)
    assert lab.send(ANN, 0, lab.staking.withdraw, ONE) == 100 * FLUX
    assert lab.world.balance(ANN) == 10_000 * FLUX
    assert lab.world.emitted(lab.staking, StakeWithdrawn(ONE, ANN, 100 * FLUX))
    with pytest.raises(NothingToWithdraw) as gone:
        lab.send(ANN, 0, lab.staking.withdraw, ONE)
    assert gone.value.next_at == 0
    assert list(lab.staking.state.batches.items()) == []
    lab.check()


def test_a_withdrawal_takes_what_is_ripe_and_leaves_the_rest(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    undelegate(lab, ANN, 30 * FLUX)
    lab.advance(lab.params.staking.unbonding)
    undelegate(lab, ANN, 20 * FLUX)
    lab.advance(lab.params.staking.unbonding_step)
    assert lab.send(ANN, 0, lab.staking.withdraw, ONE) == 30 * FLUX
    assert leaving(lab, ANN) == [20 * FLUX]
    lab.check()


def test_an_operator_keeps_its_part_until_the_node_is_gone(lab: Lab) -> None:
    delegate(lab, ANN, 1_000)
    with pytest.raises(OwnStakeTooLow) as caught:
        undelegate(lab, OPERATOR, EVERYTHING)
    assert (caught.value.required, caught.value.left) == (100 * FLUX, 0)
    undelegate(lab, OPERATOR, 900 * FLUX)
    assert lab.nodes.node(lab.context(), ONE).tier is Tier.CUMULUS
    with pytest.raises(OwnStakeTooLow):
        undelegate(lab, OPERATOR, 50 * FLUX)
    with pytest.raises(OwnStakeTooLow):
        lab.send(OPERATOR, 0, lab.staking.redelegate, ONE, TWO, 50 * FLUX)
    lab.send(OPERATOR, 0, lab.nodes.leave, ONE)
    assert leaving(lab, OPERATOR) == [1_000 * FLUX]
    assert lab.staking.stakes(ONE) == (1_000 * FLUX, 0)
    undelegate(lab, ANN, EVERYTHING)
    unbond(lab)
    assert lab.send(OPERATOR, 0, lab.staking.withdraw, ONE) == 1_000 * FLUX
    lab.check()


def test_a_slash_takes_the_same_part_of_everybody_and_is_burned_less_the_reporters_share(lab: Lab) -> None:
    delegate(lab, ANN, 500)
    burned = slash(lab, 100_000, reporter=BOB)
    assert burned == 135 * FLUX
    assert lab.world.balance(BOB) == 10_015 * FLUX
    assert (value(lab, ANN), value(lab, OPERATOR)) == (450 * FLUX, 900 * FLUX)
    assert lab.accounts.supply(lab.context()).burned == 135 * FLUX
    now = lab.world.block.now
    assert lab.world.emitted(lab.staking, Slashed(ONE, 150 * FLUX, 0, 15 * FLUX, now, "a fault"))
    lab.check()


def test_what_a_silent_juror_loses_takes_no_tier_of_a_node_that_has_just_enough(lab: Lab) -> None:
    silence = int(lab.params.slashing.silent_juror)
    for _ in range(9):
        slash(lab, silence)
    record = lab.nodes.node(lab.context(), ONE)
    assert (record.status, record.tier) == (NodeStatus.ACTIVE, Tier.CUMULUS)
    lab.check()


def test_below_every_tier_a_slashed_node_is_suspended(lab: Lab) -> None:
    slash(lab, 10_001)
    record = lab.nodes.node(lab.context(), ONE)
    assert (record.status, record.tier) == (NodeStatus.SUSPENDED, Tier.NONE)
    lab.check()


def test_what_began_to_leave_before_the_fault_or_has_left_is_never_slashed(lab: Lab) -> None:
    step, unbonding = lab.params.staking.unbonding_step, lab.params.staking.unbonding
    delegate(lab, ANN, 100)
    undelegate(lab, ANN, 10 * FLUX)
    lab.advance(step)
    undelegate(lab, ANN, 20 * FLUX)
    begins = [item.begins for item in lab.staking.unbondings(lab.context(), ANN)]
    slash(lab, HALF, ago=lab.world.block.now - begins[0])
    assert leaving(lab, ANN) == [10 * FLUX, 10 * FLUX]
    slash(lab, HALF, ago=lab.world.block.now - begins[0] + 1)
    assert leaving(lab, ANN) == [5 * FLUX, 5 * FLUX]
    lab.advance(begins[0] + unbonding - lab.world.block.now)
    slash(lab, HALF, ago=unbonding)
    assert leaving(lab, ANN) == [5 * FLUX, 25 * FLUX // 10]
    assert lab.send(ANN, 0, lab.staking.withdraw, ONE) == 5 * FLUX
    lab.check()


def test_a_batch_that_was_slashed_takes_more_at_its_new_worth(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    delegate(lab, BOB, 100)
    undelegate(lab, ANN, EVERYTHING)
    slash(lab)
    undelegate(lab, BOB, EVERYTHING)
    assert (leaving(lab, ANN), leaving(lab, BOB)) == ([50 * FLUX], [50 * FLUX])
    slash(lab)
    assert (leaving(lab, ANN), leaving(lab, BOB)) == ([25 * FLUX], [25 * FLUX])
    lab.check()


def test_who_stakes_after_a_slash_pays_nothing_for_it(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    slash(lab, 333_333)
    delegate(lab, BOB, 77)
    assert 77 * FLUX - 2 <= value(lab, BOB) <= 77 * FLUX
    assert value(lab, ANN) < 67 * FLUX
    lab.check()


def test_redelegated_stake_moves_at_once_and_then_stays(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    lab.send(ANN, 0, lab.staking.redelegate, ONE, TWO, 60 * FLUX)
    assert (value(lab, ANN), value(lab, ANN, TWO)) == (40 * FLUX, 60 * FLUX)
    delegate(lab, ANN, 5, TWO)
    moved = lab.staking.delegation(lab.context(), TWO, ANN)
    assert (moved.locked, moved.power) == (60 * FLUX, 65 * FLUX)
    with pytest.raises(NotEnoughStaked):
        lab.send(ANN, 0, lab.staking.redelegate, TWO, ONE, 60 * FLUX)
    for attempt in (
        lambda: lab.send(ANN, 0, lab.staking.redelegate, ONE, TWO, 10 * FLUX),
        lambda: [undelegate(lab, ANN, EVERYTHING, TWO) for _ in range(2)],
    ):
        with pytest.raises(RedelegationCoolingDown) as caught:
            attempt()
        assert caught.value.until == moved.locked_until
    lab.advance(moved.locked_until - lab.world.block.now)
    undelegate(lab, ANN, EVERYTHING, TWO)
    assert value(lab, ANN, TWO) == 0
    assert list(lab.staking.state.moves.items()) == []
    lab.check()


def test_stake_does_not_move_to_where_it_is(lab: Lab) -> None:
    delegate(lab, ANN, 10)
    with pytest.raises(SameNode):
        lab.send(ANN, 0, lab.staking.redelegate, ONE, ONE, FLUX)


def test_moving_does_not_escape_the_slash_of_the_node_that_was_left(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    lab.advance(10)
    lab.send(ANN, 0, lab.staking.redelegate, ONE, TWO, EVERYTHING)
    before = value(lab, account("two operator"), TWO)
    slash(lab, HALF, ago=5)
    assert value(lab, ANN, TWO) == 100 * FLUX
    lab.send(BOB, 0, lab.staking.refresh, TWO, ANN)
    assert value(lab, ANN, TWO) == lab.heard.powers[ANN] == 50 * FLUX
    assert value(lab, account("two operator"), TWO) == before
    assert lab.world.emitted(lab.staking, MoveSlashed(TWO, ANN, ONE, 50 * FLUX))
    lab.send(BOB, 0, lab.staking.refresh, TWO, ANN)
    assert value(lab, ANN, TWO) == 50 * FLUX
    lab.check()


def test_moved_stake_pays_for_both_nodes_and_not_for_later_faults_of_the_first(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    lab.send(ANN, 0, lab.staking.redelegate, ONE, TWO, EVERYTHING)
    slash(lab, HALF)
    slash(lab, HALF, node=TWO)
    lab.advance(lab.params.staking.unbonding_step)
    slash(lab, HALF)
    unbond(lab)
    lab.send(BOB, 0, lab.staking.refresh, TWO, ANN)
    assert value(lab, ANN, TWO) == 25 * FLUX
    assert list(lab.staking.state.batches.items()) == []
    lab.check()


@pytest.mark.parametrize("parts", [0, 1_000_000, 2_000_000])
def test_a_slash_is_a_part(lab: Lab, parts: int) -> None:
    with pytest.raises(InvalidSlash):
        slash(lab, parts)


def test_a_fault_is_neither_ahead_nor_older_than_unbonding(lab: Lab) -> None:
    with pytest.raises(InvalidInfraction):
        slash(lab, ago=-1)
    with pytest.raises(InvalidInfraction):
        slash(lab, ago=lab.params.staking.unbonding + 1)
    with pytest.raises(UnknownNode):
        slash(lab, node=NodeId(U32(9)))


def test_a_pool_that_slashing_ate_up_takes_no_more_and_lets_everybody_out(lab: Lab) -> None:
    delegate(lab, ANN, 100)
    for _ in range(2):
        slash(lab, 999_999)
    with pytest.raises(PoolExhausted):
        delegate(lab, BOB, 1)
    undelegate(lab, ANN, EVERYTHING)
    assert leaving(lab, ANN) == [10**8]
    lab.check()


def test_an_empty_pool_can_be_filled_again(lab: Lab) -> None:
    lab.send(OPERATOR, 0, lab.nodes.leave, ONE)
    assert lab.staking.pool(lab.context(), ONE).shares == 0
    lab.staking.unbond_own(lab.context(SYSTEM_ADDRESS), ONE)
    assert rules.shares_for(5, 0, 0) == 5


def test_an_amount_that_buys_no_share_is_refused(lab: Lab) -> None:
    pool = lab.staking.pool(lab.context(), ONE)
    lab.staking.state.pools.set(ONE, pool.but(shares=U256(1), own_shares=U256(1)))
    with pytest.raises(ZeroShares):
        delegate(lab, ANN, 999)


def test_a_commission_moves_slowly_once_others_have_delegated(lab: Lab) -> None:
    def commission(of: int, who: Address = OPERATOR) -> None:
        lab.send(who, 0, lab.staking.set_commission, ONE, BasisPoints(U16(of)))

    assert lab.staking.pool(lab.context(), ONE).commission == 1_000
    commission(5_000)
    commission(0)
    delegate(lab, ANN, 10)
    with pytest.raises(CommissionChangedRecently):
        commission(50)
    lab.advance(lab.params.staking.commission_interval)
    with pytest.raises(CommissionChangeTooLarge):
        commission(101)
    with pytest.raises(CommissionTooHigh):
        commission(5_001)
    with pytest.raises(Unauthorized):
        commission(1, ANN)
    commission(100)
    assert lab.world.emitted(lab.staking, CommissionChanged(ONE, BasisPoints(U16(100))))
    with pytest.raises(CommissionChangedRecently) as caught:
        commission(99)
    assert caught.value.allowed_from == lab.world.block.now + lab.params.staking.commission_interval
    lab.check()


def spoil_pool(**changes: int) -> Callable[[Lab], None]:
    def spoil(lab: Lab) -> None:
        lab.staking.state.pools.set(ONE, lab.staking.pool(lab.context(), ONE).but(**changes))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_pool(shares=1), "but the pool counts 1"),
        (spoil_pool(own_shares=1), "holds .* shares but the pool counts 1"),
        (spoil_pool(stake=0), "shares for 0 wei"),
        (spoil_pool(stake=1), "the contract holds"),
        (spoil_pool(commission=9_999), "above the maximum"),
        (lambda lab: lab.staking.state.pools.delete(ONE), "which has no pool"),
        (lambda lab: lab.staking.state.powers.delete(ANN), "voting power"),
        (lambda lab: lab.staking.state.batches.delete((ONE, lab.staking.unbondings(lab.context(), ANN)[0].begins)),
         "which does not exist"),
    ],
)  # fmt: skip
def test_books_that_contradict_each_other_are_noticed(lab: Lab, spoil: Callable[[Lab], None], words: str) -> None:
    delegate(lab, ANN, 50)
    undelegate(lab, ANN, 20 * FLUX)
    lab.check()
    spoil(lab)
    with pytest.raises(AssertionError, match=words):
        lab.check()

"""An app's money, to the second and to the wei."""

import pytest

from flux.contracts.addresses import ESCROW, TREASURY
from flux.contracts.apps.types import AppId, AppStatus, Constraints, InvalidSpec, UnknownApp, encode_spec
from flux.contracts.escrow.types import (
    BalanceTooLow,
    Depleted,
    Deposit,
    Deposited,
    DepositTooSmall,
    HostPaid,
    NoAccount,
    Refunded,
    TooManyPayers,
)
from flux.contracts.market.types import CloseReason, LeaseId
from flux.contracts.nodes.types import Ask, NodeId
from flux.kernel.events import event_codec
from flux.primitives.types import U16, U32, U64, U256, ChainTime, Wei
from support.contract_lab import FLUX, Lab, account, component, spec

TENANT, FRIEND = account("tenant"), account("friend")
OPERATOR = account("n operator")
RATE = 10**12
"""Wei per second of one core at the lab's asking price."""
UNKNOWN = AppId(U64(99))


def wei(amount: int) -> Wei:
    return Wei(U256(amount))


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.fund(TENANT, 1000)
    lab.fund(FRIEND, 1000)
    lab.join("n")
    return lab


def running(lab: Lab, deposit_milli: int = 1000) -> AppId:
    """One app with one lease that has just begun to run."""
    app = lab.deploy(TENANT, deposit_milli)
    lab.confirm_all(app)
    return app


def balance(lab: Lab, app: AppId) -> int:
    return lab.escrow.balance(lab.context(), app).balance


def test_a_deployment_pays_in_and_nothing_accrues_before_the_node_confirms(lab: Lab) -> None:
    app = lab.deploy(TENANT, 1000)
    lab.advance(100)
    assert balance(lab, app) == lab.world.balance(ESCROW) == FLUX
    assert lab.world.emitted(lab.escrow, Deposited(app, TENANT, wei(FLUX)))
    assert lab.escrow.account(lab.context(), app).depletes_at == 0
    lab.check()


def test_a_running_lease_costs_its_rate_every_second_though_nothing_is_written(lab: Lab) -> None:
    app = running(lab)
    stored = lab.escrow.account(lab.context(), app)
    for passed in (1, 59, 1000):
        lab.advance(passed)
    view = lab.escrow.balance(lab.context(), app)
    assert view.balance == FLUX - 1060 * RATE
    assert (view.rate, view.spent) == (RATE, 1060 * RATE)
    assert lab.escrow.account(lab.context(), app) == stored


def test_removal_pays_the_host_its_98_percent_and_refunds_the_rest_at_once(lab: Lab) -> None:
    app = running(lab)
    lab.advance(100)
    lab.send(TENANT, 0, lab.apps.remove, app)
    cost = 100 * RATE
    assert lab.world.balance(OPERATOR) == cost * 98 // 100
    assert lab.world.balance(TREASURY) == cost * 2 // 100
    assert lab.world.balance(TENANT) == 1000 * FLUX - cost
    assert lab.world.balance(ESCROW) == 0
    assert lab.escrow.earned(lab.context(), NodeId(U32(1))) == cost * 98 // 100
    paid = HostPaid(
        app, NodeId(U32(1)), OPERATOR, wei(cost * 98 // 100), wei(cost * 2 // 100), U64(100), LeaseId(U64(1))
    )
    assert lab.world.emitted(lab.escrow, paid)
    assert lab.world.emitted(lab.escrow, Refunded(app, TENANT, wei(FLUX - cost)))
    assert lab.escrow.account(lab.context(), app).spent == cost
    lab.check()


def test_a_lease_that_its_tenant_ends_costs_the_minimum(lab: Lab) -> None:
    app = running(lab)
    lab.advance(5)
    lab.send(TENANT, 0, lab.apps.remove, app)
    assert lab.world.balance(TENANT) == 1000 * FLUX - 60 * RATE


def test_a_lease_that_its_host_ends_costs_what_it_served(lab: Lab) -> None:
    app = running(lab)
    lab.advance(5)
    lab.market.close(lab.context(), 1, CloseReason.CRASHED)
    assert balance(lab, app) == FLUX - 5 * RATE
    assert lab.world.balance(OPERATOR) == 5 * RATE * 98 // 100
    lab.check()


def test_time_after_the_last_good_probe_is_not_paid(lab: Lab) -> None:
    app = running(lab)
    lab.advance(100)
    lab.market.suspect(lab.context(), 1, until=lab.world.block.now - 8)
    lab.advance(50)
    assert balance(lab, app) == FLUX - 92 * RATE
    lab.market.confirm(lab.context(), 1)
    lab.advance(10)
    assert balance(lab, app) == FLUX - 102 * RATE
    lab.check()


def test_confirming_twice_accrues_once(lab: Lab) -> None:
    app = running(lab)
    lab.confirm_all(app)
    lab.advance(10)
    assert balance(lab, app) == FLUX - 10 * RATE
    lab.check()


def test_settling_pays_hosts_but_holds_back_what_may_turn_out_not_to_be_served(lab: Lab) -> None:
    app = running(lab)
    lab.advance(30)
    lab.send(FRIEND, 0, lab.escrow.settle, app)
    assert lab.world.balance(OPERATOR) == 0
    lab.advance(70)
    lab.send(FRIEND, 0, lab.escrow.settle, app)
    assert lab.world.balance(OPERATOR) == 40 * RATE * 98 // 100
    assert balance(lab, app) == FLUX - 100 * RATE
    lab.market.suspect(lab.context(), 1, until=lab.world.block.now - 8)
    assert lab.world.balance(OPERATOR) == 92 * RATE * 98 // 100
    assert balance(lab, app) == FLUX - 92 * RATE
    lab.check()


def test_an_account_runs_dry_at_exactly_the_computed_second(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lasts = 21_000
    account_ = lab.escrow.account(lab.context(), app)
    assert account_.depletes_at == lab.world.block.now + lasts
    lab.advance(lasts - 1)
    assert lab.apps.app(lab.context(), app).status is AppStatus.ACTIVE
    assert balance(lab, app) == RATE
    lab.advance(1)
    assert lab.apps.app(lab.context(), app).status is AppStatus.DEPLETED
    assert lab.market.open_leases(app) == []
    assert lab.world.balance(ESCROW) == balance(lab, app) == 0
    assert lab.world.balance(OPERATOR) + lab.world.balance(TREASURY) == 21 * FLUX // 1000
    assert lab.world.emitted(lab.escrow, Depleted(app))
    lab.check()


def test_a_deposit_that_is_no_multiple_of_the_rate_is_spent_to_the_last_wei(lab: Lab) -> None:
    odd = Ask(U64(7_123_457), U64(0), U64(0), U64(0))
    lab.join("m", ask=odd)
    app = lab.deploy(TENANT, 50, instances=2)
    lab.confirm_all(app)
    account_ = lab.escrow.account(lab.context(), app)
    assert (50 * FLUX // 1000) % account_.rate != 0
    lab.advance(account_.depletes_at - lab.world.block.now)
    assert lab.world.balance(ESCROW) == 0
    assert lab.escrow.account(lab.context(), app).spent == 50 * FLUX // 1000
    lab.check()


def test_a_block_that_comes_late_does_not_make_the_account_owe(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lab.advance(500_000)
    assert lab.world.balance(ESCROW) == balance(lab, app) == 0
    assert lab.apps.app(lab.context(), app).status is AppStatus.DEPLETED
    lab.check()


def test_stopping_a_lease_after_the_money_ended_but_before_the_work_is_done_pays_what_is_there(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lab.world.advance(500_000)
    lab.market.close(lab.context(), 1, CloseReason.CRASHED)
    assert lab.world.balance(OPERATOR) + lab.world.balance(TREASURY) == 21 * FLUX // 1000
    lab.world.run_due(lab.contracts)
    assert lab.apps.app(lab.context(), app).status is AppStatus.DEPLETED
    lab.check()


def test_a_top_up_prolongs_and_reschedules(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lab.advance(1000)
    lab.send(FRIEND, 10 * FLUX // 1000, lab.escrow.top_up, app)
    account_ = lab.escrow.account(lab.context(), app)
    assert account_.depletes_at == lab.world.block.now - 1000 + 31_000
    assert lab.world.schedule.first() is not None
    assert len(list(lab.world.schedule.ready(ChainTime(U64(2**62))))) == 1
    lab.advance(20_001)
    assert lab.apps.app(lab.context(), app).status is AppStatus.ACTIVE
    lab.check()


def test_a_top_up_starts_a_depleted_app_again_if_it_is_worth_a_first_deposit(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lab.advance(21_000)
    required = lab.escrow.quote(lab.context(), encode_spec(spec()), U16(1))
    with pytest.raises(DepositTooSmall) as caught:
        lab.send(FRIEND, required - 1, lab.escrow.top_up, app)
    assert caught.value.required == required
    lab.send(FRIEND, required, lab.escrow.top_up, app)
    assert lab.apps.app(lab.context(), app).status is AppStatus.ACTIVE
    assert len(lab.market.open_leases(app)) == 1
    lab.check()


def test_a_top_up_in_the_block_of_depletion_finds_the_app_depleted(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lab.world.advance(21_005)
    lab.send(TENANT, FLUX, lab.escrow.top_up, app)
    assert lab.world.emitted(lab.escrow, Depleted(app))
    assert lab.apps.app(lab.context(), app).status is AppStatus.ACTIVE
    assert balance(lab, app) == FLUX
    lab.world.run_due(lab.contracts)
    assert lab.apps.app(lab.context(), app).status is AppStatus.ACTIVE
    lab.check()


def test_deposits_are_spent_oldest_first_and_refunded_newest_first(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lab.send(FRIEND, 20 * FLUX // 1000, lab.escrow.top_up, app)
    lab.advance(22_000)
    lab.send(TENANT, 30 * FLUX // 1000, lab.escrow.top_up, app)
    lab.send(TENANT, 0, lab.apps.remove, app)
    assert lab.world.balance(FRIEND) == 1000 * FLUX - FLUX // 1000
    assert lab.world.balance(TENANT) == 1000 * FLUX - 21 * FLUX // 1000
    refunded = event_codec(Refunded).topic0
    assert [log.topics[2][12:] for log in lab.world.logs if log.topics[0] == refunded] == [TENANT, FRIEND]
    assert lab.world.emitted(lab.escrow, Refunded(app, FRIEND, wei(19 * FLUX // 1000)))
    lab.check()


def test_deposits_below_the_minimum_are_refused(lab: Lab) -> None:
    data = encode_spec(spec())
    required = lab.escrow.quote(lab.context(), data, U16(3))
    args = ("shop", U16(3), data, b"")
    with pytest.raises(DepositTooSmall) as caught:
        lab.send(TENANT, required - 1, lab.apps.deploy, *args)
    assert (caught.value.required, caught.value.provided) == (required, required - 1)
    app = lab.send(TENANT, required, lab.apps.deploy, *args)
    with pytest.raises(DepositTooSmall):
        lab.send(FRIEND, lab.params.escrow.min_deposit - 1, lab.escrow.top_up, app)
    lab.check()


def test_the_quote_is_more_for_more_instances_and_follows_the_specs_maximum(lab: Lab) -> None:
    one = lab.escrow.quote(lab.context(), encode_spec(spec()), U16(1))
    assert lab.escrow.quote(lab.context(), encode_spec(spec()), U16(4)) == 4 * one
    capped = spec(constraints=Constraints(max_price_gwei_hour=100_000_000))
    assert lab.escrow.quote(lab.context(), encode_spec(capped), U16(1)) == 100_000_000 * 10**9 // 3600 * 3600
    with pytest.raises(InvalidSpec):
        lab.escrow.quote(lab.context(), b"{}", U16(1))


def test_more_work_needs_the_balance_of_a_first_deposit(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    with pytest.raises(BalanceTooLow) as caught:
        lab.send(TENANT, 0, lab.apps.scale, app, U16(2))
    assert caught.value.available == 21 * FLUX // 1000
    dear = encode_spec(spec(component(cpu_milli=4000)))
    with pytest.raises(BalanceTooLow):
        lab.send(TENANT, 0, lab.apps.update, app, U16(1), dear, b"")
    lab.send(TENANT, FLUX, lab.escrow.top_up, app)
    lab.send(TENANT, 0, lab.apps.scale, app, U16(2))
    lab.check()


def test_a_payer_too_many_is_refused_but_never_the_owner(lab: Lab) -> None:
    lab = Lab(lab.params.but(escrow=lab.params.escrow.but(max_deposits=U16(3))))
    lab.fund(TENANT, 10)
    app = lab.deploy(TENANT, 100)
    payers = [account(f"payer {number}") for number in range(3)]
    for payer in payers:
        lab.fund(payer, 1)
    for payer in payers[:2]:
        lab.send(payer, FLUX, lab.escrow.top_up, app)
    with pytest.raises(TooManyPayers):
        lab.send(payers[2], FLUX, lab.escrow.top_up, app)
    lab.send(TENANT, FLUX, lab.escrow.top_up, app)
    lab.check()


def test_a_closed_or_unknown_app_takes_no_money(lab: Lab) -> None:
    app = lab.deploy(TENANT, 100)
    lab.send(TENANT, 0, lab.apps.remove, app)
    with pytest.raises(NoAccount):
        lab.send(FRIEND, FLUX, lab.escrow.top_up, app)
    with pytest.raises(UnknownApp):
        lab.send(FRIEND, FLUX, lab.escrow.top_up, UNKNOWN)
    for ask in (lab.escrow.account, lab.escrow.balance):
        with pytest.raises(NoAccount):
            ask(lab.context(), UNKNOWN)
    with pytest.raises(NoAccount):
        lab.send(FRIEND, 0, lab.escrow.settle, UNKNOWN)


def test_a_free_lease_accrues_nothing_and_never_ends_the_app(lab: Lab) -> None:
    lab.send(account("n operator"), 0, lab.nodes.set_ask, NodeId(U32(1)), Ask(U64(0), U64(0), U64(0), U64(0)))
    app = running(lab)
    lab.advance(10**7)
    assert balance(lab, app) == FLUX
    lab.send(TENANT, 0, lab.apps.remove, app)
    assert lab.world.balance(TENANT) == 1000 * FLUX
    lab.check()


def test_pausing_stops_the_bill_and_resuming_needs_the_price_of_placement(lab: Lab) -> None:
    app = running(lab)
    lab.advance(100)
    lab.send(TENANT, 0, lab.apps.pause, app)
    lab.advance(1000)
    assert balance(lab, app) == FLUX - 100 * RATE
    lab.send(TENANT, 0, lab.apps.resume, app)
    assert len(lab.market.open_leases(app)) == 1
    lab.check()


def test_an_account_emptied_by_minimums_depletes_its_app_and_cannot_resume_it(lab: Lab) -> None:
    app = running(lab, deposit_milli=21)
    lab.advance(20_970)
    lab.market.close(lab.context(), 1, CloseReason.CRASHED)
    lab.market.app_changed(lab.context(), app)
    lab.confirm_all(app)
    lab.send(TENANT, 0, lab.apps.pause, app)
    lab.world.run_due(lab.contracts)
    assert balance(lab, app) == lab.world.balance(ESCROW) == 0
    assert lab.apps.app(lab.context(), app).status is AppStatus.PAUSED
    with pytest.raises(BalanceTooLow):
        lab.send(TENANT, 0, lab.apps.resume, app)
    lab.check()


def test_the_operator_of_the_moment_of_confirmation_is_paid(lab: Lab) -> None:
    app = running(lab)
    accruals = list(lab.escrow.state.accruals.items())
    assert [(key, accrual.operator) for key, accrual in accruals] == [((app, 1), OPERATOR)]


def test_work_that_is_scheduled_too_early_does_nothing(lab: Lab) -> None:
    app = running(lab)
    before = lab.world.dump()
    lab.escrow.deplete(lab.context(), app)
    assert lab.world.dump() == before


def test_books_that_do_not_match_are_noticed(lab: Lab) -> None:
    app = running(lab)
    account_ = lab.escrow.account(lab.context(), app)
    for spoiled, words in (
        (account_.but(rate=wei(account_.rate + 1)), "its rate is"),
        (account_.but(owed=wei(1)), "it owes 1 but"),
        (account_.but(depletes_at=ChainTime(U64(account_.depletes_at + 1))), "is scheduled"),
        (account_.but(depletes_at=ChainTime(U64(0))), "is not scheduled"),
        (account_.but(deposits=()), "the deposits sum to 0"),
        (account_.but(deposits=(), owed=wei(5)), "more than its 0"),
        (account_.but(deposits=(*account_.deposits, Deposit(FRIEND, wei(0)))), "an empty deposit"),
        (account_.but(deposits=account_.deposits * 17), "17 deposits"),
        (account_.but(settled_at=ChainTime(U64(0))), "paid for time to come"),
    ):
        lab.escrow.state.accounts.set(app, spoiled)
        with pytest.raises(AssertionError, match=words):
            lab.check()
    lab.escrow.state.accounts.delete(app)
    with pytest.raises(AssertionError, match="without an account"):
        lab.check()
    lab.escrow.state.accounts.set(app, account_)
    lab.check()

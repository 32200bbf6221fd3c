"""The arithmetic of money: nothing is lost, nothing goes below zero, time is counted once."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.apps.types import AppId, Constraints, Volume
from flux.contracts.escrow import rules
from flux.contracts.escrow.types import NOTHING, Accrual, Deposit, EscrowAccount
from flux.contracts.market.types import LeaseId, RatePerSecond
from flux.contracts.nodes.types import NodeId
from flux.contracts.oracle.types import NO_USD_PRICE, Meter
from flux.primitives.types import NO_WEI, U32, U64, U256, Address, ChainTime, Seconds, Wei
from flux.protocol.params import DEFAULT
from support.contract_lab import account, spec

A, B, C, OWNER = account("a"), account("b"), account("c"), account("owner")
PARAMS = DEFAULT.escrow
amounts = st.integers(1, 10**24)
deposit_lists = st.lists(st.tuples(st.sampled_from([A, B, C]), amounts), max_size=6).map(
    lambda pairs: tuple(Deposit(payer, wei(amount)) for payer, amount in pairs)
)


def wei(amount: int) -> Wei:
    return Wei(U256(amount))


def at(time: int) -> ChainTime:
    return ChainTime(U64(time))


def seconds(count: int) -> Seconds:
    return Seconds(U64(count))


def ledger(deposits: tuple[Deposit, ...], rate: int = 0, owed: int = 0, now: int = 1000) -> EscrowAccount:
    account_ = EscrowAccount(AppId(U64(1)), deposits, wei(rate), wei(owed), at(now), NO_WEI, at(0))
    return account_.but(depletes_at=rules.depletion(account_, clock(now))[0])


def clock(time: int) -> Meter:
    """The meter of accounts in FLUX."""
    return Meter(at(time), NOTHING, NOTHING)


@given(deposit_lists, st.integers(0, 10**25))
def test_spending_takes_exactly_the_amount_and_the_oldest_money_first(deposits: tuple[Deposit, ...], want: int) -> None:
    amount = wei(min(want, rules.total(deposits)))
    left = rules.spend(deposits, amount)
    assert rules.total(left) == rules.total(deposits) - amount
    assert all(deposit.remaining > 0 for deposit in left)
    untouched = left[1:]
    assert untouched == deposits[len(deposits) - len(untouched) :]


def test_money_of_who_paid_last_joins_and_other_money_queues_behind() -> None:
    deposits = rules.add_deposit((), A, wei(5), OWNER, 4)
    assert deposits is not None
    deposits = rules.add_deposit(deposits, A, wei(6), OWNER, 4)
    assert deposits == (Deposit(A, wei(11)),)
    deposits = rules.add_deposit(deposits, B, wei(1), OWNER, 4)
    assert deposits is not None
    deposits = rules.add_deposit(deposits, A, wei(2), OWNER, 4)
    assert deposits == (Deposit(A, wei(11)), Deposit(B, wei(1)), Deposit(A, wei(2)))


def test_strangers_never_take_the_owners_place() -> None:
    full = (Deposit(A, wei(1)), Deposit(B, wei(1)))
    assert rules.add_deposit(full, C, wei(1), OWNER, 3) is None
    with_owner = rules.add_deposit(full, OWNER, wei(1), OWNER, 3)
    assert with_owner == (*full, Deposit(OWNER, wei(1)))
    assert rules.add_deposit(with_owner, C, wei(1), OWNER, 3) is None


def test_who_finds_the_list_full_adds_to_their_own_deposit() -> None:
    full = (Deposit(A, wei(1)), Deposit(B, wei(1)), Deposit(OWNER, wei(1)))
    assert rules.add_deposit(full, A, wei(4), OWNER, 3) == (Deposit(A, wei(5)), full[1], full[2])


@given(
    st.lists(st.tuples(st.sampled_from([A, B, C, OWNER]), amounts), max_size=20),
    st.integers(2, 5),
)
def test_deposits_are_never_lost_and_the_owner_always_gets_in(pays: list[tuple[Address, int]], limit: int) -> None:
    deposits: tuple[Deposit, ...] = ()
    paid = 0
    for payer, amount in pays:
        added = rules.add_deposit(deposits, payer, wei(amount), OWNER, limit)
        if added is None:
            assert payer != OWNER
            continue
        deposits, paid = added, paid + amount
        assert len(deposits) <= limit
        assert rules.total(deposits) == paid


@given(amounts, st.integers(0, 10_000))
def test_the_fee_is_a_share_rounded_down(amount: int, basis_points: int) -> None:
    fee = rules.fee_of(wei(amount), basis_points)
    assert 0 <= fee <= amount
    assert fee * 10_000 <= amount * basis_points < (fee + 1) * 10_000


@given(st.integers(1, 10**24), st.integers(10**6, 10**20), st.integers(0, 10**6))
def test_an_account_is_dry_at_the_last_second_that_it_pays_in_full(funds: int, rate: int, later: int) -> None:
    account_ = ledger((Deposit(A, wei(funds)),), rate)
    dry_at = account_.depletes_at
    running = dry_at - account_.settled_at
    assert rate * running <= funds < rate * (running + 1)
    dry = rules.advance(account_, clock(dry_at + later))
    assert dry.settled_at == dry_at
    assert rules.spent(dry) == rate * running
    assert rules.balance(dry) == funds % rate
    assert rules.depletion(dry, clock(dry_at)) == (dry_at, 0)
    assert rules.is_dry(dry, clock(dry_at))
    assert running == 0 or not rules.is_dry(rules.advance(account_, clock(dry_at - 1)), clock(dry_at - 1))


def test_an_account_that_accrues_nothing_never_runs_dry_unless_it_is_empty() -> None:
    assert ledger((Deposit(A, wei(1)),)).depletes_at == 0
    assert ledger((), now=7).depletes_at == 7
    assert not rules.is_dry(ledger((Deposit(A, wei(1)),)), clock(2**60))


def test_depletion_in_billions_of_years_stays_inside_64_bits() -> None:
    assert ledger((Deposit(A, wei(10**26)),), rate=1).depletes_at == rules.FAR_FUTURE


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_time_is_counted_once_however_often_the_account_is_touched(first: int, second: int) -> None:
    account_ = ledger((Deposit(A, wei(10**30)),), rate=7)
    once = rules.advance(account_, clock(1000 + first + second))
    twice = rules.advance(rules.advance(account_, clock(1000 + first)), clock(1000 + first + second))
    assert once == twice
    assert rules.advance(once, clock(account_.settled_at)) == once


def accrual(rate: int, paid_until: int) -> Accrual:
    return Accrual(LeaseId(U64(1)), NodeId(U32(1)), A, wei(rate), at(paid_until))


@pytest.mark.parametrize(
    ("until", "minimum_from", "served", "extra"),
    [
        (1000, 0, 100, 0),
        (970, 0, 70, 0),
        (850, 0, 0, 0),
        (2000, 0, 100, 0),
        (1000, 900, 100, 0),
        (1000, 990, 100, 50),
        (1000, 940, 100, 0),
        (970, 960, 70, 50),
    ],
)
def test_a_stopping_lease_is_paid_for_what_it_served_and_at_least_the_minimum(
    until: int, minimum_from: int, served: int, extra: int
) -> None:
    account_ = ledger((Deposit(A, wei(10**9)),), rate=3, owed=300)
    minimum = (at(minimum_from), seconds(60))
    _, amount, got = rules.close_accrual(account_, accrual(3, 900), clock(until), minimum, NOTHING)
    assert (got, amount) == (served + extra, 3 * (served + extra))


def test_the_minimum_is_taken_only_from_what_no_other_lease_is_owed() -> None:
    account_ = ledger((Deposit(A, wei(1000)),), rate=5, owed=900)
    lease = accrual(3, 950)
    assert rules.own_part(account_, lease) == 150

    def paid(until: int, least: int) -> int:
        return rules.close_accrual(account_, lease, clock(until), (at(until - 50), seconds(least)), NOTHING)[1]

    assert [paid(1000, least) for least in (0, 60, 1050)] == [150, 180, 250]
    assert paid(970, 0) == 60


def test_a_quote_is_the_reference_price_or_the_specs_own_maximum() -> None:
    per_second = RatePerSecond(wei(10**12))
    free = spec()
    capped = msgspec.structs.replace(free, constraints=Constraints(max_price_gwei_hour=36_000_000))
    assert rules.reference_rate(free, per_second, NO_USD_PRICE) == 10**12
    assert rules.reference_rate(capped, per_second, NO_USD_PRICE) == 10**13
    assert rules.quote(free, 10, wei(10**13), PARAMS) == 10 * 10**13 * PARAMS.min_runtime
    assert rules.quote(free, 1, wei(1), PARAMS) == PARAMS.min_deposit


def test_a_quote_includes_volumes_for_as_long_as_they_are_kept() -> None:
    with_volume = spec(volumes=(Volume("data", 2048),))
    kept = 2 * PARAMS.reference_ask.disk * 10**9 * (7 * 24)
    assert rules.quote(with_volume, 3, wei(10**13), PARAMS) == 3 * (10**13 * 3600 + kept)

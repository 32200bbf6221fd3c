"""The oracle: who may feed, what counts, when the price freezes, and what is refused."""

import random

import pytest

from flux.contracts.addresses import GOVERNOR, TREASURY
from flux.contracts.oracle import invariants, rules
from flux.contracts.oracle.types import (
    METER_UNIT,
    AlreadyFeeder,
    FeederRemoved,
    InvalidPrice,
    Meter,
    NotFeeder,
    Price,
    PriceFrozen,
    PriceUpdated,
    ReportIgnored,
    ReportTooSoon,
    TooManyFeeders,
    UsdPrice,
    WrongBond,
)
from flux.kernel.errors import Unauthorized
from flux.primitives.types import NO_WEI, U8, U64, U256, Address, ChainTime, Wei
from support.contract_lab import account
from support.protocol_world import ProtocolWorld

CENTS = 10**6
"""One cent in the oracle's unit."""


class Lab(ProtocolWorld):
    """Five feeders that have joined."""

    def __init__(self, count: int = 5) -> None:
        super().__init__()
        self.feeders = [self.fund(f"feeder {number}") for number in range(count)]
        for feeder in self.feeders:
            self.send(GOVERNOR, self.oracle.register_feeder, feeder)
            self.send(feeder, self.oracle.join, value=self.params.oracle.bond)
        self.block()

    def report(self, number: int, price: int) -> None:
        self.send(self.feeders[number], self.oracle.report, U64(price))

    def price(self) -> Price:
        return self.oracle.price(self.world.context(account("anybody")))

    def all_report(self, *prices: int) -> None:
        for number, price in enumerate(prices):
            self.report(number, price)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_the_price_is_the_median_of_most_feeders(lab: Lab) -> None:
    assert lab.price() == Price(UsdPrice(U64(0)), ChainTime(U64(0)), True)
    lab.all_report(5 * CENTS, 6 * CENTS)
    assert lab.price().frozen
    lab.report(2, 5 * CENTS + 1)
    assert lab.world.emitted(lab.oracle, PriceUpdated(UsdPrice(U64(5 * CENTS + 1)), U8(3)))
    assert lab.price() == Price(UsdPrice(U64(5 * CENTS + 1)), lab.world.block.now, False)
    lab.report(3, 6 * CENTS)
    assert lab.price().value == 5 * CENTS + 1
    lab.block()
    assert lab.oracle.decimals(lab.world.context(lab.feeders[0])) == 8


def test_a_single_jump_is_ignored_and_named(lab: Lab) -> None:
    lab.all_report(*[5 * CENTS] * 5)
    lab.block()
    for lie in (1, 10**14, 9 * CENTS):
        lab.report(4, lie)
        assert lab.world.emitted(
            lab.oracle, ReportIgnored(lab.feeders[4], UsdPrice(U64(lie)), UsdPrice(U64(5 * CENTS)))
        )
        assert lab.price() == Price(UsdPrice(U64(5 * CENTS)), lab.world.block.now, False)
        lab.block()
    shown = {item.feeder: item.counts for item in lab.oracle.feeders(lab.world.context(lab.feeders[0]))}
    assert [shown[feeder] for feeder in lab.feeders] == [True] * 4 + [False]


def test_when_the_market_moves_the_price_follows_once_most_say_so(lab: Lab) -> None:
    lab.all_report(*[5 * CENTS] * 5)
    lab.block()
    lab.report(0, 10 * CENTS)
    lab.report(1, 10 * CENTS)
    assert lab.price().value == 5 * CENTS
    lab.report(2, 10 * CENTS)
    assert lab.price().value == 10 * CENTS


@pytest.mark.parametrize("price", [0, 10**14 + 1, 2**64 - 1])
def test_prices_that_nobody_can_mean_are_refused(lab: Lab, price: int) -> None:
    with pytest.raises(InvalidPrice):
        lab.report(0, price)


def test_a_report_of_ten_to_the_thirty_does_not_even_decode(lab: Lab) -> None:
    from flux.kernel.errors import BadArguments

    selector = next(key for key, item in lab.oracle.methods.items() if item.name == "report")
    with pytest.raises(BadArguments):
        lab.oracle.call(lab.world.context(lab.feeders[0]), selector + (10**30).to_bytes(32, "big"))


def test_a_dead_or_lying_minority_changes_nothing_whatever_it_says() -> None:
    draw = random.Random(7)
    for _ in range(20):
        lab = Lab(7)
        honest = [draw.randrange(490, 510) * CENTS // 100 for _ in range(4)]
        order = list(range(7))
        draw.shuffle(order)
        for number in order:
            if number < 4:
                lab.report(number, honest[number])
            elif draw.random() < 0.7:
                lab.report(number, draw.choice((1, 10**14, draw.randrange(1, 10**9))))
        price = lab.price()
        assert not price.frozen
        assert min(honest) * 8 // 10 <= price.value <= max(honest) * 12 // 10
        lab.block()


def test_a_dead_majority_freezes_the_price_and_says_so(lab: Lab) -> None:
    lab.all_report(*[5 * CENTS] * 5)
    agreed = lab.world.block.now
    lab.block(seconds=lab.params.oracle.staleness - 1)
    lab.report(0, 7 * CENTS)
    lab.report(1, 7 * CENTS)
    lab.block(seconds=2)
    lab.block()
    assert lab.world.emitted(lab.oracle, PriceFrozen(lab.price().value, lab.price().updated_at))
    frozen = lab.price()
    assert (frozen.frozen, frozen.value) == (True, 5 * CENTS)
    assert frozen.updated_at >= agreed
    for number in range(2, 5):
        lab.report(number, 7 * CENTS)
    assert lab.price() == Price(UsdPrice(U64(7 * CENTS)), lab.world.block.now, False)


def test_a_majority_that_does_not_agree_freezes_the_price(lab: Lab) -> None:
    lab.all_report(CENTS, 2 * CENTS, 4 * CENTS, 8 * CENTS, 16 * CENTS)
    assert lab.price().frozen


def test_feeders_are_admitted_by_vote_and_bonded(lab: Lab) -> None:
    stranger = lab.fund("stranger")
    with pytest.raises(Unauthorized):
        lab.send(stranger, lab.oracle.register_feeder, stranger)
    with pytest.raises(NotFeeder):
        lab.send(stranger, lab.oracle.join, value=lab.params.oracle.bond)
    with pytest.raises(NotFeeder):
        lab.send(stranger, lab.oracle.report, U64(CENTS))
    lab.send(GOVERNOR, lab.oracle.register_feeder, stranger)
    with pytest.raises(NotFeeder):
        lab.send(stranger, lab.oracle.report, U64(CENTS))
    with pytest.raises(AlreadyFeeder):
        lab.send(GOVERNOR, lab.oracle.register_feeder, stranger)
    with pytest.raises(WrongBond):
        lab.send(stranger, lab.oracle.join, value=1)
    lab.send(stranger, lab.oracle.join, value=lab.params.oracle.bond)
    with pytest.raises(AlreadyFeeder):
        lab.send(stranger, lab.oracle.join, value=lab.params.oracle.bond)
    for number in range(lab.params.oracle.max_feeders - 6):
        lab.send(GOVERNOR, lab.oracle.register_feeder, account(f"more {number}"))
    with pytest.raises(TooManyFeeders):
        lab.send(GOVERNOR, lab.oracle.register_feeder, account("one too many"))


def test_a_feeder_reports_at_its_pace(lab: Lab) -> None:
    lab.report(0, CENTS)
    with pytest.raises(ReportTooSoon):
        lab.report(0, CENTS)
    lab.block()
    lab.report(0, CENTS)


def test_bonds_come_back_after_a_while_unless_a_vote_takes_them(lab: Lab) -> None:
    honest, liar = lab.feeders[:2]
    bond, before = lab.params.oracle.bond, lab.world.balance(honest)
    lab.send(honest, lab.oracle.leave)
    assert lab.world.emitted(lab.oracle, FeederRemoved(honest, NO_WEI, bond))
    with pytest.raises(NotFeeder):
        lab.send(honest, lab.oracle.leave)
    lab.send(GOVERNOR, lab.oracle.remove_feeder, liar, True)
    assert lab.world.balance(TREASURY) == bond
    with pytest.raises(NotFeeder):
        lab.send(GOVERNOR, lab.oracle.remove_feeder, liar, False)
    lab.block(seconds=lab.params.oracle.unbonding)
    lab.block()
    assert lab.world.balance(honest) == before + bond


def meter(lab: Lab, time: int | None = None) -> Meter:
    return lab.oracle.meter_at(lab.world.block.now if time is None else ChainTime(U64(time)))


def test_the_meter_adds_up_what_a_dollar_is_in_flux_second_by_second(lab: Lab) -> None:
    assert meter(lab) == Meter(lab.world.block.now, U256(0), U256(0))
    lab.all_report(*[5 * CENTS] * 5)
    begun = lab.world.block.now
    assert meter(lab) == Meter(begun, U256(0), U256(20 * METER_UNIT))
    lab.block(seconds=7)
    lab.all_report(*[20 * CENTS] * 5)
    lab.block(seconds=3)
    assert meter(lab) == Meter(lab.world.block.now, U256((7 * 20 + 3 * 5) * METER_UNIT), U256(5 * METER_UNIT))
    assert [meter(lab, begun + after).index // METER_UNIT for after in (0, 1, 7, 8, 10)] == [0, 20, 140, 145, 155]
    assert meter(lab, begun - 5).index == 0


def test_the_meter_remembers_its_history_and_no_more(lab: Lab) -> None:
    history = 600
    lab.send(GOVERNOR, lab.parameters.set_parameter, "oracle.meter_history", U256(history))
    for step in range(30):
        lab.all_report(*[(5 + step % 2) * CENTS] * 5)
        lab.block(seconds=1 if step < 10 else 29)
        for _ in range(0 if step < 10 else 4):
            lab.block(seconds=29)
    times = [time for time, _ in lab.oracle.state.readings.items()]
    assert len(times) <= history // (5 * 29) + 2
    assert times[0] + history <= times[-1] < times[1] + history


def test_a_frozen_price_runs_on_at_its_last_pace(lab: Lab) -> None:
    lab.all_report(*[5 * CENTS] * 5)
    before = meter(lab)
    for _ in range(4):
        lab.block(seconds=lab.params.oracle.staleness // 2)
    assert lab.price().frozen
    assert meter(lab).index == before.index + before.pace * (lab.world.block.now - before.at)


def test_medians_and_deviations_are_exact() -> None:
    prices = [UsdPrice(U64(value)) for value in (4, 1, 3, 2)]
    assert (rules.median(prices), rules.median(prices[:3]), rules.median(prices[:1])) == (2, 3, 4)
    assert not rules.deviates(120, 100, 2_000)
    assert not rules.deviates(80, 100, 2_000)
    assert rules.deviates(121, 100, 2_000)


def test_the_invariants_notice_what_cannot_be(lab: Lab) -> None:
    state = lab.oracle.state
    first: Address = lab.feeders[0]
    record = state.feeders.get(first)
    state.feeders.set(first, record.but(bond=Wei(U256(0)), price=UsdPrice(U64(5)), number=99))
    state.price.set(Price(UsdPrice(U64(0)), ChainTime(U64(0)), False))
    state.readings.set(ChainTime(U64(5)), Meter(ChainTime(U64(5)), U256(9), U256(9)))
    state.meter.set(Meter(ChainTime(U64(6)), U256(9), U256(9)))
    found = " ".join(invariants.check(lab.oracle))
    for words in (
        "bonds sum to",
        "are numbered",
        "reported 5",
        "no price and it is not frozen",
        "the meter is not",
        "runs at",
    ):
        assert words in found

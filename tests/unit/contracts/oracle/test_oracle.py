"""The oracle: who may feed, what counts, when the price freezes, and what is refused."""

import random

import pytest

from flux.contracts.addresses import GOVERNOR, TREASURY
from flux.contracts.nodes.types import Ask, NodeId
from flux.contracts.oracle import invariants, rules
from flux.contracts.oracle.types import (
    AlreadyFeeder,
    FeederRemoved,
    InvalidPrice,
    InvalidUsdAsk,
    NoPrice,
    NotFeeder,
    Price,
    PriceFrozen,
    PriceUpdated,
    ReportIgnored,
    ReportTooSoon,
    TooManyFeeders,
    UsdAsk,
    UsdAskSet,
    UsdPrice,
    WrongBond,
)
from flux.kernel.errors import Unauthorized
from flux.primitives.types import NO_WEI, U8, U16, U64, U256, Address, ChainTime, Wei
from support.contract_lab import FLUX, account
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


USD = UsdAsk(U64(10_000), U64(5_000), U64(10), U64(0))


def asks(lab: Lab, node: NodeId) -> Ask:
    return lab.nodes.node(lab.world.context(account("anybody")), node).ask


def test_an_ask_in_dollars_follows_the_price_and_ends_when_its_operator_chooses_another(lab: Lab) -> None:
    node = lab.node(1)
    owner = account("operator 1")
    with pytest.raises(NoPrice):
        lab.send(owner, lab.oracle.set_usd_ask, node, USD)
    lab.all_report(*[5 * CENTS] * 5)
    with pytest.raises(Unauthorized):
        lab.send(lab.feeders[0], lab.oracle.set_usd_ask, node, USD)
    with pytest.raises(InvalidUsdAsk):
        lab.send(owner, lab.oracle.set_usd_ask, node, UsdAsk(U64(10**14 + 1), U64(0), U64(0), U64(0)))
    lab.send(owner, lab.oracle.set_usd_ask, node, USD)
    assert lab.world.emitted(lab.oracle, UsdAskSet(node, USD))
    assert asks(lab, node) == Ask(U64(2_000_000), U64(1_000_000), U64(2_000), U64(0))
    lab.block()
    lab.all_report(*[10 * CENTS] * 5)
    lab.block()
    lab.block()
    assert asks(lab, node) == Ask(U64(1_000_000), U64(500_000), U64(1_000), U64(0))
    assert lab.oracle.usd_ask(lab.world.context(owner), node) == USD
    chosen = Ask(U64(7), U64(7), U64(7), U64(7))
    lab.send(owner, lab.nodes.set_ask, node, chosen)
    assert lab.oracle.usd_ask(lab.world.context(owner), node) == rules.NO_ASK
    lab.all_report(*[5 * CENTS] * 5)
    lab.block()
    lab.block()
    assert asks(lab, node) == chosen
    assert node not in lab.oracle.state.usd_asks


def test_small_moves_reprice_nothing_and_rounding_favours_the_operator(lab: Lab) -> None:
    node = lab.node(1)
    lab.all_report(*[3] * 5)
    lab.send(account("operator 1"), lab.oracle.set_usd_ask, node, UsdAsk(U64(1), U64(0), U64(0), U64(0)))
    before = asks(lab, node)
    assert before.cpu == 333_333_334
    lab.block()
    lab.block()
    assert not rules.deviates(1_000_999, 1_000_000, 100)
    assert asks(lab, node) == before


def test_repricing_goes_on_in_batches_and_past_nodes_that_leave() -> None:
    lab = Lab()
    nodes = [lab.node(number) for number in range(1, 26)]
    lab.send(GOVERNOR, lab.parameters.set_parameter, "oracle.reprice_batch", U256(10))
    lab.block()
    lab.all_report(*[5 * CENTS] * 5)
    for number, node in enumerate(nodes, start=1):
        lab.send(account(f"operator {number}"), lab.oracle.set_usd_ask, node, USD)
    lab.send(account("operator 3"), lab.nodes.leave, nodes[2])
    lab.block()
    lab.all_report(*[1 * CENTS] * 5)
    for _ in range(4):
        lab.block()
    for node in nodes:
        assert asks(lab, node).cpu == (2_000_000 if node == nodes[2] else 10_000_000)
    lab.block()


def test_a_price_that_collapses_stops_at_the_caps(lab: Lab) -> None:
    node = lab.node(1)
    lab.all_report(*[1] * 5)
    most = UsdAsk(*[U64(10**14)] * 4)
    lab.send(account("operator 1"), lab.oracle.set_usd_ask, node, most)
    assert asks(lab, node) == lab.params.nodes.max_ask


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
    found = " ".join(invariants.check(lab.oracle))
    for words in ("bonds sum to", "are numbered", "reported 5", "no price and it is not frozen"):
        assert words in found
    assert U16(1)
    assert FLUX

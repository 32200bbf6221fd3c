"""Prices in dollars over the whole protocol: who is billed in what, what it comes to, and who could gain by waiting."""

from random import Random

import pytest

from flux.contracts.addresses import GOVERNOR
from flux.contracts.apps.types import AppId, AppStatus, Constraints
from flux.contracts.escrow import invariants as escrow_invariants
from flux.contracts.escrow.types import NOTHING, EscrowBalance
from flux.contracts.market import exchange
from flux.contracts.market.rules import Needs
from flux.contracts.market.types import Lease, Rejection
from flux.contracts.nodes.types import MAX_USD_ASK, Ask, Currency, InvalidDeclaration, NodeId
from flux.contracts.oracle.types import NoPrice, UsdPrice
from flux.primitives.types import U16, U64
from support.contract_lab import FLUX, account, spec
from support.protocol_world import ProtocolWorld

CENTS = 10**6
DOLLAR = 100 * CENTS
ONE_CORE = Ask(U64(3_600_000), U64(0), U64(0), U64(0), Currency.USD)
"""A core costs 3.6 tenths of a cent an hour: 10**12 parts of 10**-18 dollars a second."""
PER_SECOND = 10**12
ANYBODY = account("anybody")


class Dollars(ProtocolWorld):
    """Three feeders, and apps that run."""

    def __init__(self, price: int | None = DOLLAR) -> None:
        super().__init__()
        self.feeders = [self.fund(f"feeder {number}") for number in range(3)]
        for feeder in self.feeders:
            self.send(GOVERNOR, self.oracle.register_feeder, feeder)
            self.send(feeder, self.oracle.join, value=self.params.oracle.bond)
        if price is not None:
            self.say(price)

    def say(self, price: int) -> None:
        """All feeders report it."""
        for feeder in self.feeders:
            self.send(feeder, self.oracle.report, U64(price))

    def host(self, number: int, ask: Ask = ONE_CORE) -> NodeId:
        """A node with prices of its own."""
        node = self.node(number)
        self.send(account(f"operator {number}"), self.nodes.set_ask, node, ask)
        return node

    def run(self, constraints: Constraints = Constraints(), deposit: int = 1, instances: int = 1) -> AppId:  # noqa: B008
        """An app whose instances run."""
        app = self.deploy("shop", instances, spec(constraints=constraints), deposit)
        assert len(self.run_all(app)) == instances
        return app

    def one(self, app: AppId) -> Lease:
        (lease,) = self.open(app)
        return lease

    def balance(self, app: AppId) -> EscrowBalance:
        return self.escrow.balance(self.world.context(ANYBODY), app)

    def earned(self, node: NodeId) -> int:
        return self.escrow.earned(self.world.context(ANYBODY), node)


def test_a_node_that_asks_in_dollars_is_paid_in_dollars_at_the_price_of_each_second() -> None:
    world = Dollars()
    world.host(1)
    app = world.run()
    assert (world.one(app).rate, world.one(app).usd_rate) == (PER_SECOND, PER_SECOND)
    begun, before = world.balance(app).spent, world.world.block.now
    world.block(seconds=10)
    assert world.balance(app).spent - begun == 10 * PER_SECOND
    world.say(DOLLAR // 4)
    assert world.balance(app).rate == 4 * PER_SECOND
    world.block(seconds=10)
    world.say(2 * DOLLAR)
    world.block(seconds=10)
    assert world.world.block.now - before == 30
    assert world.balance(app).spent - begun == 10 * PER_SECOND * (1 + 4) + 10 * PER_SECOND // 2
    assert world.one(app).rate == PER_SECOND, "what it was when it was placed"


@pytest.mark.parametrize(
    ("constraints", "ask", "rate", "usd_rate"),
    [
        (Constraints(), ONE_CORE, 2 * PER_SECOND, PER_SECOND),
        (Constraints(max_price_gwei_hour=10**8), ONE_CORE, 2 * PER_SECOND, 0),
        (Constraints(max_price_nanousd_hour=10**8), ONE_CORE, 2 * PER_SECOND, PER_SECOND),
        (Constraints(), ONE_CORE.but(currency=Currency.FLUX), PER_SECOND, 0),
        (Constraints(max_price_gwei_hour=10**8), ONE_CORE.but(currency=Currency.FLUX), PER_SECOND, 0),
        (Constraints(max_price_nanousd_hour=10**8), ONE_CORE.but(currency=Currency.FLUX), PER_SECOND, PER_SECOND // 2),
    ],
)
def test_the_bill_is_in_the_currency_of_the_tenants_maximum_or_else_of_the_nodes_ask(
    constraints: Constraints, ask: Ask, rate: int, usd_rate: int
) -> None:
    world = Dollars(DOLLAR // 2)
    world.host(1, ask)
    lease = world.one(world.run(constraints))
    assert (lease.rate, lease.usd_rate) == (rate, usd_rate)


def test_asks_in_either_currency_are_compared_at_the_price_of_the_block() -> None:
    world = Dollars(DOLLAR)
    cheap_in_dollars = world.host(1)
    cheap_in_flux = world.host(2, Ask(U64(5_000_000), U64(0), U64(0), U64(0)))
    first = world.deploy("first", spec=spec())
    world.block()
    assert world.one(first).node == cheap_in_dollars
    world.say(DOLLAR // 2)
    second = world.deploy("second", spec=spec())
    world.block()
    assert world.one(second).node == cheap_in_flux


def test_a_maximum_in_dollars_holds_at_the_price_of_the_block_and_waits_for_a_better_one() -> None:
    world = Dollars(DOLLAR // 2)
    world.host(1, Ask(U64(3_600_000), U64(0), U64(0), U64(0)))
    app = world.deploy(spec=spec(constraints=Constraints(max_price_nanousd_hour=1_799_999)))
    world.block()
    assert world.open(app) == []
    verdicts = world.market.explain(world.world.context(ANYBODY), app, NodeId(1), U16(10))  # type: ignore[arg-type]
    assert [verdict.rejection for verdict in verdicts] == [Rejection.PRICE]
    world.block()
    world.say(DOLLAR // 2 - 100)
    world.block()
    assert world.one(app).usd_rate == PER_SECOND * (DOLLAR // 2 - 100) // DOLLAR


def test_without_any_price_nothing_is_paid_in_dollars() -> None:
    world = Dollars(price=None)
    world.host(1)
    with pytest.raises(NoPrice):
        world.deploy(spec=spec(constraints=Constraints(max_price_nanousd_hour=10**8)))
    app = world.deploy(spec=spec())
    world.block()
    assert world.open(app) == []
    world.say(DOLLAR)
    world.block()
    assert world.one(app).usd_rate == PER_SECOND


def test_the_largest_prices_are_refused_when_they_are_set_and_payable_at_no_price_that_makes_them_too_large() -> None:
    world = Dollars()
    node, operator, most = world.node(1), account("operator 1"), world.params.nodes.max_ask
    dear = Ask(U64(MAX_USD_ASK), most.memory, most.disk, U64(MAX_USD_ASK), Currency.USD)
    for price in ("cpu", "memory", "disk", "gpu"):
        with pytest.raises(InvalidDeclaration):
            world.send(operator, world.nodes.set_ask, node, dear.but(**{price: U64(getattr(dear, price) + 1)}))
    world.send(operator, world.nodes.set_ask, node, dear)
    world.block()
    world.say(1)
    world.block()
    app = world.deploy(spec=spec())
    world.block()
    assert world.open(app) == []


def touch_or_not(seed: int, touches: bool, currencies: tuple[Currency, ...]) -> tuple[int, ...]:
    """What hosts and tenant have at the end of a year of moving prices, if somebody settles all the time or nobody."""
    prices, moments = Random(seed), Random(seed + 1)
    world = Dollars()
    nodes = [world.host(number, ONE_CORE.but(currency=currency)) for number, currency in enumerate(currencies, 1)]
    app = world.run(deposit=9, instances=len(nodes))
    for _ in range(60):
        if prices.random() < 0.5:
            world.say(prices.randrange(DOLLAR // 9, 9 * DOLLAR))
        if touches and moments.random() < 0.7:
            world.send(world.feeders[0], world.escrow.settle, app)
        world.block(seconds=prices.randrange(1, 30))
    tenant = account("tenant shop")
    world.send(tenant, world.apps.remove, app)
    return (*(world.earned(node) for node in nodes), world.world.balance(tenant))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("currencies", [(Currency.USD,), (Currency.USD, Currency.USD, Currency.FLUX)])
def test_nobody_gains_by_choosing_when_an_account_is_touched(seed: int, currencies: tuple[Currency, ...]) -> None:
    often, never = touch_or_not(seed, True, currencies), touch_or_not(seed, False, currencies)
    rounding = 200
    """The protocol's fee of each payment is rounded down to a wei: at most one for each touch and lease."""
    assert all(0 <= more - less <= rounding for more, less in zip(often[:-1], never[:-1], strict=True))
    assert often[-1] == never[-1], "the tenant pays the same to the wei"


def dry_after(world: Dollars, app: AppId, most: int = 400) -> int:
    """Seconds until the app's account is empty."""
    begun = world.world.block.now
    for _ in range(most):
        if world.apps.app(world.world.context(ANYBODY), app).status is AppStatus.DEPLETED:
            return world.world.block.now - begun
        world.block()
    raise AssertionError("it never ran dry")


@pytest.mark.parametrize("currencies", [(Currency.USD,), (Currency.USD, Currency.FLUX)])
@pytest.mark.parametrize("price", [DOLLAR // 10, DOLLAR, 3 * DOLLAR])
def test_an_account_runs_dry_when_its_money_is_spent_whatever_the_price_does(
    currencies: tuple[Currency, ...], price: int
) -> None:
    """Every block checks that nothing is owed that is not there."""
    world = Dollars()
    nodes = [
        world.host(number, Ask(U64(36 * 10**9), U64(0), U64(0), U64(0), currency))
        for number, currency in enumerate(currencies, 1)
    ]
    app = world.run(deposit=len(nodes), instances=len(nodes))
    world.block(seconds=10)
    left, flux_rate = world.balance(app).balance, 10**16 * (len(nodes) - 1)
    world.say(price)
    expected = left // (flux_rate + 10**16 * DOLLAR // price)
    assert world.balance(app).depletes_at == world.world.block.now + expected
    assert abs(dry_after(world, app) - expected) <= 2
    assert world.balance(app).balance == 0
    assert world.escrow.state.accounts.get(app).usd_owed == NOTHING
    paid = sum(world.earned(node) for node in nodes)
    assert abs(paid * 100 // 98 - len(nodes) * FLUX) < 200


def test_a_crash_in_the_last_moments_is_shared_and_not_owed() -> None:
    """The price falls to a millionth between two blocks: what is there is all that there is."""
    world = Dollars()
    nodes = [
        world.host(number, ONE_CORE.but(currency=kind)) for number, kind in ((1, Currency.USD), (2, Currency.FLUX))
    ]
    app = world.run(instances=2)
    world.say(DOLLAR // 10**6)
    world.block(seconds=29)
    world.block()
    world.block()
    assert world.apps.app(world.world.context(ANYBODY), app).status is AppStatus.DEPLETED
    assert sum(world.earned(node) for node in nodes) > FLUX * 97 // 100


def test_a_dead_oracle_leaves_the_rate_where_it_was_and_the_bill_says_so() -> None:
    world = Dollars()
    world.host(1)
    app = world.run()
    assert not world.balance(app).frozen
    before = world.balance(app).rate
    for _ in range(3):
        world.block(seconds=world.params.oracle.staleness)
    assert (world.balance(app).frozen, world.balance(app).rate) == (True, before)


def test_time_in_which_a_node_did_not_serve_is_not_paid_and_what_it_served_is_at_its_price() -> None:
    world = Dollars()
    node = world.host(1)
    begun = world.one(world.run()).running_at
    last_seen = world.world.block.now
    world.block(seconds=5)
    world.say(DOLLAR // 100)
    world.block(seconds=5)
    before = world.earned(node)
    context = world.world.context(ANYBODY)
    world.market.suspect_node(context, node, last_seen)
    assert world.earned(node) - before == PER_SECOND * (last_seen - begun) * 98 // 100
    world.market.restore_node(context, node)


def test_an_update_in_place_keeps_the_price_level_across_currencies() -> None:
    needs, double = Needs(1000, 0, 0, 0), Needs(2000, 0, 0, 0)
    price = UsdPrice(U64(DOLLAR // 2))
    agreed = exchange.terms_of(None, needs, ONE_CORE, price)
    dearer = ONE_CORE.but(cpu=U64(10 * ONE_CORE.cpu))
    kept = exchange.terms_in_place(None, double, needs, dearer, price, agreed)
    assert (kept.usd_rate, kept.rate) == (2 * PER_SECOND, 4 * PER_SECOND)
    in_flux = exchange.terms_in_place(Currency.FLUX, double, needs, dearer, price, agreed)
    assert (in_flux.usd_rate, in_flux.rate) == (0, 4 * PER_SECOND)
    back = exchange.terms_in_place(Currency.USD, needs, double, dearer, price, in_flux)
    assert (back.usd_rate, back.rate) == (PER_SECOND, 2 * PER_SECOND)


def test_the_invariants_notice_dollars_that_do_not_add_up() -> None:
    world = Dollars()
    world.host(1)
    app = world.run()
    world.block()
    state, record = world.escrow.state, world.escrow.state.accounts.get(app)
    broken = {
        "its rate in dollars is": record.but(usd_rate=record.usd_rate + 1),
        "its leases in dollars are owed": record.but(usd_owed=record.usd_owed + 1),
        "are queued": record.but(depletes_index=record.depletes_index + 1),
        "paid for a reading to come": record.but(settled_index=NOTHING),
        "nobody is about to look": record.but(deposits=record.deposits[:0]),
    }
    for words, account_ in broken.items():
        state.accounts.set(app, account_)
        assert any(words in problem for problem in escrow_invariants.check(world.escrow)), words
    state.accounts.set(app, record)
    assert escrow_invariants.check(world.escrow) == []

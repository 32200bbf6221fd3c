"""The placement engine against the naive rule, over random fleets at and around every bound."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from flux.contracts.market.fleet import ASK_CPU, ASK_GPU, FEATURES, FREE_CPU, FREE_GPU, PAYABLE, Fleet, NodeFacts
from flux.contracts.market.layout import Tuning
from flux.contracts.market.placement import place
from flux.contracts.market.requests import Demand, Presence, Spread, Wish
from flux.contracts.market.rules import NO_PRICE, Needs
from flux.contracts.market.types import Rejection
from flux.contracts.market.verdicts import count_rejections, rejections
from flux.contracts.nodes.types import Architecture, Ask, Currency, Node, Tier
from flux.contracts.oracle.types import UsdPrice
from flux.primitives.types import U64, Hash
from unit.contracts.market.fleets import PLACES, make_node, scenes
from unit.contracts.market.naive import NaiveFleet

ONE_BY_ONE = Tuning(chunk=2, first_groups=1, window=1, shortlist=1, each=0)
SHORT_SIGHTED = Tuning(chunk=3, first_groups=1, window=100, shortlist=2, each=0)
FAR_SIGHTED = Tuning()

Scene = tuple[list[NodeFacts], list[Demand], Hash, UsdPrice]


@given(scenes(), st.sampled_from([ONE_BY_ONE, SHORT_SIGHTED, FAR_SIGHTED]))
@settings(max_examples=150, deadline=None)
def test_the_engine_chooses_what_the_naive_rule_chooses(scene: Scene, tuning: Tuning) -> None:
    facts, demands, seed, price = scene
    naive = NaiveFleet(facts, seed, price)
    fleet = Fleet.of(facts, price)
    assert place(fleet, seed, demands, tuning) == naive.place(demands)
    left = [naive.free[fact.node.id] for fact in facts]
    assert fleet.columns[FREE_CPU : FREE_GPU + 1].T.tolist() == left


@given(scenes())
@settings(max_examples=80, deadline=None)
def test_every_node_is_rejected_for_the_first_reason_that_holds(scene: Scene) -> None:
    facts, demands, seed, price = scene
    naive = NaiveFleet(facts, seed, price)
    fleet = Fleet.of(facts, price)
    for demand in demands:
        expected = [naive.verdict(demand.wish, fact, demand.presence.hosts, demand.presence.excluded) for fact in facts]
        assert rejections(fleet, demand.wish, demand.presence).tolist() == expected
        counts = count_rejections(fleet, demand.wish, demand.presence)
        assert counts == tuple(expected.count(reason) for reason in Rejection)


@given(scenes(), st.data())
@settings(max_examples=50, deadline=None)
def test_a_fleet_kept_in_step_decides_like_a_rebuilt_one(scene: Scene, data: st.DataObject) -> None:
    facts, demands, seed, price = scene
    order = data.draw(st.permutations(facts))
    kept = Fleet.of((NodeFacts(make_node(f.node.id), "elsewhere", True, f.used, 0) for f in facts), UsdPrice(U64(7)))
    moved = data.draw(st.integers(0, len(order)))
    for fact in order[:moved]:
        kept.put(fact)
    kept.reprice(price)
    for fact in order[moved:]:
        kept.put(fact)
    rebuilt = Fleet.of(facts, price)
    asked = [rules.ask_of(fact.node.id) for rules in (kept, rebuilt) for fact in facts]
    assert asked[: len(facts)] == asked[len(facts) :]
    assert (kept.columns[ASK_CPU : ASK_GPU + 1] == rebuilt.columns[ASK_CPU : ASK_GPU + 1]).all()
    assert (kept.columns[FEATURES] & PAYABLE == rebuilt.columns[FEATURES] & PAYABLE).all()
    assert place(kept, seed, demands, ONE_BY_ONE) == place(rebuilt, seed, demands, FAR_SIGHTED)


def test_a_copy_of_a_fleet_does_not_feel_what_is_taken_from_the_original() -> None:
    facts = [NodeFacts(make_node(1), "n", False, Needs(0, 0, 0, 0), 5)]
    fleet = Fleet.of(facts)
    copy = fleet.copy()
    fleet.columns[FREE_CPU, 0] -= 1
    assert copy.columns.tolist() == Fleet.of(facts).columns.tolist()
    assert fleet.columns.tolist() != copy.columns.tolist()


def competitor(number: int, random: Random) -> Node:
    """A node much like the others."""
    in_usd = random.random() < 0.5
    cpu, memory = random.choice([90, 100, 100, 100]), random.randint(9, 11)
    node = make_node(
        number,
        ask=Ask(2 * cpu, 2 * memory, 2, 0, Currency.USD) if in_usd else Ask(cpu, memory, 1, 0),
        place=random.choice(PLACES),
        operator=random.randrange(40),
        tier=random.choice([Tier.CUMULUS, Tier.CUMULUS, Tier.CUMULUS, Tier.NIMBUS]),
    )
    architecture = Architecture.ARM64 if random.random() < 0.1 else Architecture.AMD64
    return node.but(
        hardware=node.hardware.but(architecture=architecture),
        endpoint=node.endpoint.but(static_ip=random.random() < 0.5),
    )


def test_many_apps_that_compete_for_the_cheapest_nodes_are_placed_as_the_naive_rule_says() -> None:
    """With the usual tuning: several groups, windows in which earlier apps fill later ones' candidates.

    Apps that need a common feature share a pool with those that do not; half the asks are in dollars.
    """
    random = Random(7)
    price = UsdPrice(U64(2 * 10**8))
    facts = [
        NodeFacts(
            competitor(number, random),
            f"network {random.randrange(60)}",
            False,
            Needs(0, 0, 0, 0),
            random.choice([1, 50]),
        )
        for number in range(1, 301)
    ]
    demands = [
        Demand(
            Wish(
                needs=Needs(random.randrange(100, 3000), random.randrange(100, 6000), 1000, 0),
                min_tier=random.choice([1, 1, 2]),
                architectures=random.choice(
                    [frozenset(Architecture), *(frozenset([architecture]) for architecture in Architecture)]
                ),
                geo=random.choice([(), (), ("acEU",), ("acNA",)]),
                static_ip=random.random() < 0.3,
                gpu_model="",
                limit=NO_PRICE - 1,
                spread=random.choice(list(Spread)),
            ),
            Presence(),
            (None,) * random.choice([1, 1, 3, 12]),
        )
        for _ in range(120)
    ]
    seed = Hash(bytes(range(32)))
    chosen = place(Fleet.of(facts, price), seed, demands)
    assert chosen == NaiveFleet(facts, seed, price).place(demands)
    assert None in [choice for choices in chosen for choice in choices]

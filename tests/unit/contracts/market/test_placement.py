"""The placement engine against the naive rule, over random fleets at and around every bound."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flux.contracts.market.fleet import Fleet, NodeFacts
from flux.contracts.market.layout import Tuning
from flux.contracts.market.placement import Placement
from flux.contracts.market.requests import Presence, Request
from flux.contracts.market.types import Rejection
from flux.contracts.market.verdicts import count_rejections, rejections
from flux.primitives.types import Hash
from unit.contracts.market.fleets import make_node, scenes
from unit.contracts.market.naive import NaiveFleet

ONE_BY_ONE = Tuning(chunk=2, few_requests=0, few_nodes=0, first_groups=1, rare=0, reorder_after=2)
IMPATIENT = Tuning(chunk=3, few_requests=0, few_nodes=0, first_groups=2, rare=2, reorder_after=10_000)
ALL_AT_ONCE = Tuning(few_requests=10_000)

Scene = tuple[list[NodeFacts], list[Request], Hash]


@given(scenes(), st.sampled_from([ONE_BY_ONE, IMPATIENT, ALL_AT_ONCE]))
@settings(max_examples=150, deadline=None)
def test_the_engine_chooses_what_the_naive_rule_chooses(scene: Scene, tuning: Tuning) -> None:
    facts, requests, seed = scene
    naive = NaiveFleet(facts, seed)
    fleet = Fleet.of(facts)
    assert Placement(fleet, seed, len(requests), tuning).place(requests) == naive.place(requests)
    left = [list(naive.free[fact.node.id]) for fact in facts]
    assert fleet.columns[10:15].T.tolist() == left


@given(scenes())
@settings(max_examples=80, deadline=None)
def test_every_node_is_rejected_for_the_first_reason_that_holds(scene: Scene) -> None:
    facts, requests, seed = scene
    naive = NaiveFleet(facts, seed)
    fleet = Fleet.of(facts)
    for request in requests:
        expected = [
            naive.verdict(request.wish, fact, request.presence.hosts, request.presence.excluded) for fact in facts
        ]
        assert rejections(fleet, request.wish, request.presence).tolist() == expected
        counts = count_rejections(fleet, request.wish, request.presence)
        assert counts == tuple(expected.count(reason) for reason in Rejection)


@given(scenes(), st.data())
@settings(max_examples=50, deadline=None)
def test_a_fleet_kept_in_step_decides_like_a_rebuilt_one(scene: Scene, data: st.DataObject) -> None:
    facts, requests, seed = scene
    order = data.draw(st.permutations(facts))
    kept = Fleet.of(NodeFacts(make_node(f.node.id), "elsewhere", True, f.used, 0) for f in facts)
    for fact in order:
        kept.put(fact)
    rebuilt = Fleet.of(facts)
    chosen = Placement(kept, seed, len(requests), ONE_BY_ONE).place(requests)
    assert chosen == Placement(rebuilt, seed, len(requests), ALL_AT_ONCE).place(requests)


def test_a_copy_of_a_fleet_does_not_feel_what_is_taken_from_the_original() -> None:
    node = make_node(1)
    fact = NodeFacts(node, "n", False, node_needs(0), 5)
    fleet = Fleet.of([fact])
    copy = fleet.copy()
    fleet.take(node.id, node_needs(4000))
    assert copy.columns.tolist() == Fleet.of([fact]).columns.tolist()
    assert fleet.columns.tolist() != copy.columns.tolist()
    assert Presence() == Presence((), ())


def node_needs(cpu: int):  # type: ignore[no-untyped-def]
    from flux.contracts.market.rules import Needs

    return Needs(cpu, 0, 0, 0)

"""Who measures whom, what the median is, when the tier falls and rises, and when a place is not believed."""

import pytest

from flux.contracts.apps.types import AppSpec, Constraints, encode_spec
from flux.contracts.benchmarks import rules
from flux.contracts.benchmarks.types import (
    BelowTier,
    BenchmarksParams,
    LocationAccepted,
    LocationRefuted,
    Measurement,
    NotMeasured,
    TierBenchmark,
    TierLimited,
)
from flux.contracts.market.types import Rejection
from flux.contracts.nodes.types import Node, NodeId, NodeStatus, Tier, UnknownNode
from flux.contracts.probes.types import AlreadyReported, NotAgent, NotInCommittee
from flux.kernel.events import Event, event_codec
from flux.primitives.types import U16, U32
from flux.protocol.params import minimal
from support.contract_lab import account, component
from support.protocol_world import ProtocolWorld

FIRST = NodeId(U32(1))
GOOD = Measurement(*map(U32, (5_000, 1_000, 900, 100, 1_000, 200_000)))
SLOW = GOOD.but(cpu_events=U32(0))
FAST_ANSWER = GOOD.but(round_trip_us=U32(300))


def a_world(nodes: int = 7, **changes: object) -> ProtocolWorld:
    params: BenchmarksParams = minimal().benchmarks.but(**changes)
    world = ProtocolWorld(minimal().but(benchmarks=params))
    world.fleet(nodes)
    return world


def committee(world: ProtocolWorld, node: NodeId = FIRST) -> list[NodeId]:
    return world.benchmarks.committee(world.world.context(account("anybody")), node)


def record(world: ProtocolWorld, node: NodeId = FIRST) -> Node:
    return world.nodes.node(world.world.context(account("anybody")), node)


def report(world: ProtocolWorld, member: NodeId, measurement: Measurement = GOOD, node: NodeId = FIRST) -> None:
    world.send(world.agents[member], world.benchmarks.report, node, measurement)


def measure(world: ProtocolWorld, *measurements: Measurement, node: NodeId = FIRST) -> None:
    """One epoch in which the first members of the committee report, one measurement each."""
    for member, measurement in zip(committee(world, node), measurements, strict=False):
        report(world, member, measurement, node)
    end_epoch(world)


def emitted(world: ProtocolWorld, kind: type[Event]) -> list[Event]:
    """All events of a kind so far."""
    codec = event_codec(kind)
    return [codec.decode(log.topics, log.data) for log in world.world.logs if log.topics[0] == codec.topic0]


def end_epoch(world: ProtocolWorld) -> None:
    ctx = world.world.context(account("anybody"))
    world.block(seconds=world.probes.epoch(ctx).ends_at - ctx.now)
    world.block(seconds=0)


def test_a_node_that_was_never_measured_is_measured_by_nodes_of_other_operators() -> None:
    world = a_world()
    members = committee(world)
    assert len(members) == 5
    assert FIRST not in members
    ctx = world.world.context(account("anybody"))
    for member in members:
        assert FIRST in world.benchmarks.targets(ctx, member)


def test_the_median_of_more_than_half_of_the_committee_is_on_record_when_the_epoch_ends() -> None:
    world = a_world()
    low, high = GOOD.but(cpu_events=U32(1)), GOOD.but(cpu_events=U32(9_999), round_trip_us=U32(1))
    measure(world, low, GOOD, high)
    found = world.benchmarks.benchmark(world.world.context(account("anybody")), FIRST)
    assert found.median == GOOD
    assert (found.reports, found.seats, found.reached) == (3, 5, Tier.STRATUS)
    assert world.benchmarks.state.rounds.find(FIRST) is None


def test_a_minority_records_nothing() -> None:
    world = a_world()
    measure(world, SLOW, SLOW)
    found = world.benchmarks.benchmark(world.world.context(account("anybody")), FIRST)
    assert found.measured_at == 0


def test_reports_that_nobody_may_make_are_refused() -> None:
    world = a_world(9)
    members = committee(world)
    outsider = next(node for node in world.agents if node not in (*members, FIRST))
    report(world, members[0])
    with pytest.raises(AlreadyReported):
        report(world, members[0], SLOW)
    for who in (outsider, FIRST):
        with pytest.raises(NotInCommittee):
            report(world, who)
    with pytest.raises(NotAgent):
        world.send(account("stranger"), world.benchmarks.report, FIRST, GOOD)
    with pytest.raises(UnknownNode):
        report(world, members[0], node=NodeId(U32(99)))
    idle = world.node(20, active=False)
    with pytest.raises(NotMeasured):
        report(world, members[0], node=idle)
    with pytest.raises(NotAgent):
        world.send(world.agents[idle], world.benchmarks.report, FIRST, GOOD)


def test_a_measured_node_is_measured_again_only_when_it_is_drawn() -> None:
    world = a_world(sampled_basis_points=U16(0))
    measure(world, GOOD, GOOD, GOOD)
    assert committee(world) == []
    assert FIRST not in world.benchmarks.targets(world.world.context(account("anybody")), NodeId(U32(2)))
    with pytest.raises(NotMeasured):
        report(world, NodeId(U32(2)))


@pytest.mark.parametrize(("share", "least", "most"), [(0, 0, 0), (1_000, 60, 140), (10_000, 1_000, 1_000)])
def test_the_drawn_share_is_as_large_as_it_should_be(share: int, least: int, most: int) -> None:
    drawn = sum(rules.is_sampled(bytes(32), NodeId(U32(number)), share) for number in range(1_000))  # type: ignore[arg-type]
    assert least <= drawn <= most


def test_a_slow_node_has_notice_and_then_the_lower_tier() -> None:
    world = a_world(sampled_basis_points=U16(0))
    for _ in range(4):
        assert record(world).tier is Tier.CUMULUS
        measure(world, *[SLOW] * 5)
        notices = len(emitted(world, BelowTier))
    assert notices == 1
    assert world.world.emitted(world.benchmarks, TierLimited(FIRST, 0))  # type: ignore[arg-type]
    assert record(world).tier is Tier.NONE


def test_a_node_that_recovers_under_notice_keeps_its_tier() -> None:
    world = a_world(sampled_basis_points=U16(0))
    measure(world, *[SLOW] * 5)
    measure(world, *[SLOW] * 5)
    measure(world, *[GOOD] * 5)
    assert world.benchmarks.state.benchmarks.get(FIRST).due == 0
    assert record(world).tier is Tier.CUMULUS
    assert committee(world) == []


def test_a_node_that_was_lowered_has_its_tier_back_as_soon_as_it_measures_well() -> None:
    world = a_world(sampled_basis_points=U16(0))
    for _ in range(4):
        measure(world, *[SLOW] * 5)
    assert record(world).tier is Tier.NONE
    measure(world, *[GOOD] * 5)
    assert (record(world).tier, record(world).measured) == (Tier.CUMULUS, Tier.STRATUS)


def test_lying_members_who_are_no_majority_change_nothing() -> None:
    world = a_world(sampled_basis_points=U16(10_000))
    for _ in range(5):
        measure(world, SLOW, SLOW, GOOD, GOOD, GOOD)
    assert record(world).tier is Tier.CUMULUS
    assert world.benchmarks.state.benchmarks.get(FIRST).due == 0


def test_nothing_follows_from_what_a_small_committee_says() -> None:
    world = a_world(3, kilometres_per_second=U32(200_000))
    for _ in range(6):
        measure(world, *[SLOW.but(round_trip_us=U32(1))] * 5)
    assert record(world).tier is Tier.CUMULUS
    assert record(world).located


def test_nodes_of_the_same_operator_measure_each_other_without_consequence() -> None:
    world = ProtocolWorld(minimal())
    for number in range(1, 6):
        world.node(number, operator="the only one")
    assert len(committee(world)) == 4
    for _ in range(5):
        measure(world, *[SLOW] * 4)
    assert record(world).tier is Tier.CUMULUS
    assert world.benchmarks.state.benchmarks.get(FIRST).seats == 0


def test_a_node_that_answers_faster_than_light_from_its_country_loses_the_claim() -> None:
    """Node 3 says that it is in Japan; all others but node 7 are in Europe and America."""
    world = a_world(kilometres_per_second=U32(200_000))
    japan = NodeId(U32(3))
    assert record(world, japan).location.country == "JP"
    measure(world, *[FAST_ANSWER] * 5, node=japan)
    assert not record(world, japan).located
    assert len(emitted(world, LocationRefuted)) == 1


def test_a_minority_cannot_take_a_place_away() -> None:
    world = a_world(kilometres_per_second=U32(200_000))
    measure(world, FAST_ANSWER, FAST_ANSWER, GOOD, GOOD, GOOD, node=NodeId(U32(3)))
    assert record(world, NodeId(U32(3))).located


def test_slow_answers_refute_no_place_and_no_answer_says_nothing() -> None:
    world = a_world(kilometres_per_second=U32(200_000))
    measure(world, *[GOOD.but(round_trip_us=U32(0))] * 5, node=NodeId(U32(3)))
    assert record(world, NodeId(U32(3))).located


def test_a_later_committee_can_give_the_place_back() -> None:
    world = a_world(kilometres_per_second=U32(200_000), sampled_basis_points=U16(10_000))
    japan = NodeId(U32(3))
    measure(world, *[FAST_ANSWER] * 5, node=japan)
    measure(world, *[GOOD] * 5, node=japan)
    assert record(world, japan).located
    assert emitted(world, LocationAccepted)


def test_members_whose_own_place_is_refuted_have_no_say_about_places() -> None:
    world = a_world(kilometres_per_second=U32(200_000))
    japan = NodeId(U32(3))
    for member in committee(world, japan):
        world.nodes.set_located(world.world.context(account("x")), member, located=False)
    measure(world, *[FAST_ANSWER] * 5, node=japan)
    assert record(world, japan).located


def test_a_node_that_leaves_during_its_epoch_is_not_judged() -> None:
    world = a_world()
    members = committee(world)
    for member in members:
        report(world, member, SLOW)
    world.send(account("operator 1"), world.nodes.leave, FIRST)
    end_epoch(world)
    assert record(world).status is NodeStatus.GONE
    assert world.benchmarks.state.benchmarks.find(FIRST) is None


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("FR", "DE", 0, 0),
        ("FR", "JP", 6_500, 9_800),
        ("DE", "US", 2_000, 6_500),
        ("PT", "NZ", 10_000, 20_000),
        ("FR", "XX", 0, 0),
        ("SG", "JP", 2_500, 5_400),
    ],
)
def test_countries_lie_at_least_as_far_apart_as_they_do(one: str, other: str, least: int, most: int) -> None:
    assert least <= rules.least_distance(one, other) <= most
    assert rules.least_distance(one, other) == rules.least_distance(other, one)


def test_speed_of_light_bounds_what_is_too_fast() -> None:
    distance = rules.least_distance("FR", "JP")
    enough = distance * 10  # microseconds there and back at 200 km/ms
    assert not rules.is_too_fast("FR", "JP", enough, 200_000)
    assert rules.is_too_fast("FR", "JP", enough - 20, 200_000)
    assert not rules.is_too_fast("FR", "JP", 100, 4_000_000_000)


def test_a_tier_needs_every_speed_and_those_of_the_tiers_below() -> None:
    tiers = tuple(TierBenchmark(*map(U32, speeds)) for speeds in ((1, 1, 1), (2, 1, 1), (3, 1, 1)))
    assert rules.reached_tier(tiers, GOOD) is Tier.STRATUS
    assert rules.reached_tier(tiers, GOOD.but(network_mbit=U32(0))) is Tier.NONE
    assert rules.reached_tier(tiers, GOOD.but(disk_mib=U32(0))) is Tier.NONE
    assert rules.reached_tier(tiers, GOOD.but(cpu_events=U32(2))) is Tier.NIMBUS


def test_geo_rules_keep_apps_off_a_node_whose_place_is_refuted_and_others_do_not() -> None:
    world = a_world(kilometres_per_second=U32(200_000))
    japan = NodeId(U32(3))
    measure(world, *[FAST_ANSWER] * 5, node=japan)
    ctx = world.world.context(account("anybody"))

    def why(*geo: str) -> Rejection:
        wanted = AppSpec(components=(component(),), constraints=Constraints(geo=geo))
        (verdict,) = world.market.plan(ctx, encode_spec(wanted), japan, U16(1))
        return verdict.rejection

    assert why("acAS") is Rejection.LOCATION
    assert why("a!cEU") is Rejection.LOCATION
    assert why("acEU") is Rejection.GEO
    assert why() is Rejection.NONE

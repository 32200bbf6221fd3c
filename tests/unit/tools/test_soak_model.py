"""The model that judges a soak, and the order of its faults: each verdict can go both ways."""

from collections.abc import Sequence
from itertools import islice

import msgspec
import pytest

from flux.contracts.market.types import LeaseState, RatePerSecond
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32, U256
from support.leases import make_lease
from support.soak import model
from support.soak.clients import Ack
from support.soak.eyes import Sight, Weight
from support.soak.faults import Kind, Part, all_faults, rounds
from support.soak.processes import Spot

HOSTS = ("h1", "h2", "h3")
SPOT: Spot = ("web", 1, 0)


def sight(
    at: float, alive: Sequence[Spot] = (SPOT,), state: LeaseState = LeaseState.RUNNING, charged: int = 0, rate: int = 10
) -> Sight:
    """One instance of one app, on node 1."""
    known = msgspec.structs.replace(make_lease(state=state), node=NodeId(U32(1)), rate=RatePerSecond(U256(rate)))
    return Sight(at, {"web": [known]}, frozenset(alive), frozenset(), {"web": charged})


def test_it_is_settled_when_it_lives_where_the_chain_says_and_nowhere_else() -> None:
    assert model.is_settled(sight(0), {"web": 1})
    assert not model.is_settled(sight(0), {"web": 2})
    assert not model.is_settled(sight(0, alive=()), {"web": 1})
    assert not model.is_settled(sight(0, alive=(SPOT, ("web", 2, 0))), {"web": 1})
    assert not model.is_settled(sight(0, state=LeaseState.SUSPECT), {"web": 1})
    assert model.is_settled(sight(0, alive=(), state=LeaseState.STALLED), {"web": 1})
    assert not model.is_settled(sight(0, state=LeaseState.STALLED), {"web": 1})
    assert not model.is_settled(Sight(0, None, frozenset(), frozenset(), None), {"web": 1})
    twice = Sight(0, sight(0).leases, frozenset({SPOT}), frozenset({SPOT}), {"web": 0})
    assert not model.is_settled(twice, {"web": 1})


def test_a_lease_is_not_paid_for_without_a_process_beyond_the_bound() -> None:
    assert model.UNSERVED_BOUND == 45
    short = [sight(float(at), alive=()) for at in range(int(model.UNSERVED_BOUND))]
    assert model.unserved(short) == []
    assert len(model.unserved([*short, sight(100.0, alive=()), sight(101.0, alive=())])) == 1
    assert model.unserved([*short, sight(44.0), sight(60.0, alive=()), sight(100.0, alive=())]) == []
    assert model.unserved([sight(0, (), LeaseState.SUSPECT), sight(100, (), LeaseState.SUSPECT)]) == []


def test_a_stalled_lease_is_started_again_when_its_back_off_is_over() -> None:
    stalled = [sight(float(at), (), LeaseState.STALLED) for at in range(300)]
    assert model.idle(stalled, {SPOT: 2}) == []
    assert len(model.idle(stalled, {SPOT: 1})) == 1
    assert model.idle([*stalled[:50], sight(50.0), *stalled[51:100]], {SPOT: 1}) == []


def test_what_must_not_run_twice_is_seen_on_two_nodes() -> None:
    both: Sequence[Spot] = (("store", 1, 0), ("store", 2, 0))
    assert model.on_two_nodes([sight(0.0, both), sight(1.0, both), sight(4.0, both[:1])], ["store"]) == []
    assert len(model.on_two_nodes([sight(float(at), both) for at in range(9)], ["store"])) == 1
    assert model.on_two_nodes([sight(float(at), both) for at in range(9)], ["web"]) == []
    assert model.on_two_nodes([sight(float(at), (both[at % 2],)) for at in range(9)], ["store"]) == []


def test_each_instance_lives_somewhere_at_every_moment_of_a_drain() -> None:
    moving = [sight(0.0), sight(1.0, (SPOT, ("web", 2, 0))), sight(2.0, (("web", 2, 0),))]
    assert model.interrupted(moving, "web") == []
    assert model.interrupted([*moving, sight(3.0, ())], "web") == ["instance 0 of web was interrupted"]
    assert model.interrupted([sight(0.0, ()), *moving], "web") == []


def test_what_an_app_paid_is_what_it_lived_and_the_bound_of_each_interruption() -> None:
    lived = [sight(float(at), charged=10 * at) for at in range(100)]
    assert model.overcharged(lived, {"web": 1}, interruptions=0) == []
    dead = [sight(float(at), alive=(), charged=10 * at) for at in range(100)]
    assert len(model.overcharged(dead, {"web": 1}, interruptions=1)) == 1
    assert model.overcharged(dead, {"web": 1}, interruptions=3) == []


def test_a_predecessor_that_takes_writes_after_the_hand_over_is_a_second_writer() -> None:
    first, second = Ack("1", 1, "a", 0.0, 0.1), Ack("2", 2, "b", 5.0, 5.1)
    assert model.two_writers([first, second]) == []
    assert model.two_writers([first, second, Ack("3", 1, "a", 6.0, 6.1)]) == []
    assert len(model.two_writers([first, second, Ack("3", 1, "a", 8.0, 8.1)])) == 1


def test_acknowledged_writes_are_looked_for_on_the_node_that_took_them() -> None:
    acks = [Ack("1", 1, "a", 0.0, 0.1), Ack("2", 2, "b", 1.0, 1.1)]
    assert model.lost_writes(acks, {1: {"1"}, 2: {"2"}}) == []
    assert len(model.lost_writes(acks, {1: {"1", "2"}})) == 1


def test_a_volume_that_vanishes_is_told() -> None:
    assert model.lost_volumes({(1, "data")}, {(1, "data"), (2, "data")}) == []
    assert model.lost_volumes({(1, "data")}, {(2, "data")}) == ["volume data of node 1 is gone"]


@pytest.mark.parametrize(("growth", "broken"), [(0.0, 0), (0.5, 0), (3.0, 1)])
def test_a_process_grows_when_it_gains_more_than_a_percent_in_ten_minutes(growth: float, broken: int) -> None:
    weights = [Weight(at, round(1e8 * (1 + growth / 100 * at / 600)), 20 + at % 3) for at in range(0, 1200, 10)]
    assert len(model.growing({("agent", 1): weights}, model.AT_WORK)) == broken
    assert model.growing({("agent", 1): weights[:30]}, model.AT_WORK) == []


def test_what_happens_once_is_no_growth_and_neither_is_the_end() -> None:
    steps = [Weight(at, 58_000_000 + 5_000_000 * (at > 500) + 3_000_000 * (at > 700), 25) for at in range(0, 1200, 10)]
    ended = [*steps, Weight(1200.0, 0, 0)]
    assert model.growing({("agent", 1): ended}, model.AT_WORK) == []


@pytest.mark.parametrize(("name", "megabytes", "broken"), [("agent", 0.4, 0), ("agent", 1.5, 1), ("caddy", 1.5, 0)])
def test_what_wanders_does_not_grow(name: str, megabytes: float, broken: int) -> None:
    weights = [Weight(at, round(1e7 + megabytes * 1e6 * at / 900), 20) for at in range(0, 1200, 10)]
    assert len(model.growing({(name, 1): weights}, model.AT_WORK)) == broken
    assert model.growing({(name, 1): weights}, model.AMONG_FAULTS) == []


def test_a_process_that_opens_more_and_more_files_grows() -> None:
    weights = [Weight(at, 10**8, 20 + at // 100) for at in range(0, 1200, 10)]
    assert len(model.growing({("agent", 1): weights}, model.AT_WORK)) == 1


def test_what_rises_and_falls_again_does_not_grow() -> None:
    weights = [Weight(at, 10**8, 20 + at % 300 // 20) for at in range(0, 1500, 10)]
    assert model.growing({("dockerd", 1): weights}, model.AT_WORK) == []


def test_the_same_seed_deals_the_same_rounds_and_every_fault_comes() -> None:
    assert list(islice(rounds(7, HOSTS), 50)) == list(islice(rounds(7, HOSTS), 50))
    assert list(islice(rounds(7, HOSTS), 50)) != list(islice(rounds(8, HOSTS), 50))
    faults = all_faults(HOSTS)
    dealt = [fault for round_ in islice(rounds(7, HOSTS), len(faults)) for fault in round_.faults][: len(faults)]
    assert set(dealt) == set(faults)


def test_each_sort_of_fault_comes_before_any_comes_again() -> None:
    sorts = {fault.sort(HOSTS) for fault in all_faults(HOSTS)}
    first = [fault for round_ in islice(rounds(7, HOSTS), len(sorts)) for fault in round_.faults][: len(sorts)]
    assert {fault.sort(HOSTS) for fault in first} == sorts
    assert (Kind.AHEAD, None, "chain") in sorts
    assert (Kind.KILL, Part.REGISTRY, "client") in sorts

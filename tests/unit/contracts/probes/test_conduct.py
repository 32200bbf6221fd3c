"""What a node owes to others counts in moving averages; only what stays far above the allowance takes availability."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.contracts.market.types import FailReason, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.contracts.probes import rules
from flux.contracts.probes.types import Availability, Conduct, Epoch, Seen
from flux.kernel.errors import Revert
from flux.primitives.types import U32, U64
from flux.protocol.params import minimal
from support.contract_lab import account
from support.epochs import ROOT, counts, end_epoch, report
from support.protocol_world import ProtocolWorld

PARAMS = minimal().probes
ALL = rules.MILLION
ONE = NodeId(U32(1))


def fleet(size: int = 6) -> ProtocolWorld:
    world = ProtocolWorld(minimal())
    world.fleet(size)
    return world


def conduct(world: ProtocolWorld, node: NodeId) -> Conduct:
    return world.probes.conduct(world.world.context(account("anybody")), node)


def paid_availability(world: ProtocolWorld, node: NodeId) -> int:
    return world.rewards.income(world.world.context(account("anybody")), node).availability


def report_as(world: ProtocolWorld, epoch: Epoch, said: dict[NodeId, int | None]) -> None:
    """Every member reports: all of its targets answered, or so many of 1,000; None reports nothing."""
    for member, agent in world.agents.items():
        found = counts(world, member, {})
        answered = said.get(member, 1_000)
        if not found or answered is None:
            continue
        told = [count.__class__(count.node, count.asked, U32(answered)) for count in found]
        try:
            world.send(agent, world.probes.report, epoch, ROOT, told)
        except Revert:
            continue


def seen(*pairs: tuple[int, int]) -> tuple[Seen, ...]:
    return tuple(Seen(NodeId(U32(node)), U32(share)) for node, share in pairs)


def members(*nodes: int) -> tuple[NodeId, ...]:
    return tuple(NodeId(U32(node)) for node in nodes)


def test_members_that_said_nothing_or_something_else_failed() -> None:
    done = Availability(Epoch(U64(1)), seen((1, ALL), (2, ALL), (3, ALL - 100_000), (4, 0)), members(1, 2, 3, 4, 5))
    assert [failed for _, failed in rules.duties(done, U32(200_000))] == [False, False, False, True, True]


def test_without_a_quorum_only_silence_is_a_failure() -> None:
    done = Availability(Epoch(U64(1)), seen((1, ALL), (2, 0)), members(1, 2, 3, 4, 5))
    assert [failed for _, failed in rules.duties(done, U32(200_000))] == [False, False, True, True, True]


def test_two_members_who_disagree_are_left_alone() -> None:
    done = Availability(Epoch(U64(1)), seen((1, ALL), (2, 0)), members(1, 2))
    assert rules.duties(done, U32(200_000)) == []


@given(st.lists(st.booleans(), max_size=200), st.integers(8, 1_000))
def test_an_average_stays_between_nothing_and_all(events: list[bool], window: int) -> None:
    average = U32(0)
    for failed in events:
        average = rules.averaged(average, window, failed=failed)
        assert 0 <= average <= ALL


@pytest.mark.parametrize(
    ("share", "loss"), [(0, 0), (250_000, 0), (375_000, 500_000), (500_000, ALL), (ALL, ALL), (251_000, 4_000)]
)
def test_conduct_costs_nothing_up_to_the_allowance_and_everything_at_twice_it(share: int, loss: int) -> None:
    for found in (Conduct(U32(share), U32(0)), Conduct(U32(0), U32(share))):
        assert rules.conduct_loss(found, 250_000) == loss
    assert rules.conduct_loss(None, 250_000) == 0


@pytest.mark.parametrize("says", [None, 0])
def test_a_member_that_reports_nothing_or_against_all_others_ends_with_no_reward(says: int | None) -> None:
    world = fleet()
    for _ in range(12):
        report_as(world, end_epoch(world), {ONE: says})
    assert conduct(world, ONE).duty > 2 * PARAMS.conduct_allowance
    assert paid_availability(world, ONE) == 0
    others = [node for node in world.agents if node != ONE]
    assert all(paid_availability(world, node) == ALL for node in others)
    assert all(conduct(world, node).duty <= PARAMS.conduct_allowance for node in others)


def test_a_member_that_was_silent_for_one_epoch_loses_nothing_and_is_forgiven() -> None:
    world = fleet()
    report(world, end_epoch(world))
    report_as(world, end_epoch(world), {ONE: None})
    report(world, end_epoch(world))
    before = conduct(world, ONE).duty
    assert 0 < before <= PARAMS.conduct_allowance
    assert paid_availability(world, ONE) == ALL
    report(world, end_epoch(world))
    report(world, end_epoch(world))
    assert conduct(world, ONE).duty < before


def test_one_operators_own_nodes_owe_each_other_nothing() -> None:
    world = ProtocolWorld(minimal())
    for number in range(1, 6):
        world.node(number, operator="the only one")
    for _ in range(3):
        report_as(world, end_epoch(world), {ONE: None})
    assert list(world.probes.state.conducts.items()) == []


def fail_first_start(world: ProtocolWorld) -> NodeId:
    """A lease whose node fails to start it; another node gets it."""
    ctx = world.world.context(account("anybody"))
    app = world.deploy(instances=1)
    world.block()
    (lease,) = world.market.leases_of_app(ctx, app)
    world.send(world.agents[lease.node], world.market.fail, lease.id, FailReason.START, "it would not")
    world.block()
    return lease.node


def test_a_node_is_blamed_for_a_failed_start_only_once_another_node_started_it() -> None:
    world = fleet()
    failed = fail_first_start(world)
    assert conduct(world, failed).starts == 0
    (lease,) = [
        lease
        for _, lease in world.market.state.leases.items()
        if lease.state is LeaseState.ASSIGNED and lease.node != failed
    ]
    world.run_all(lease.app)
    assert conduct(world, failed).starts == ALL // PARAMS.conduct_window
    assert conduct(world, lease.node).starts == 0


def test_a_node_that_never_starts_what_others_start_earns_nothing() -> None:
    world = fleet()
    for _ in range(PARAMS.conduct_window):
        world.probes.conducts.note_start(ONE, failed=True)
    report(world, end_epoch(world))
    assert paid_availability(world, ONE) == 0
    for _ in range(PARAMS.conduct_window):
        world.probes.conducts.note_start(ONE, failed=False)
    report(world, end_epoch(world))
    assert paid_availability(world, ONE) == ALL


def test_a_refuted_place_takes_a_part_until_it_stands_again() -> None:
    world = fleet()
    ctx = world.world.context(account("anybody"))
    world.nodes.set_located(ctx, ONE, located=False)
    report(world, end_epoch(world))
    assert paid_availability(world, ONE) == ALL - PARAMS.unlocated_loss
    world.nodes.set_located(ctx, ONE, located=True)
    report(world, end_epoch(world))
    assert paid_availability(world, ONE) == ALL

"""Who may report whom, when votes count together, and how a suspicion ends."""

from collections.abc import Callable

import pytest

from flux.contracts.market.types import LeaseState
from flux.contracts.nodes.types import NodeId, NodeStatus, UnknownNode
from flux.contracts.probes import rules
from flux.contracts.probes.types import (
    AlreadyReported,
    EpochStarted,
    NodeRestored,
    NodeSuspected,
    NodeUnreachable,
    NotAgent,
    NotInCommittee,
    NotSuspected,
    ProbesParams,
    SuspicionReported,
    TooManyReports,
)
from flux.contracts.slashing.types import FaultKind
from flux.kernel.context import Context
from flux.primitives.types import U16, U32, U64, Seconds
from flux.protocol.params import minimal
from support.contract_lab import account
from support.protocol_world import ProtocolWorld

FIRST = NodeId(U32(1))
NOBODY = NodeId(U32(99))


def a_world(nodes: int, **changes: object) -> ProtocolWorld:
    probes: ProbesParams = minimal().probes.but(**changes)
    world = ProtocolWorld(minimal().but(probes=probes))
    world.fleet(nodes)
    return world


def context(world: ProtocolWorld) -> Context:
    return world.world.context(account("anybody"))


def committee(world: ProtocolWorld, node: NodeId = FIRST) -> list[NodeId]:
    return world.probes.committee(context(world), node)


def vote(world: ProtocolWorld, reporter: NodeId, node: NodeId = FIRST) -> None:
    world.send(world.agents[reporter], world.probes.suspect, node)


def suspect(world: ProtocolWorld, node: NodeId = FIRST) -> None:
    """As many votes as it takes."""
    for member in committee(world, node):
        if not is_suspect(world, node):
            vote(world, member, node)


def pass_time(world: ProtocolWorld, seconds: int) -> None:
    """Let time pass and what is due then be done."""
    world.block(seconds=seconds)
    world.block(seconds=0)


def is_suspect(world: ProtocolWorld, node: NodeId = FIRST) -> bool:
    return node in world.probes.suspicions(context(world))


def status(world: ProtocolWorld, node: NodeId = FIRST) -> NodeStatus:
    return world.nodes.node(context(world), node).status


def test_more_than_half_of_the_committee_makes_a_node_suspect() -> None:
    world = a_world(7)
    members = committee(world)
    assert len(members) == 5
    for count, member in enumerate(members[:3], 1):
        vote(world, member)
        assert world.world.emitted(world.probes, SuspicionReported(FIRST, member))
        assert is_suspect(world) == (count == 3)
    assert world.world.emitted(world.probes, NodeSuspected(FIRST, U16(3)))
    with pytest.raises(AlreadyReported):
        vote(world, members[3])


def test_a_member_votes_once_in_a_window_and_again_in_the_next() -> None:
    world = a_world(6)
    first, second, third, *_ = committee(world)
    vote(world, first)
    with pytest.raises(AlreadyReported):
        vote(world, first)
    world.block(seconds=world.params.probes.vote_window)
    vote(world, second)
    world.block(seconds=1)
    for member in (third, first):
        vote(world, member)
    assert world.probes.suspicion(context(world), FIRST).votes == (third, first)
    assert not is_suspect(world)


def test_votes_against_one_node_are_not_votes_against_another() -> None:
    world = a_world(7)
    for node in (FIRST, NodeId(U32(2)), NodeId(U32(3))):
        vote(world, committee(world, node)[0], node)
    assert world.probes.suspicions(context(world)) == []
    assert len(world.probes.suspicion(context(world), FIRST).votes) == 1


def test_a_vote_from_the_last_epoch_counts_only_if_its_member_sits_in_the_new_committee() -> None:
    world = a_world(12, committee=U16(3), epoch=Seconds(U64(5)))
    for _ in range(50):
        members = committee(world)
        vote(world, members[0])
        pass_time(world, world.params.probes.epoch)
        fresh = [member for member in committee(world) if member not in members]
        if len(fresh) == 3:
            break
        pass_time(world, world.params.probes.vote_window + 1)
    assert world.probes.suspicion(context(world), FIRST).votes[:1] == (members[0],)
    vote(world, fresh[0])
    assert not is_suspect(world)
    vote(world, fresh[1])
    assert is_suspect(world)


def test_a_confirmation_from_the_last_epoch_counts_only_if_its_member_sits_in_the_new_committee() -> None:
    world = a_world(9, second_committee=U16(1), suspicion_bound=Seconds(U64(10_000)))
    suspect(world)
    (member,) = world.probes.second_committee(context(world), FIRST)
    world.send(world.agents[member], world.probes.reached, FIRST)
    while world.probes.second_committee(context(world), FIRST) == [member]:
        pass_time(world, world.params.probes.epoch)
    world.send(world.agents[FIRST], world.probes.alive)
    assert is_suspect(world)
    (newer,) = world.probes.second_committee(context(world), FIRST)
    world.send(world.agents[newer], world.probes.reached, FIRST)
    assert not is_suspect(world)


def test_only_agents_of_active_nodes_report() -> None:
    world = a_world(5)
    idle = world.node(9, active=False)
    for caller in (account("stranger"), account("operator 1"), world.agents[idle]):
        with pytest.raises(NotAgent):
            world.send(caller, world.probes.suspect, FIRST)
        with pytest.raises(NotAgent):
            world.send(caller, world.probes.reached, FIRST)
    with pytest.raises(NotAgent):
        world.send(account("stranger"), world.probes.alive)


def test_only_the_committee_votes_and_nobody_against_himself() -> None:
    world = a_world(8)
    members = committee(world)
    assert FIRST not in members
    for outsider in [node for node in world.agents if node not in members]:
        with pytest.raises(NotInCommittee) as refused:
            vote(world, outsider)
        assert (refused.value.reporter, refused.value.node) == (outsider, FIRST)


def test_a_node_that_is_not_there_is_unknown() -> None:
    world = a_world(3)
    with pytest.raises(UnknownNode):
        vote(world, FIRST, NOBODY)
    with pytest.raises(UnknownNode):
        world.probes.committee(context(world), NOBODY)
    with pytest.raises(UnknownNode):
        world.probes.second_committee(context(world), NOBODY)
    with pytest.raises(NotSuspected):
        world.send(world.agents[FIRST], world.probes.reached, NOBODY)


@pytest.mark.parametrize("how", ["registered", "suspended", "gone"])
def test_a_node_that_need_not_answer_cannot_be_suspected(how: str) -> None:
    world = a_world(6)
    if how == "registered":
        target = world.node(9, active=False)
    elif how == "gone":
        target = FIRST
        world.send(account("operator 1"), world.nodes.leave, target)
    else:
        target = FIRST
        suspect(world)
        world.block(seconds=world.params.probes.suspicion_bound)
        world.block()
    reporter = NodeId(U32(2))
    with pytest.raises(NotSuspected):
        vote(world, reporter, target)


def test_reports_are_free_and_therefore_counted_per_node_and_epoch() -> None:
    world = a_world(7, reports_per_epoch=U16(2), epoch=Seconds(U64(600)))
    member = committee(world)[0]
    wait = world.params.probes.vote_window + 1
    for _ in range(2):
        vote(world, member)
        world.block(seconds=wait)
    with pytest.raises(TooManyReports):
        vote(world, member)
    other = next(node for node in world.agents if node not in (FIRST, member) and member in committee(world, node))
    vote(world, member, other)
    world.block(seconds=600)
    world.block()
    assert world.probes.epoch(context(world)).epoch == 1
    for reporter in committee(world)[:1]:
        vote(world, reporter)
    stored = world.probes.state.reports.find(member)
    assert stored is not None
    assert len(list(world.probes.state.reports.items())) <= 2


def test_the_node_and_more_than_half_of_the_second_committee_end_a_suspicion() -> None:
    world = a_world(8)
    suspect(world)
    second = world.probes.second_committee(context(world), FIRST)
    assert len(second) == 7
    for member in second[:4]:
        world.send(world.agents[member], world.probes.reached, FIRST)
    assert is_suspect(world)
    with pytest.raises(AlreadyReported):
        world.send(world.agents[second[0]], world.probes.reached, FIRST)
    world.send(world.agents[FIRST], world.probes.alive)
    assert not is_suspect(world)
    assert world.world.emitted(world.probes, NodeRestored(FIRST, U16(4)))
    for late in (world.probes.alive, world.probes.reached):
        arguments = () if late == world.probes.alive else (FIRST,)
        caller = FIRST if late == world.probes.alive else second[5]
        with pytest.raises(NotSuspected):
            world.send(world.agents[caller], late, *arguments)
    world.block(seconds=world.params.probes.suspicion_bound + 1)
    world.block()
    assert status(world) is NodeStatus.ACTIVE


def test_a_node_that_says_it_is_alive_twice_is_refused_the_second_time() -> None:
    world = a_world(6)
    suspect(world)
    world.send(world.agents[FIRST], world.probes.alive)
    with pytest.raises(AlreadyReported):
        world.send(world.agents[FIRST], world.probes.alive)
    assert is_suspect(world)


def test_somebody_outside_the_second_committee_confirms_nothing() -> None:
    world = a_world(8, second_committee=U16(2))
    suspect(world)
    second = world.probes.second_committee(context(world), FIRST)
    outsider = next(node for node in world.agents if node not in (*second, FIRST))
    with pytest.raises(NotInCommittee):
        world.send(world.agents[outsider], world.probes.reached, FIRST)
    with pytest.raises(NotInCommittee):
        world.send(world.agents[FIRST], world.probes.reached, FIRST)


def test_a_suspicion_that_nobody_refutes_suspends_the_node_at_the_bound() -> None:
    world = a_world(6)
    suspect(world)
    bound = world.params.probes.suspicion_bound
    world.block(seconds=bound - 1)
    world.block()
    assert status(world) is NodeStatus.ACTIVE
    world.block()
    assert status(world) is NodeStatus.SUSPENDED
    assert world.world.emitted(world.probes, NodeUnreachable(FIRST))
    assert world.probes.suspicion(context(world), FIRST).votes == ()


def test_a_node_that_was_restored_can_be_suspected_again_with_a_full_bound() -> None:
    world = a_world(6)
    bound = world.params.probes.suspicion_bound
    suspect(world)
    world.block(seconds=bound - 2)
    world.send(world.agents[FIRST], world.probes.alive)
    for member in world.probes.second_committee(context(world), FIRST):
        if is_suspect(world):
            world.send(world.agents[member], world.probes.reached, FIRST)
    suspect(world)
    world.block(seconds=bound - 1)
    world.block()
    assert status(world) is NodeStatus.ACTIVE
    world.block(seconds=2)
    world.block()
    assert status(world) is NodeStatus.SUSPENDED


def test_a_leaving_node_is_watched_until_it_is_gone() -> None:
    world = a_world(6)
    app = world.deploy()
    (lease,) = world.run_all(app)
    world.send(account(f"operator {lease.node}"), world.nodes.leave, lease.node)
    suspect(world, lease.node)
    assert world.lease(lease.id).state is LeaseState.SUSPECT
    world.block(seconds=world.params.probes.suspicion_bound)
    world.block()
    world.block()
    assert status(world, lease.node) is NodeStatus.GONE
    assert world.probes.suspicions(context(world)) == []


@pytest.mark.parametrize(("nodes", "votes"), [(2, 1), (3, 2), (4, 2), (5, 3)])
def test_small_networks_have_small_committees(nodes: int, votes: int) -> None:
    world = a_world(nodes)
    members = committee(world)
    assert sorted(members) == list(range(2, nodes + 1))
    for member in members[: votes - 1]:
        vote(world, member)
    assert not is_suspect(world)
    vote(world, members[votes - 1])
    assert is_suspect(world)


def test_a_lonely_node_is_watched_by_nobody() -> None:
    assert committee(a_world(1)) == []


def test_members_belong_to_other_operators_unless_there_is_no_other() -> None:
    world = a_world(0)
    for number in range(1, 5):
        world.node(number, operator="operator one")
    assert sorted(committee(world)) == [2, 3, 4]
    world.node(5, operator="operator two")
    world.node(6, operator="operator two")
    members = committee(world)
    assert len(members) == 1
    assert members[0] in (5, 6)


def test_targets_are_those_whose_committee_a_node_sits_in() -> None:
    world = a_world(9)
    for node in world.agents:
        expected = [other for other in world.agents if node in committee(world, other)]
        assert world.probes.targets(context(world), node) == expected


def test_suspended_nodes_leave_committees() -> None:
    world = a_world(4)
    suspect(world)
    world.block(seconds=world.params.probes.suspicion_bound)
    world.block()
    assert FIRST not in committee(world, NodeId(U32(2)))


def test_epochs_follow_each_other_with_new_seeds() -> None:
    world = a_world(3)
    length = world.params.probes.epoch
    seeds = []
    for number in range(3):
        info = world.probes.epoch(context(world))
        assert (info.epoch, info.ends_at - info.started_at) == (number, length)
        assert world.world.emitted(world.probes, EpochStarted(info.epoch, info.seed))
        seeds.append(info.seed)
        world.block(seconds=length)
        world.block(seconds=0)
    assert len(set(seeds)) == 3


@pytest.mark.parametrize("report", ["suspect", "alive", "reached"])
def test_reports_go_through_the_free_lane(report: str) -> None:
    method: Callable[..., None] = getattr(a_world(0).probes, report)
    assert method.__flux_method__.lane  # type: ignore[attr-defined]


def refute(world: ProtocolWorld, node: NodeId = FIRST) -> list[NodeId]:
    """The node becomes suspect and is reached after all; who had voted."""
    suspect(world, node)
    voters = list(world.probes.suspicion(context(world), node).votes)
    world.send(world.agents[node], world.probes.alive)
    for member in world.probes.second_committee(context(world), node):
        if is_suspect(world, node):
            world.send(world.agents[member], world.probes.reached, node)
    assert not is_suspect(world, node)
    return voters


def test_a_refuted_suspicion_is_a_strike_against_everybody_who_voted_for_it() -> None:
    world = a_world(8)
    voters = refute(world)
    struck = {node for (node, _), _ in world.slashing.state.strikes.items()}
    assert struck == set(voters)
    epoch = world.probes.epoch(context(world)).epoch
    for voter in voters:
        assert rules.refuted_in(world.probes.state.refuted.find(voter), epoch) == 1
        assert rules.refuted_in(world.probes.state.refuted.find(voter), epoch + 1) == 0


def test_a_suspicion_that_stands_is_no_strike() -> None:
    world = a_world(8)
    suspect(world)
    pass_time(world, world.params.probes.suspicion_bound)
    assert status(world) is NodeStatus.SUSPENDED
    assert list(world.slashing.state.strikes.items()) == []


def test_vanishing_with_leases_is_a_strike() -> None:
    world = a_world(8)
    world.run_all(world.deploy(instances=1))
    (lease,) = [lease for node in world.agents for lease in world.market.leases_of_node(context(world), node)]
    suspect(world, lease.node)
    pass_time(world, world.params.probes.suspicion_bound)
    assert [key for key, _ in world.slashing.state.strikes.items()] == [(lease.node, FaultKind.ABANDONED_LEASES)]


def test_an_operator_whose_nodes_suspect_each_other_harms_nobody() -> None:
    world = ProtocolWorld(minimal())
    for number in range(1, 6):
        world.node(number, operator="the only one")
    refute(world)
    assert list(world.slashing.state.strikes.items()) == []


@pytest.mark.parametrize(("count", "left"), [(0, 900_000), (1, 810_000), (5, 450_000), (10, 0), (40, 0)])
def test_each_refuted_suspicion_takes_a_tenth_of_the_reporters_availability(count: int, left: int) -> None:
    assert rules.less(U32(900_000), count * minimal().probes.refuted_loss) == left


def test_refuted_suspicions_are_counted_by_epoch() -> None:
    first = rules.refuted(None, U64(3))
    second = rules.refuted(first, U64(3))
    later = rules.refuted(second, U64(4))
    assert [rules.refuted_in(later, U64(epoch)) for epoch in (2, 3, 4, 5)] == [0, 2, 1, 0]
    assert rules.refuted_in(rules.refuted(later, U64(9)), U64(4)) == 0

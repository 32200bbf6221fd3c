"""Reports after an epoch: whose count, and what becomes of those on nodes whose committee was drawn anew meanwhile."""

import pytest

from flux.contracts.nodes.types import NodeId, UnknownNode
from flux.contracts.probes.contract import Probes
from flux.contracts.probes.rules import MILLION
from flux.contracts.probes.types import (
    MAX_TARGETS,
    AlreadyReported,
    Availability,
    AvailabilityReported,
    Epoch,
    NotInCommittee,
    TargetCount,
    TargetsLeftOut,
)
from flux.kernel.events import Event, event_codec
from flux.primitives.types import U32
from flux.protocol.params import minimal
from support.contract_lab import account
from support.epochs import ROOT, counts, end_epoch
from support.protocol_world import ProtocolWorld

AWAY = NodeId(U32(1))
EVENTS = {codec.topic0: codec for codec in map(event_codec, Probes.events)}


class Redrawn:
    """Eight nodes, one of which was away when the epoch ended; what each member counted then."""

    def __init__(self) -> None:
        self.world = ProtocolWorld(minimal())
        self.world.fleet(8)
        self.world.nodes.suspend(self.world.world.context(account("anybody")), AWAY, "away")
        self.epoch: Epoch = end_epoch(self.world)
        self.counted = {member: counts(self.world, member, {}) for member in self.world.agents if member != AWAY}

    def returns(self) -> None:
        """The node is there again, and has its seats in the draw again."""
        self.world.send(self.world.agents[AWAY], self.world.nodes.activate)

    def report(self, member: NodeId, found: list[TargetCount] | None = None) -> list[Event]:
        """The events of a member's report."""
        before = len(self.world.world.logs)
        found = self.counted[member] if found is None else found
        self.world.send(self.world.agents[member], self.world.probes.report, self.epoch, ROOT, found)
        return [EVENTS[log.topics[0]].decode(log.topics, log.data) for log in self.world.world.logs[before:]]

    def availability(self, node: NodeId) -> Availability:
        return self.world.probes.availability(self.world.world.context(account("anybody")), node)

    def named(self, member: NodeId) -> set[NodeId]:
        return {count.node for count in self.counted[member]}

    def counting(self, member: NodeId) -> set[NodeId]:
        return set(self.world.probes.past_targets(self.world.world.context(account("anybody")), member))

    def displaced(self) -> NodeId:
        """A member that lost some of its seats by the return, and not all."""
        found = [m for m in self.counted if self.named(m) - self.counting(m) and self.named(m) & self.counting(m)]
        assert found, "nobody lost a seat, so nothing is tested"
        return found[0]


def test_a_target_whose_committee_was_drawn_anew_is_left_out_and_the_rest_counts() -> None:
    cloud = Redrawn()
    cloud.returns()
    member = cloud.displaced()
    left_out = cloud.named(member) - cloud.counting(member)
    events = cloud.report(member)
    assert AvailabilityReported(member, cloud.epoch, ROOT) in events
    assert TargetsLeftOut(member, cloud.epoch, tuple(sorted(left_out))) in events
    for node in cloud.named(member):
        reporters = [seen.reporter for seen in cloud.availability(node).seen]
        assert reporters == ([] if node in left_out else [member])


def test_a_report_on_ones_targets_alone_leaves_nothing_out() -> None:
    cloud = Redrawn()
    events = cloud.report(next(iter(cloud.counted)))
    assert not any(isinstance(event, TargetsLeftOut) for event in events)


def test_a_report_is_sent_once_whether_something_was_left_out_or_not() -> None:
    cloud = Redrawn()
    cloud.returns()
    member = cloud.displaced()
    cloud.report(member)
    with pytest.raises(AlreadyReported):
        cloud.report(member, [count for count in cloud.counted[member] if count.node in cloud.counting(member)])


def test_a_report_of_which_nothing_is_left_is_refused_and_can_be_made_again() -> None:
    cloud = Redrawn()
    member = next(iter(cloud.counted))
    with pytest.raises(NotInCommittee):
        cloud.report(member, [TargetCount(member, U32(60), U32(60))])
    assert cloud.world.probes.state.digests.find(member) is None
    cloud.report(member)


def test_a_node_that_never_was_refuses_the_whole_report() -> None:
    cloud = Redrawn()
    member = next(iter(cloud.counted))
    with pytest.raises(UnknownNode):
        cloud.report(member, [*cloud.counted[member], TargetCount(NodeId(U32(99)), U32(60), U32(60))])
    assert not any(cloud.availability(node).seen for node in cloud.named(member))


def test_the_committee_stays_what_it_was_at_the_first_report() -> None:
    cloud = Redrawn()
    first, *others = cloud.counted
    cloud.report(first)
    settled = cloud.named(first)
    cloud.returns()
    for member in others:
        cloud.report(member)
    for node in settled:
        found = cloud.availability(node)
        assert AWAY not in found.committee
        assert {seen.reporter for seen in found.seen} == set(found.committee)
        assert {seen.availability for seen in found.seen} == {MILLION}


@pytest.mark.parametrize("strangers", [0, 1])
def test_strangers_do_not_fill_a_report(strangers: int) -> None:
    world = ProtocolWorld(minimal())
    world.node(1, operator="watcher")
    for number in range(2, MAX_TARGETS + 2):
        world.node(number, operator="watched")
    epoch, member = end_epoch(world), NodeId(U32(1))
    targets = world.probes.past_targets(world.world.context(account("anybody")), member)
    named = sorted([member] * strangers + targets[strangers:])
    found = [TargetCount(node, U32(60), U32(60)) for node in named]
    assert len(found) == MAX_TARGETS
    world.send(world.agents[member], world.probes.report, epoch, ROOT, found)
    digest = world.probes.state.digests.find(member)
    assert digest is not None
    assert digest.is_full == (not strangers)

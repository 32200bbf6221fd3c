"""When nodes are measured: each once an epoch, at a moment nobody can foresee, again later when it was busy."""

import random

import pytest

from flux.agent.challenges.challenger import Challenger, measurement_of
from flux.agent.challenges.examiner import AskLater, Examination, FalseAnswer, Findings, Target
from flux.agent.challenges.plot import PlotPlan
from flux.agent.challenges.source import Assignment
from flux.agent.challenges.tasks import CpuTask
from flux.agent.identity import create
from flux.contracts.benchmarks.types import Measurement
from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import EpochInfo
from flux.primitives.types import U32
from support.challenge_lab import a_node

LENGTH = 1_000
LIE = FalseAnswer(CpuTask(1, bytes(32), 1, 4), b"", 2, b"")


class Net:
    """Three targets, an examiner and a chain that remembers reports."""

    def __init__(self, folder) -> None:  # type: ignore[no-untyped-def]
        node = a_node(create(folder, "127.0.0.1"))
        plan = PlotPlan(bytes(32), 1, 1)
        self.targets = [Target(node.but(id=NodeId(U32(number))), 1, 1, plan) for number in (2, 3, 4)]
        self.now = 0.0
        self.epoch = 1
        self.busy: set[int] = set()
        self.liars: set[int] = set()
        self.examined: list[tuple[float, int]] = []
        self.reported: list[int] = []
        self.accused: list[int] = []

    async def assignment(self) -> Assignment:
        left = tuple(target for target in self.targets if target.node.id not in self.reported)
        start = (self.epoch - 1) * LENGTH
        return Assignment(EpochInfo(self.epoch, start, start + LENGTH, bytes(32)), left)  # type: ignore[arg-type]

    async def examine(self, target: Target) -> Examination:
        if target.node.id in self.busy:
            raise AskLater("busy")
        self.examined.append((self.now, target.node.id))
        return Examination(Findings(cpu_events=10.5), LIE if target.node.id in self.liars else None)

    async def benchmark(self, node: NodeId, measurement: Measurement) -> bool:
        self.reported.append(node)
        return True

    async def accuse(self, node: NodeId, answer: FalseAnswer) -> bool:
        self.accused.append(node)
        return True

    async def play(self, challenger: Challenger, until: float) -> None:
        """Rounds until then, as `run` would make them."""
        while self.now < until:
            wait = await challenger.round()
            assert 1 <= wait <= 20
            self.now += wait


@pytest.fixture
def net(tmp_path) -> Net:  # type: ignore[no-untyped-def]
    return Net(tmp_path)


def challenger(net: Net, seed: int = 1) -> Challenger:
    return Challenger(net, net, net, random.Random(seed), lambda: net.now)


async def test_each_target_is_measured_once_an_epoch_at_a_moment_of_its_own(net: Net) -> None:
    await net.play(challenger(net), LENGTH)
    assert sorted(net.reported) == [2, 3, 4]
    moments = [moment for moment, _ in net.examined]
    assert len(set(moments)) == 3
    assert max(moments) < 0.85 * LENGTH


async def test_moments_differ_from_member_to_member(net: Net) -> None:
    seen = set()
    for seed in range(5):
        net.now, net.examined, net.reported = 0.0, [], []
        await net.play(challenger(net, seed), LENGTH)
        seen.add(tuple(net.examined))
    assert len(seen) == 5


async def test_a_busy_node_is_asked_again_and_not_reported_as_slow(net: Net) -> None:
    net.busy = {3}
    member = challenger(net)
    await net.play(member, 0.9 * LENGTH)
    assert sorted(net.reported) == [2, 4]
    net.busy = set()
    await net.play(member, LENGTH)
    assert sorted(net.reported) == [2, 3, 4]


async def test_a_new_epoch_draws_new_moments(net: Net) -> None:
    member = challenger(net)
    await net.play(member, LENGTH)
    net.epoch, net.reported, before = 2, [], list(net.examined)
    await net.play(member, 2 * LENGTH)
    later = [(moment - LENGTH, node) for moment, node in net.examined[len(before) :]]
    assert len(later) == 3
    assert later != before


async def test_whoever_signs_a_false_answer_is_accused_and_reported(net: Net) -> None:
    net.liars = {4}
    await net.play(challenger(net), LENGTH)
    assert net.accused == [4]
    assert 4 in net.reported


def test_measurements_are_whole_and_a_round_trip_is_never_rounded_to_none() -> None:
    findings = Findings(1.9, 2.9, 3.9, 4.9, 5e12, 0.2)
    assert measurement_of(findings) == Measurement(*map(U32, (1, 2, 3, 4, 2**32 - 1, 1)))
    assert measurement_of(Findings()) == Measurement(*[U32(0)] * 6)

"""At most one across a cut network, both halves: an agent without the chain, and the chain without the agent.

Clocks are the test's own; the engine is the in-memory one.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from flux.agent.actions import ReportStopped
from flux.agent.apply import Applier
from flux.agent.desired import DesiredInstance
from flux.agent.head_clock import Behind, HeadClock
from flux.agent.lapse import LapseGuard
from flux.agent.loop import AgentLoop
from flux.agent.plan import plan_removal
from flux.agent.ports import PortPool
from flux.contracts.apps.types import AppSpec, Component
from flux.contracts.market.rules import fence_of
from flux.contracts.market.types import AT_MOST_ONE_LAPSE, LeaseId, LeaseState
from flux.protocol.params import DEFAULT
from flux.runtime.labels import node_labels
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import ContainerId, NetworkView
from support.leases import IMAGES, NODE, WEB, make_desired
from unit.agent.test_loop import LEASE, ScriptedChain, World

ONE = AppSpec(components=(Component("web", WEB, 500, 64),), at_most_one=True)
TWO = AppSpec(components=(Component("web", WEB, 500, 64),))
NAME = "flux-19169-12345678-3-7-web"


class Hand:
    """A monotonic clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Cut(World):
    """A node whose link to the chain the test holds."""

    def __init__(self, engine: MemoryEngine, chain: ScriptedChain, loop: AgentLoop, hand: Hand) -> None:
        super().__init__(engine, chain, loop)
        self.hand = hand
        self.heads = HeadClock(hand)
        self.guard = LapseGuard(MemoryRuntime(engine), node_labels(NODE.chain, NODE.node), self.heads)

    def hear(self, number: int) -> None:
        """A head comes in now."""
        self.heads.saw(number, self.heads.now())


@asynccontextmanager
async def a_node(spec: AppSpec) -> AsyncIterator[Cut]:
    async with MemoryEngine() as engine:
        for image in IMAGES:
            engine.add_image(image)
        runtime, chain, hand = MemoryRuntime(engine), ScriptedChain(), Hand()
        world = Cut(engine, chain, None, hand)  # type: ignore[arg-type]
        applier = Applier(runtime, chain, PortPool(42000, 42099))
        world.loop = AgentLoop(NODE, chain, runtime, applier, lapse=world.guard)
        world.hear(1)
        tasks = [asyncio.create_task(world.loop.run()), asyncio.create_task(world.loop.follow_engine())]
        try:
            wish = replace(make_desired(spec), spec=spec)
            chain.wishes[LEASE] = wish
            await world.until(lambda: bool(chain.confirmed))
            yield world
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_instance_stops_when_its_lease_could_not_be_renewed_and_comes_back_when_it_is() -> None:
    async with a_node(ONE) as world:
        world.chain.reachable = False
        world.hand.now += AT_MOST_ONE_LAPSE - 0.1
        await world.guard.check()
        assert world.running() == [NAME]
        world.hand.now += 0.1
        await world.guard.check()
        assert world.running() == []
        await world.settle()
        assert world.running() == []
        world.chain.reachable = True
        world.hear(2)
        await world.until(lambda: world.running() == [NAME])
        assert world.chain.failed == [], "a stop of the agent's own is no crash"


async def test_stops_of_the_agent_are_never_counted_as_crashes() -> None:
    async with a_node(ONE) as world:
        for head in range(2, 10):
            world.hand.now += AT_MOST_ONE_LAPSE
            await world.guard.check()
            assert world.running() == []
            world.hear(head)
            await world.until(lambda: world.running() == [NAME])
        assert world.chain.failed == []


async def test_apps_that_do_not_ask_for_it_run_on_without_the_chain_for_an_hour() -> None:
    async with a_node(TWO) as world:
        world.chain.reachable = False
        world.hand.now += 3_600
        await world.guard.check()
        await world.settle()
        assert world.running() == [NAME]


async def test_an_endpoint_that_shows_the_same_head_again_and_again_renews_nothing() -> None:
    async with a_node(ONE) as world:
        for _ in range(AT_MOST_ONE_LAPSE):
            world.hand.now += 1
            world.hear(1)
        await world.guard.check()
        assert world.running() == []


async def test_a_containers_stop_that_fails_is_tried_again() -> None:
    async with a_node(ONE) as world:
        world.hand.now += AT_MOST_ONE_LAPSE
        world.engine.go_down()
        with pytest.raises(Exception, match="down"):
            await world.guard.check()
        world.engine.come_back()
        await world.guard.check()
        assert world.running() == []


async def test_the_chain_is_told_that_a_closed_lease_has_stopped() -> None:
    async with a_node(ONE) as world:
        world.chain.wishes.clear()
        world.chain.closed.add(LEASE)
        await world.until(lambda: world.chain.stopped_leases == [LEASE])
        assert world.engine.containers == {}


async def test_only_what_must_not_run_twice_is_told_of() -> None:
    async with a_node(TWO) as world:
        observed = world.loop.status(LEASE).observed
        assert observed is not None
        assert not [action for action in plan_removal(observed).actions if isinstance(action, ReportStopped)]


@pytest.mark.parametrize("delay", [0.0, 0.9, 4.0, AT_MOST_ONE_LAPSE - 0.1])
async def test_two_halves_of_a_partition_never_run_the_instance_at_once(delay: float) -> None:
    """The last head comes `delay` seconds after it was asked for; the chain closes the lease right after making it."""
    async with a_node(ONE) as world:
        asked = world.heads.now()
        closed_at = int(world.hand.now)  # the chain counts whole seconds, rounded down
        world.hand.now += delay
        world.heads.saw(2, asked)
        world.chain.reachable = False
        placed_at = closed_at + fence_of(ONE, DEFAULT.market.fence_margin)
        while world.hand.now < placed_at:
            world.hand.now += 0.5  # how often the guard looks
            await world.guard.check()
            if world.running() == []:
                break
        grace = ONE.components[0].stop_grace_seconds
        assert world.running() == []
        assert world.hand.now + grace <= placed_at


async def test_an_agent_that_starts_without_the_chain_stops_what_it_finds_in_time() -> None:
    async with a_node(ONE) as world:
        heads = HeadClock(world.hand)
        guard = LapseGuard(MemoryRuntime(world.engine), node_labels(NODE.chain, NODE.node), heads)
        await guard.check()
        assert world.running() == [NAME]
        world.hand.now += AT_MOST_ONE_LAPSE
        await guard.check()
        assert world.running() == []


async def test_a_container_that_is_gone_is_forgotten() -> None:
    async with a_node(ONE) as world:
        guard = LapseGuard(MemoryRuntime(world.engine), node_labels(NODE.chain, NODE.node), HeadClock(world.hand))
        world.hand.now += AT_MOST_ONE_LAPSE
        (container,) = world.engine.containers
        await guard.check()
        del world.engine.containers[container]
        await guard.check()
        assert not guard.take_stopped(container)


def test_an_older_head_than_one_already_seen_is_refused() -> None:
    heads = HeadClock(Hand())
    heads.saw(7, heads.now())
    heads.check(7)
    with pytest.raises(Behind):
        heads.check(6)


def test_a_node_is_behind_since_a_newer_head_than_its_own_was_seen() -> None:
    hand = Hand()
    heads = HeadClock(hand)
    for number in range(1, 400):
        hand.now += 1
        heads.saw(number, heads.now())
    assert heads.behind(399) == 0
    assert heads.behind(10_000) == 0
    assert heads.behind(398) == 0
    assert heads.behind(338) == 60
    assert heads.behind(0) >= 255
    assert make_desired().lease.state is LeaseState.ASSIGNED


async def test_a_late_answer_that_ends_the_lease_is_taken_before_it_renews_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flux.agent.loop.CHAIN_PATIENCE", 0.05)
    async with a_node(ONE) as world:
        world.chain.reachable = False
        world.hand.now += AT_MOST_ONE_LAPSE
        await world.guard.check()
        assert world.running() == []
        await world.settle()
        asked, answers, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        started: list[str] = []
        start, list_networks = MemoryRuntime.start, MemoryRuntime.list_networks

        async def answer_late() -> dict[LeaseId, DesiredInstance]:
            asked.set()
            await answers.wait()
            world.hear(2)  # as the last thing that a reading of the chain does
            answered.set()
            return {}

        async def list_while_the_answer_comes(runtime: MemoryRuntime, labels: Mapping[str, str]) -> list[NetworkView]:
            if asked.is_set():
                answers.set()
                await answered.wait()
            return await list_networks(runtime, labels)

        async def noted_start(runtime: MemoryRuntime, container: ContainerId) -> None:
            started.append(container)
            await start(runtime, container)

        monkeypatch.setattr(world.chain, "desired", answer_late)
        monkeypatch.setattr(MemoryRuntime, "list_networks", list_while_the_answer_comes)
        monkeypatch.setattr(MemoryRuntime, "start", noted_start)
        world.chain.closed.add(LEASE)

        def is_gone() -> bool:
            world.loop.wake_for_engine()
            return not world.engine.containers

        await world.until(is_gone)
        assert started == []

"""The reconcile loop over a real in-memory engine and a scripted chain."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from flux.agent.apply import Applier
from flux.agent.desired import DesiredInstance, Ending
from flux.agent.loop import AgentLoop
from flux.agent.ports import PortPool
from flux.agent.restarts import BACK_OFF
from flux.contracts.apps.types import AppSpec, Component, Health, Port, PrivateComponent, PrivateSpec
from flux.contracts.market.types import FailReason, LeaseId, LeaseState, PortBinding
from flux.primitives.types import U64
from flux.runtime.errors import ImagePullFailed
from flux.runtime.labels import InstanceKey
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import ContainerEvent, EventKind, NetworkView
from flux.sdk.errors import Unreachable
from support.leases import DATABASE, IMAGES, NODE, SPEC, WEB, make_desired, make_lease
from support.waiting import until

LEASE = make_lease().id


class ScriptedChain:
    """What the agent reads and reports."""

    def __init__(self) -> None:
        self.wishes: dict[LeaseId, DesiredInstance] = {}
        self.closed: set[LeaseId] = set()
        self.draining: set[LeaseId] = set()
        self.reachable = True
        self.answers = asyncio.Event()
        """While it is not set, requests are taken and nothing is said."""
        self.answers.set()
        self.looks = 0
        self.confirmed: list[tuple[LeaseId, tuple[PortBinding, ...]]] = []
        self.failed: list[tuple[LeaseId, FailReason, str]] = []
        self.stopped_leases: list[LeaseId] = []
        self.told: list[LeaseState] = []
        """That a lease stalls, or runs again."""

    async def desired(self) -> dict[LeaseId, DesiredInstance]:
        self.looks += 1
        await self.answers.wait()
        if not self.reachable:
            raise Unreachable("http://chain", "down")
        return dict(self.wishes)

    async def ending(self, instance: InstanceKey) -> Ending:
        if instance.lease in self.draining:
            return Ending.DRAINS
        return Ending.CLOSED if instance.lease in self.closed else Ending.OPEN

    async def stalled(self, lease: LeaseId) -> bool:
        self._become(lease, LeaseState.STALLED)
        return True

    async def resumed(self, lease: LeaseId) -> bool:
        self._become(lease, LeaseState.RUNNING)
        return True

    def _become(self, lease: LeaseId, state: LeaseState) -> None:
        wish = self.wishes[lease]
        self.wishes[lease] = replace(wish, lease=wish.lease.but(state=state))
        self.told.append(state)

    async def stopped(self, lease: LeaseId) -> bool:
        self.stopped_leases.append(lease)
        return True

    async def confirm(self, lease: LeaseId, bindings: tuple[PortBinding, ...]) -> bool:
        self.confirmed.append((lease, bindings))
        wish = self.wishes[lease]
        self.wishes[lease] = replace(wish, lease=wish.lease.but(state=LeaseState.RUNNING))
        return True

    async def fail(self, lease: LeaseId, reason: FailReason, detail: str) -> bool:
        self.failed.append((lease, reason, detail))
        self.wishes.pop(lease, None)
        self.closed.add(lease)
        return True


class World:
    """A running agent loop."""

    def __init__(
        self,
        engine: MemoryEngine,
        chain: ScriptedChain,
        loop: AgentLoop,
        now: list[float] | None = None,
        runtime: MemoryRuntime | None = None,
    ) -> None:
        self.runtime = runtime
        self.now = now or [0.0]
        """The agent's clock runs on from what is here."""
        self.engine = engine
        self.chain = chain
        self.loop = loop

    def running(self) -> list[str]:
        return sorted(c.spec.name for c in self.engine.containers.values() if c.is_running)

    async def settle(self) -> None:
        """Some looks later."""
        before = self.chain.looks
        await self.until(lambda: self.chain.looks >= before + 4)

    async def until(self, condition: Callable[[], bool]) -> None:
        def nudged() -> bool:
            self.loop.wake()
            return condition()

        await until(nudged)


@asynccontextmanager
async def make_world(made: Callable[[MemoryEngine], MemoryRuntime] = MemoryRuntime) -> AsyncIterator[World]:
    async with MemoryEngine() as engine:
        for image in IMAGES:
            engine.add_image(image)
        runtime = made(engine)
        chain = ScriptedChain()
        start, now = time.time(), [0.0]
        now[0] = start
        loop = AgentLoop(
            NODE, chain, runtime, Applier(runtime, chain, PortPool(42000, 42099)), lambda: now[0] + time.time() - start
        )
        tasks = [asyncio.create_task(loop.run()), asyncio.create_task(loop.follow_engine())]
        try:
            yield World(engine, chain, loop, now, runtime)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


BOTH = ["flux-19169-12345678-3-7-database", "flux-19169-12345678-3-7-web"]


async def test_a_new_lease_becomes_running_containers_and_one_confirmation() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        assert world.running() == BOTH
        ((lease, bindings),) = world.chain.confirmed
        assert lease == LEASE
        assert [(b.component, b.container, 42000 <= b.host <= 42099) for b in bindings] == [("web", 80, True)]
        assert list(world.engine.volumes) == ["flux-19169-12345678-3-app2-0-data"]


async def test_a_closed_lease_is_stopped_and_its_volume_kept() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.chain.wishes.clear()
        world.chain.closed.add(LEASE)
        await world.until(lambda: not world.engine.containers and not world.engine.networks)
        assert list(world.engine.volumes) == ["flux-19169-12345678-3-app2-0-data"]


async def test_a_lease_that_vanished_without_being_closed_is_kept() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.chain.wishes.clear()
        looked = asyncio.Event()
        original = world.chain.ending

        async def counting(instance: InstanceKey) -> Ending:
            looked.set()
            return await original(instance)

        world.chain.ending = counting  # type: ignore[method-assign]
        await world.until(looked.is_set)
        assert world.running() == BOTH


async def test_nothing_stops_while_the_chain_cannot_be_read() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.chain.reachable = False
        world.engine.crash("flux-19169-12345678-3-7-web")
        await world.until(lambda: world.running() == BOTH)


async def test_a_crashed_container_is_started_again() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.engine.crash("flux-19169-12345678-3-7-database")
        await world.until(lambda: world.running() == BOTH)
        assert world.chain.failed == []


async def test_a_container_that_waits_out_its_back_off_stalls_its_lease_until_it_runs_again() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired(AppSpec(components=(Component("web", WEB, 500, 64),)))
        await world.until(lambda: bool(world.chain.confirmed))
        name = BOTH[1]
        world.engine.crash(name)
        await world.until(lambda: world.running() == [name])
        assert world.chain.told == []
        world.engine.crash(name)
        await world.until(lambda: world.chain.told == [LeaseState.STALLED])
        assert world.running() == []
        world.now[0] += BACK_OFF[1]
        await world.until(lambda: world.chain.told == [LeaseState.STALLED, LeaseState.RUNNING])
        assert world.running() == [name]


async def test_nothing_is_remembered_of_containers_that_are_gone() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.engine.crash("flux-19169-12345678-3-7-database")
        await world.until(lambda: bool(world.loop._exits) and world.running() == BOTH)
        del world.chain.wishes[LEASE]
        world.chain.closed.add(LEASE)
        await world.until(lambda: not world.engine.containers)
        await world.settle()
        loop = world.loop
        remembered = [loop._exits, loop._images, loop._not_before, loop._memories, loop._waiting, loop._ended]
        assert not any(remembered)


async def test_an_image_that_somebody_removed_is_fetched_again_for_the_next_lease() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.chain.wishes.clear()
        world.chain.closed.add(LEASE)
        await world.until(lambda: not world.engine.containers)
        world.engine.images.clear()
        lease = make_lease(8)
        world.chain.wishes[lease.id] = replace(make_desired(), lease=lease)
        await world.until(lambda: len(world.chain.confirmed) == 2)
        assert world.chain.failed == []


async def test_an_image_that_is_not_there_gives_the_lease_back() -> None:
    async with make_world() as world:
        missing = Component("web", "127.0.0.1:5000/none@sha256:" + "c" * 64, 100, 64)
        world.chain.wishes[LEASE] = make_desired(AppSpec(components=(missing,)))
        await world.until(lambda: bool(world.chain.failed))
        ((_, reason, detail),) = world.chain.failed
        assert reason is FailReason.IMAGE_PULL
        assert "no image" in detail


async def test_a_pull_that_fails_once_is_tried_again() -> None:
    async with make_world() as world:
        (database,) = [image for image in IMAGES if image == DATABASE]
        world.engine.pull_faults[database] = ImagePullFailed("the registry is away", delay=0.05)
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        assert world.chain.failed == []


async def test_an_engine_that_is_down_changes_nothing_until_it_is_back() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.engine.go_down()
        world.chain.wishes.clear()
        world.chain.closed.add(LEASE)
        world.loop.wake()
        assert world.running() == BOTH
        world.engine.come_back()
        await world.until(lambda: not world.engine.containers)


@pytest.mark.parametrize(
    "health",
    [
        Health("command", interval_ms=100, timeout_ms=100, retries=1),
        Health("http", port=80, path="/", interval_ms=100, timeout_ms=100, retries=1),
        Health("tcp", port=80, interval_ms=100, timeout_ms=100, retries=1),
    ],
)
async def test_what_never_becomes_healthy_is_restarted_and_then_given_back(health: Health) -> None:
    component = Component("web", WEB, 500, 64, ports=(Port(80),), health=health)
    private = PrivateSpec((PrivateComponent("web", health_command=("false",)),))
    starts: list[str] = []
    async with make_world() as world, world.engine.events({}) as events:
        counting = asyncio.create_task(_count_starts(events, starts))
        world.chain.wishes[LEASE] = replace(make_desired(AppSpec((component,), private=True)), private=private)
        await world.until(lambda: bool(world.chain.failed))
        ((lease, reason, detail),) = world.chain.failed
        assert (lease, reason) == (LEASE, FailReason.UNHEALTHY)
        assert "web" in detail
        assert not world.chain.confirmed, "the chain was never told that it runs"
        await world.until(lambda: not world.engine.containers)
        counting.cancel()
    assert len(starts) == 2


async def _count_starts(events: AsyncIterator[ContainerEvent], starts: list[str]) -> None:
    async for event in events:
        if event.kind is EventKind.STARTED:
            starts.append(event.name)


VISITED = AppSpec(components=(Component("web", WEB, 500, 64, ports=(Port(80),)),))
OTHER = LeaseId(U64(LEASE + 1))


def lease_of(number: LeaseId, spec: AppSpec, **changes: Any) -> DesiredInstance:
    wish = make_desired(spec)
    return replace(wish, lease=make_lease(number), **changes)


LONG_DRAIN = 300.0
"""More than a busy machine takes for a test."""


async def test_an_instance_that_was_replaced_serves_on_until_ingresses_let_go_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flux.agent.loop.DRAIN_SECONDS", LONG_DRAIN)
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired(VISITED)
        await world.until(lambda: bool(world.chain.confirmed))
        world.chain.draining.add(LEASE)
        world.chain.wishes = {OTHER: lease_of(OTHER, VISITED)}
        await world.until(lambda: len(world.chain.confirmed) == 2)
        assert len(world.running()) == 2
        await world.settle()
        assert len(world.running()) == 2
        world.now[0] += LONG_DRAIN + 1
        await world.until(lambda: len(world.running()) == 1)


async def test_the_next_instance_waits_until_the_one_before_it_gave_its_volumes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flux.agent.loop.DRAIN_SECONDS", LONG_DRAIN)
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))
        world.chain.draining.add(LEASE)
        world.chain.wishes = {OTHER: lease_of(OTHER, SPEC)}
        await world.settle()
        assert (world.running(), world.loop.status(OTHER).waiting_for) == (
            BOTH,
            "the instance that ran here before stops first",
        )
        world.now[0] += LONG_DRAIN + 1
        await world.until(lambda: len(world.chain.confirmed) == 2)
        assert not any(name in world.running() for name in BOTH)


async def test_a_crash_while_a_rollout_watches_is_reported_at_once() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = replace(make_desired(VISITED), watched=300.0)
        await world.until(lambda: world.loop.status(LEASE).desired is not None and bool(world.chain.confirmed))
        await world.settle()
        world.engine.crash("flux-19169-12345678-3-7-web")
        await world.until(lambda: bool(world.chain.failed))
        ((lease, reason, _),) = world.chain.failed
        assert (lease, reason) == (LEASE, FailReason.START)


async def test_a_crash_right_after_the_confirmation_is_reported_though_the_chain_was_not_read_since() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = replace(make_desired(VISITED), watched=300.0)
        confirm = world.chain.confirm

        async def confirm_and_crash(lease: LeaseId, bindings: tuple[PortBinding, ...]) -> bool:
            world.engine.crash("flux-19169-12345678-3-7-web")
            return await confirm(lease, bindings)

        world.chain.confirm = confirm_and_crash  # type: ignore[method-assign]
        await world.until(lambda: bool(world.chain.failed))
        assert [lease for lease, _, _ in world.chain.failed] == [LEASE]


async def test_a_crash_after_the_watch_only_restarts() -> None:
    async with make_world() as world:
        world.chain.wishes[LEASE] = replace(make_desired(VISITED), watched=300.0)
        await world.until(lambda: bool(world.chain.confirmed))
        await world.settle()
        world.now[0] += 301
        world.engine.crash("flux-19169-12345678-3-7-web")
        await world.until(lambda: world.running() == BOTH[1:])
        assert world.chain.failed == []


async def test_an_instance_is_not_held_for_ever_when_its_holder_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    list_networks = MemoryRuntime.list_networks

    async def slow(runtime: MemoryRuntime, labels: Mapping[str, str]) -> list[NetworkView]:
        await asyncio.sleep(0)
        return await list_networks(runtime, labels)

    monkeypatch.setattr(MemoryRuntime, "list_networks", slow)
    async with make_world() as world:
        world.chain.wishes[LEASE] = make_desired()
        await world.until(lambda: bool(world.chain.confirmed))

        async def hold() -> None:
            async with world.loop.hold(LEASE):
                for container in list(world.engine.containers):
                    await MemoryRuntime(world.engine).stop(container)
                holder.cancel()

        holder = asyncio.create_task(hold())
        await asyncio.gather(holder, return_exceptions=True)
        assert holder.cancelled()
        await world.until(lambda: world.running() == BOTH)

"""Never destroy on a blip: what runs stays up whatever happens to chain, engine, clock, disk, or the agent itself."""

import asyncio
import time
from dataclasses import replace
from typing import Any, cast

import pytest
from nacl.public import PrivateKey

from flux.agent.apply import Applier
from flux.agent.desired import DesiredInstance, Ending
from flux.agent.head_clock import Behind, HeadClock
from flux.agent.loop import AgentLoop
from flux.agent.ports import PortPool
from flux.agent.restarts import BACK_OFF, STABLE, Crashes
from flux.agent.source import ChainSource
from flux.contracts.apps.types import AppSpec, Component
from flux.contracts.market.types import Lease, LeaseState, UnknownLease
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32, U64, Hash, Height, Timestamp
from flux.runtime.errors import OutOfDisk
from flux.runtime.memory import MemoryRuntime
from flux.sdk.client import FluxClient, Head
from flux.sdk.errors import Refused
from support.leases import NODE, WEB, make_desired, make_lease
from support.waiting import until
from unit.agent.test_loop import BOTH, LEASE, World, make_world

HOUR = 3_600


async def running_instance(world: World) -> list[str]:
    """An instance that runs and is confirmed; ids of its containers."""
    world.chain.wishes[LEASE] = make_desired()
    await world.until(lambda: bool(world.chain.confirmed))
    await world.until(lambda: world.running() == BOTH)
    return runs(world)


def runs(world: World) -> list[str]:
    """Containers with the time of their start: another run is another entry."""
    return sorted(f"{item.id}@{item.started_at}" for item in world.engine.containers.values() if item.is_running)


async def test_without_the_chain_for_an_hour_everything_runs_on_and_what_crashes_is_restarted() -> None:
    async with make_world() as world:
        await running_instance(world)
        world.chain.reachable = False
        world.loop._clock = lambda: time.monotonic() + HOUR  # the hour passes
        await world.settle()
        assert world.running() == BOTH
        world.engine.crash(BOTH[1])
        await world.until(lambda: world.running() == BOTH)
        assert world.chain.failed == []


async def test_an_endpoint_that_takes_requests_and_says_nothing_keeps_no_crashed_container_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flux.agent.loop.CHAIN_PATIENCE", 0.01)
    async with make_world() as world:
        await running_instance(world)
        world.chain.answers.clear()
        world.loop.wake()
        asked = world.chain.looks
        await world.until(lambda: world.chain.looks > asked)
        world.engine.crash(BOTH[1])
        await world.until(lambda: world.running() == BOTH)
        assert world.chain.looks == asked + 1, "one question at a time"
        del world.chain.wishes[LEASE]
        world.chain.closed.add(LEASE)
        seen = world.loop.engine_read_at or 0.0
        await world.until(lambda: (world.loop.engine_read_at or 0.0) > seen)
        assert world.running() == BOTH
        world.chain.answers.set()
        await until(lambda: world.running() == [])


async def test_an_engine_that_restarts_gets_its_containers_started_again() -> None:
    async with make_world() as world:
        await running_instance(world)
        world.engine.go_down()
        for name in BOTH:
            world.engine.crash(name, exit_code=137)
        await world.settle()
        world.engine.come_back()
        await world.until(lambda: world.running() == BOTH)
        assert world.chain.failed == []
        assert list(world.engine.volumes) == ["flux-19169-12345678-3-app2-0-data"]


async def test_an_agent_that_is_upgraded_in_place_restarts_nothing() -> None:
    async with make_world() as world:
        before = await running_instance(world)
        confirmed = list(world.chain.confirmed)
        runtime = MemoryRuntime(world.engine)
        newer = AgentLoop(NODE, world.chain, runtime, Applier(runtime, world.chain, PortPool(42000, 42099)))
        task = asyncio.create_task(newer.run())
        await World(world.engine, world.chain, newer).settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert runs(world) == before
        assert world.chain.confirmed == confirmed
        assert world.chain.failed == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_jump_of_the_wall_clock_neither_gives_back_nor_restarts_anything(
    jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_world() as world:
        before = await running_instance(world)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        await world.settle()
        assert runs(world) == before
        world.engine.crash(BOTH[1])
        await world.until(lambda: world.running() == BOTH)
        assert world.chain.failed == []


async def test_a_full_disk_stops_what_is_new_and_nothing_that_runs() -> None:
    async with make_world() as world:
        before = await running_instance(world)
        other = make_lease(8).but(app=U64(5))
        name = "flux-19169-12345678-3-8-web"
        world.engine.start_faults[name] = OutOfDisk("no space left on device")
        wish = DesiredInstance(other, "late", AppSpec((Component("web", WEB, 100, 64),)), make_desired().lock)
        world.chain.wishes[other.id] = wish
        await world.until(lambda: [lease for lease, _, _ in world.chain.failed] == [other.id])
        assert runs(world) == before


async def test_without_the_registry_what_is_here_runs_and_is_restarted() -> None:
    async with make_world() as world:
        await running_instance(world)
        pulled, world.engine.registry = world.engine.registry, {}
        await world.settle()
        assert world.running() == BOTH
        world.engine.registry = pulled
        assert world.chain.failed == []


async def test_a_new_lease_of_an_instance_waits_until_the_old_one_has_let_go_of_its_volumes() -> None:
    """A node that comes back and is given its instance again: both leases are of the same data."""
    async with make_world() as world:
        await running_instance(world)
        again = replace(make_desired(), lease=make_lease(9))
        world.chain.wishes = {again.lease.id: again}
        await world.settle()
        assert world.running() == BOTH, "the old one runs on: nobody said yet that its lease is over"
        world.chain.closed.add(LEASE)
        both: list[set[str]] = []
        world.chain.confirmed.clear()

        def done() -> bool:
            both.append({name.split("-")[4] for name in world.running()})
            return bool(world.chain.confirmed)

        await world.until(done)
        assert {"7", "9"} not in both
        assert world.chain.confirmed[0][0] == again.lease.id


def test_the_back_off_is_none_then_half_a_minute_five_fifteen_and_thirty_and_is_forgotten_when_stable() -> None:
    crashes, waits = Crashes(), []
    for _ in range(6):
        crashes = crashes.record(now=1_000.0, ran=5.0)
        waits.append(crashes.restart_at() - 1_000.0)
    assert waits == [0, 30, 300, 900, 1_800, 1_800]
    assert waits[:5] == list(BACK_OFF)
    assert crashes.record(now=1_000.0, ran=STABLE).restart_at() == 1_000.0


class Endpoint:
    """An RPC endpoint that says what the test wants; stands for the client."""

    def __init__(self, head: int, leases: list[Lease], record: Lease | None) -> None:
        self.number = head
        self.leases = leases
        self.record = record

    async def head(self) -> Head:
        return Head(Height(U64(self.number)), Hash(bytes(32)), Timestamp(U64(0)))

    async def view(self, call: Any, *arguments: object, block: str = "latest") -> Any:
        assert int(block, 16) == self.number, "everything is read as of one head"
        if call.name == "leasesOfNode":
            return self.leases
        if self.record is None:
            raise Refused(UnknownLease(cast(Any, arguments[0])), "unknown")
        return self.record


def source_of(endpoint: Endpoint, heads: HeadClock) -> ChainSource:
    return ChainSource(cast(FluxClient, endpoint), NodeId(U32(3)), PrivateKey.generate(), heads)


async def test_an_endpoint_that_is_behind_is_not_believed() -> None:
    heads = HeadClock()
    endpoint = Endpoint(10, [], None)
    assert await source_of(endpoint, heads).desired() == {}
    endpoint.number = 9
    with pytest.raises(Behind):
        await source_of(endpoint, heads).desired()


@pytest.mark.parametrize(
    ("record", "believed"),
    [
        (make_lease(state=LeaseState.CLOSED), True),
        (make_lease(state=LeaseState.RUNNING), False),
        (None, False),
        (make_lease(state=LeaseState.CLOSED).but(app=99), False),
        (make_lease(state=LeaseState.CLOSED).but(node=4), False),
        (make_lease(state=LeaseState.CLOSED).but(ordinal=1), False),
    ],
)
async def test_an_empty_list_of_leases_removes_nothing_without_the_very_leases_end(
    record: Lease | None, believed: bool
) -> None:
    heads = HeadClock()
    source = source_of(Endpoint(10, [], record), heads)
    assert await source.desired() == {}
    ending = await source.ending(make_desired().key(NODE))
    assert ending is (Ending.CLOSED if believed else Ending.OPEN)

"""The keeper of volumes over an in-memory engine and a scripted chain: what it deletes, notes, and leaves alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux.agent.quarantine import WATCH
from flux.agent.sightings import FILE, SightingStore
from flux.agent.volume_keeper import VolumeKeeper
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, LeaseState
from flux.primitives.types import U64
from flux.runtime.labels import volume_name
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import VolumeMount
from flux.sdk.errors import Unreachable
from support.leases import IMAGES, NODE, make_desired, make_lease
from support.runtime_lab import Lab

WEEK = 7 * 86_400
KEY = make_desired().key(NODE)
NAME = volume_name(NODE.chain, NODE.node, KEY.app, KEY.ordinal, "data")


@dataclass
class World:
    """A chain that is asked, clocks that are moved, an engine with one volume whose lease closed at chain time 100."""

    runtime: MemoryRuntime
    home: Path
    now: float = 100.0
    leases: list[Lease] = field(default_factory=lambda: [make_lease(7, LeaseState.CLOSED).but(closed_at=U64(100))])
    reachable: bool = True
    keep_seconds: int = 0
    keeper: VolumeKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.keeper = VolumeKeeper(
            NODE, self, self.runtime, SightingStore(self.home), self.keep_seconds,
            wall=lambda: self.now, monotonic=lambda: self.now,
        )  # fmt: skip

    async def leases_of_app(self, app: AppId) -> list[Lease]:
        assert app == KEY.app
        if not self.reachable:
            raise Unreachable("http://chain", "down")
        return self.leases

    async def times(self) -> tuple[int, int, int]:
        return int(self.now), int(self.now), WEEK

    async def look(self, seconds: float = 60.0, *, held: bool = False) -> bool:
        """One look after so long; whether the volume is still there."""
        self.now += seconds
        await self.keeper.run_once({(KEY.app, KEY.ordinal)} if held else set())
        return bool(await self.runtime.list_volumes({}))

    async def watch(self) -> None:
        for _ in range(int(WATCH / 60) + 1):
            await self.look()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with MemoryEngine() as engine:
        runtime = MemoryRuntime(engine)
        await runtime.ensure_volume(NAME, KEY.volume_labels(), 10)
        yield World(runtime, tmp_path)


async def test_a_volume_is_kept_for_its_quarantine_and_then_deleted(world: World) -> None:
    await world.watch()
    assert await world.look(WEEK - (world.now - 100) - 1)
    assert not await world.look(1)
    assert SightingStore(world.home).load().volumes == {}


async def test_an_agent_that_restarted_in_between_deletes_it_at_the_same_time(world: World) -> None:
    await world.watch()
    world.restart()
    assert await world.look(WEEK - (world.now - 100) - 1)
    world.restart()
    assert not await world.look(1)


async def test_what_was_noted_is_not_needed(world: World) -> None:
    await world.watch()
    (world.home / FILE).write_bytes(b"{ half a file")
    assert await world.look(WEEK), "it is watched again first"
    await world.watch()
    assert not await world.runtime.list_volumes({})


async def test_a_chain_that_does_not_answer_deletes_nothing(world: World) -> None:
    await world.watch()
    world.reachable = False
    with pytest.raises(Unreachable):
        await world.look(10 * WEEK)
    assert await world.runtime.list_volumes({})


async def test_what_the_loop_works_for_is_held_whatever_the_endpoint_says(world: World) -> None:
    await world.watch()
    assert await world.look(10 * WEEK, held=True)


async def test_the_operator_may_keep_volumes_longer_but_not_shorter(world: World) -> None:
    world.keep_seconds = 2 * WEEK
    world.restart()
    await world.watch()
    assert await world.look(2 * WEEK - (world.now - 100) - 1)
    assert SightingStore(world.home).load().keep_seconds == 2 * WEEK
    world.keep_seconds = 1
    world.restart()
    assert not await world.look(1)


async def test_a_volume_that_a_container_still_mounts_waits(world: World) -> None:
    async with MemoryEngine() as engine:
        image = next(iter(IMAGES))
        engine.add_image(image)
        world.runtime = MemoryRuntime(engine)
        await world.runtime.ensure_volume(NAME, KEY.volume_labels(), 10)
        lab = Lab(world.runtime, image)
        container = await lab.create(lab.spec(mounts=(VolumeMount(NAME, "/data"),)))
        world.restart()
        await world.watch()
        assert await world.look(WEEK)
        await world.runtime.remove(container)
        assert not await world.look()


async def test_volumes_of_others_are_not_looked_at(world: World) -> None:
    await world.runtime.ensure_volume("somebodys", {"flux.chain": "19169-other"}, 10)
    await world.watch()
    await world.look(WEEK)
    assert [view.name for view in await world.runtime.list_volumes({})] == ["somebodys"]

"""When images go that an agent fetched: never others', never on a blip, oldest use first where the disk is short."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from flux.agent.desired import DesiredInstance
from flux.agent.image_keeper import FILE, LOOK_INTERVAL, READ_FRESH, ImageKeeper, ImageStore
from flux.agent.images import SHORT_PATIENCE, is_short, removable, watched
from flux.agent.quarantine import MAX_BLOCK_AGE, MAX_STEP
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import LeaseId
from flux.runtime.errors import ImagePullFailed, RuntimeUnavailable
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import MIB, ContainerSpec, DiskSpace, ImageReference
from flux.sdk.errors import Unreachable
from support.leases import make_desired

KEEP = 86_400.0
OLD, NEW, OTHER = (ImageReference(f"registry.test/{name}@sha256:{digit * 64}") for name, digit in ("ab", "cd", "ef"))
GIB = 1024 * MIB


def test_a_disk_is_short_below_a_tenth_of_it_or_fifty_gib() -> None:
    assert is_short(DiskSpace(9 * GIB, 100 * GIB))
    assert not is_short(DiskSpace(10 * GIB, 100 * GIB))
    assert not is_short(DiskSpace(50 * GIB, 10_000 * GIB))
    assert not is_short(None)


def test_only_time_that_was_watched_counts() -> None:
    assert watched({OLD: 5.0, NEW: 7.0}, {NEW}, 60.0) == {OLD: 65.0, NEW: 0.0}
    assert watched({OLD: 5.0}, set(), 3600.0) == {OLD: 5.0 + MAX_STEP}
    assert watched({OLD: 5.0}, set(), -60.0) == {OLD: 5.0}


def test_what_was_used_longest_ago_goes_first_and_sooner_where_the_disk_is_short() -> None:
    unused = {OLD: SHORT_PATIENCE + 1, NEW: SHORT_PATIENCE, OTHER: SHORT_PATIENCE - 1}
    assert removable(unused, KEEP, short=False) == []
    assert removable(unused, KEEP, short=True) == [OLD, NEW]
    assert removable({OLD: KEEP - 1, NEW: KEEP, OTHER: 0.0}, KEEP, short=False) == [NEW]


class World:
    """A chain, a node with or without leases, and clocks that are moved."""

    def __init__(self, engine: MemoryEngine, home: Path) -> None:
        self.engine = engine
        self.runtime = MemoryRuntime(engine)
        self.home = home
        self.now = 1_000.0
        self.block_lag = 0.0
        self.reachable = True
        self.chain_read_at: float | None = self.now
        self.leased: set[ImageReference] = set()
        self.standing_by: set[ImageReference] = set()
        self.turning: set[ImageReference] = set()
        """What an app of this node may come to or go back to."""
        self.asked_about: list[list[AppId]] = []
        self.forgotten: list[ImageReference] = []
        self.removed: list[str] = []
        self.restart()

    def restart(self) -> None:
        self.keeper = ImageKeeper(
            self, self.runtime, ImageStore(self.home), KEEP, self.removed.append,
            wall=lambda: self.now, monotonic=lambda: self.now,
        )  # fmt: skip

    async def block_time(self) -> int:
        if not self.reachable:
            raise Unreachable("http://chain", "down")
        return int(self.now - self.block_lag)

    async def standby(self) -> set[ImageReference]:
        return self.standing_by

    async def undecided(self, apps: Iterable[AppId]) -> set[ImageReference]:
        self.asked_about.append(list(apps))
        return self.turning

    def images(self) -> set[ImageReference]:
        return self.leased

    def desired(self) -> dict[LeaseId, DesiredInstance]:
        wish = make_desired()
        return {wish.lease.id: wish}

    def forget_image(self, image: ImageReference) -> None:
        self.forgotten.append(image)

    async def look(self, seconds: float = LOOK_INTERVAL) -> None:
        self.now += seconds
        if self.reachable:
            self.chain_read_at = self.now
        await self.keeper.run_once(self)

    async def watch(self, seconds: float) -> None:
        """Look as often as it takes to have watched so long."""
        for _ in range(int(seconds // MAX_STEP)):
            await self.look(MAX_STEP)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with MemoryEngine() as engine:
        for image in (OLD, NEW, OTHER):
            engine.add_image(image)
        yield World(engine, tmp_path)


async def test_an_image_goes_when_nothing_used_it_for_the_quiet_period(world: World) -> None:
    await world.keeper.pull(OLD)
    world.leased = {OLD}
    await world.watch(2 * KEEP)
    world.leased = set()
    await world.look(0.0)
    await world.watch(KEEP - MAX_STEP)
    assert world.engine.images == {OLD}
    await world.watch(MAX_STEP)
    assert world.engine.images == set()
    assert (world.forgotten, world.removed, world.keeper.held()) == ([OLD], ["unused"], {})
    assert ImageStore(world.home).load() == {}


async def test_what_others_brought_stays_however_short_the_disk(world: World) -> None:
    world.engine.images.add(OTHER)
    await world.keeper.pull(OTHER)
    await world.keeper.pull(OLD)
    world.engine.disk = DiskSpace(1 * GIB, 1000 * GIB)
    await world.watch(2 * KEEP)
    assert world.engine.images == {OTHER}


async def test_the_time_counts_on_after_a_restart_and_nothing_is_forgotten_by_a_pull_that_died(world: World) -> None:
    await world.keeper.pull(OLD)
    world.engine.pull_faults[NEW] = ImagePullFailed("power failed")
    with pytest.raises(ImagePullFailed):
        await world.keeper.pull(NEW)
    world.engine.images.add(NEW)  # the engine had all of it
    await world.look()
    await world.watch(KEEP / 2)
    world.restart()
    await world.look()
    await world.watch(KEEP / 2 + MAX_STEP)
    assert world.engine.images == set()


async def test_what_is_used_in_any_way_stays(world: World) -> None:
    for image in (OLD, NEW, OTHER):
        await world.keeper.pull(image)
    world.engine.disk = DiskSpace(1 * GIB, 1000 * GIB)
    world.leased, world.standing_by, world.turning = {OLD}, {NEW}, {OTHER}
    await world.watch(2 * KEEP)
    assert world.engine.images == {OLD, NEW, OTHER}
    assert all(asked == [make_desired().lease.app] for asked in world.asked_about)
    assert world.asked_about, "a rollout was asked about before anything was removed"


async def test_what_containers_are_made_of_stays(world: World) -> None:
    await world.keeper.pull(OLD)
    await world.runtime.ensure_network("net", {})
    await world.runtime.create(
        ContainerSpec(name="own", image=OLD, cpu_milli=100, memory_mib=16, network="net", alias="own", labels={})
    )
    await world.watch(2 * KEEP)
    assert world.engine.images == {OLD}
    await world.runtime.remove(next(iter(world.engine.containers)))
    await world.watch(2 * KEEP)
    assert world.engine.images == set()


async def test_a_chain_that_cannot_be_read_is_old_or_was_not_read_removes_nothing_and_counts_nothing(
    world: World,
) -> None:
    await world.keeper.pull(OLD)
    await world.look()
    before = world.keeper.held()
    world.reachable = False
    world.now += 2 * KEEP  # the loop's reading is old
    await world.keeper.run_once(world)
    world.chain_read_at = world.now
    with pytest.raises(Unreachable):
        await world.keeper.run_once(world)
    world.reachable, world.block_lag = True, MAX_BLOCK_AGE + 1.0
    await world.watch(2 * KEEP)
    world.block_lag = 0.0
    world.chain_read_at = None
    await world.keeper.run_once(world)
    world.chain_read_at = world.now - READ_FRESH - 1
    await world.keeper.run_once(world)
    await world.look()
    assert world.keeper.held() == before
    assert world.engine.images == {OLD}


async def test_an_engine_that_does_not_answer_removes_nothing(world: World) -> None:
    await world.keeper.pull(OLD)
    await world.look()
    world.engine.go_down()
    with pytest.raises(RuntimeUnavailable):
        await world.watch(2 * KEEP)
    world.engine.come_back()
    await world.look()
    assert world.engine.images == {OLD}


async def test_a_short_disk_gives_up_the_oldest_use_first_and_no_more_than_it_needs(world: World) -> None:
    world.leased = {OLD, NEW, OTHER}
    for image in (OLD, NEW, OTHER):
        await world.keeper.pull(image)
    await world.look()
    for image in (OLD, NEW):
        world.leased.discard(image)
        await world.look()
    world.engine.disk = DiskSpace(99 * GIB, 1000 * GIB)
    world.engine.image_bytes = 2 * GIB
    await world.watch(SHORT_PATIENCE - MAX_STEP)
    assert world.engine.images == {OLD, NEW, OTHER}
    world.engine.disk = DiskSpace(49 * GIB, 1000 * GIB)
    await world.watch(2 * SHORT_PATIENCE)
    assert world.engine.images == {NEW, OTHER}
    assert world.removed == ["disk"]


async def test_what_somebody_else_removed_and_brought_again_is_theirs(world: World) -> None:
    await world.keeper.pull(OLD)
    await world.look()
    await world.look()
    world.engine.images.clear()
    await world.look()
    world.engine.images.add(OLD)
    await world.watch(2 * KEEP)
    assert world.engine.images == {OLD}


async def test_what_is_fetched_while_it_is_found_missing_stays_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.keeper.pull(OLD)
    await world.look()
    world.engine.images.clear()
    pulls: list[asyncio.Task[None]] = []

    async def missing(image: ImageReference) -> bool:
        pulls.append(asyncio.create_task(world.keeper.pull(image)))
        await asyncio.sleep(0)  # the pull begins
        return False

    monkeypatch.setattr(world.runtime, "has_image", missing)
    await world.look()
    monkeypatch.undo()
    await asyncio.gather(*pulls)
    assert pulls
    assert list(world.keeper.held()) == [OLD]


async def test_an_agent_that_fetched_nothing_asks_nothing(world: World) -> None:
    world.reachable = False
    await world.look()
    assert world.asked_about == []


async def test_notes_that_are_damaged_are_taken_for_none(world: World) -> None:
    (world.home / FILE).write_bytes(b"{")
    assert ImageStore(world.home).load() == {}
    (world.home / FILE).write_bytes(b'["old"]')
    assert ImageStore(world.home).load() == {}


async def test_notes_that_cannot_be_written_stop_no_pull(world: World) -> None:
    world.home.rmdir()
    await world.keeper.pull(OLD)
    assert world.engine.images == {OLD}
    world.home.mkdir()
    await world.look()
    assert ImageStore(world.home).load().keys() == {OLD}

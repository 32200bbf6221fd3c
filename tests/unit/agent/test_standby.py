"""What an agent does for apps that it stands by for: the plan, and the keeper over an in-memory engine."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux.agent.standby import KEEP_SECONDS, Drop, Duty, Failure, Fetch, Hold, Holdings, LetGo, plan_standby
from flux.agent.standby_keeper import FILE, FetchedStore, StandbyKeeper
from flux.contracts.apps.types import AppId
from flux.primitives.types import U64, Hash
from flux.runtime.errors import ImagePullFailed
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import ContainerSpec, ImageReference
from flux.sdk.errors import Unreachable
from support.leases import IMAGES
from support.waiting import until

WEB, DATABASE = sorted(IMAGES)
SHOP = Duty(AppId(U64(1)), (WEB, DATABASE), Hash(b"\x01" * 32), ready=False)


def ready(duty: Duty) -> Duty:
    return Duty(duty.app, duty.images, duty.fingerprint, ready=True)


def test_missing_images_are_fetched_one_at_a_time_and_then_reported() -> None:
    nothing = Holdings([], [], {}, {})
    plan = plan_standby([SHOP], nothing, 5.0)
    assert (plan.steps, plan.fetched) == ((Fetch(WEB),), {WEB: 0.0})
    plan = plan_standby([SHOP], Holdings([WEB], [], {WEB: 0.0}, {}), 6.0)
    assert plan.steps == (Fetch(DATABASE),)
    plan = plan_standby([SHOP], Holdings([WEB, DATABASE], [], plan.fetched, {}), 7.0)
    assert plan.steps == (Hold(SHOP),)
    assert plan_standby([ready(SHOP)], Holdings([WEB, DATABASE], [], plan.fetched, {}), 8.0).steps == ()


def test_images_that_were_here_before_are_not_ours_to_remove() -> None:
    plan = plan_standby([SHOP], Holdings([WEB, DATABASE], [], {}, {}), 5.0)
    assert (plan.steps, plan.fetched) == ((Hold(SHOP),), {})


def test_an_image_goes_a_while_after_nobody_asks_for_it() -> None:
    plan = plan_standby([], Holdings([], [], {WEB: 0.0}, {}), 5.0)
    assert (plan.steps, plan.fetched) == ((), {WEB: 5.0})
    assert plan_standby([], Holdings([], [], plan.fetched, {}), 5.0 + KEEP_SECONDS - 1).steps == ()
    assert plan_standby([], Holdings([], [], plan.fetched, {}), 5.0 + KEEP_SECONDS).steps == (Drop(WEB),)
    again = plan_standby([SHOP], Holdings([WEB, DATABASE], [], plan.fetched, {}), 9.0)
    assert again.fetched == {WEB: 0.0}


def test_what_a_lease_needs_is_the_leases_from_then_on() -> None:
    plan = plan_standby([], Holdings([], [WEB], {WEB: 1.0, DATABASE: 1.0}, {}), 5.0 + KEEP_SECONDS)
    assert (plan.steps, plan.fetched) == ((Drop(DATABASE),), {DATABASE: 1.0})


def test_what_cannot_be_fetched_is_given_up_and_what_may_come_is_tried_again_later() -> None:
    for_good = Holdings([WEB], [], {}, {DATABASE: Failure(for_good=True, retry_at=0.0)})
    assert plan_standby([SHOP], for_good, 5.0).steps == (LetGo(SHOP),)
    later = Holdings([WEB], [], {}, {DATABASE: Failure(for_good=False, retry_at=30.0)})
    assert plan_standby([SHOP], later, 5.0).steps == ()
    assert plan_standby([SHOP], later, 30.0).steps == (Fetch(DATABASE),)


def test_a_node_that_is_paid_and_lost_an_image_fetches_it_or_says_so() -> None:
    assert plan_standby([ready(SHOP)], Holdings([WEB], [], {}, {}), 5.0).steps == (Fetch(DATABASE),)
    failed = Holdings([WEB], [], {}, {DATABASE: Failure(for_good=False, retry_at=9.0)})
    assert plan_standby([ready(SHOP)], failed, 5.0).steps == (LetGo(ready(SHOP)),)


@dataclass
class World:
    """A chain that says what is asked for and hears reports, a clock that is moved, a node with or without work."""

    engine: MemoryEngine
    runtime: MemoryRuntime
    home: Path
    asked: list[Duty] = field(default_factory=lambda: [SHOP])
    said: list[str] = field(default_factory=list)
    leased: set[ImageReference] = field(default_factory=set)
    forgotten: list[ImageReference] = field(default_factory=list)
    busy: bool = False
    reachable: bool = True
    now: float = 100.0
    keeper: StandbyKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.keeper = StandbyKeeper(self, self.runtime, self, FetchedStore(self.home), lambda: self.now)

    async def duties(self) -> list[Duty]:
        if not self.reachable:
            raise Unreachable("http://chain", "down")
        return self.asked

    async def hold(self, app: AppId, images: Hash) -> bool:
        self.said.append("hold")
        self.asked = [ready(duty) for duty in self.asked]
        return True

    async def let_go(self, app: AppId) -> bool:
        self.said.append("let go")
        self.asked = []
        return True

    def images(self) -> set[ImageReference]:
        return self.leased

    def is_busy(self) -> bool:
        return self.busy

    def forget_image(self, image: ImageReference) -> None:
        self.forgotten.append(image)

    async def look(self, times: int = 1, seconds: float = 5.0) -> None:
        for _ in range(times):
            self.now += seconds
            await self.keeper.run_once(self)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with MemoryEngine() as engine:
        for image in IMAGES:
            engine.add_image(image)
        yield World(engine, MemoryRuntime(engine), tmp_path)


async def test_images_are_fetched_and_the_chain_is_told_once_and_nothing_is_started(world: World) -> None:
    await world.look(5)
    assert world.engine.images == IMAGES
    assert world.said == ["hold"]
    assert not world.engine.containers


async def test_images_are_removed_when_nobody_asks_for_them_also_after_a_restart(world: World) -> None:
    await world.look(5)
    world.asked = []
    await world.look()
    world.restart()
    await world.look()
    await world.look(seconds=KEEP_SECONDS)
    assert world.engine.images == set()
    assert sorted(world.forgotten) == sorted(IMAGES)
    assert FetchedStore(world.home).load() == []


async def test_what_was_there_before_and_what_a_lease_uses_is_never_removed(world: World) -> None:
    world.engine.images.add(WEB)
    await world.look(5)
    world.leased = {DATABASE}
    await world.look()
    world.asked, world.leased = [], set()
    await world.look()
    await world.look(2, seconds=KEEP_SECONDS)
    assert world.engine.images == IMAGES


async def test_an_image_that_containers_are_made_of_stays(world: World) -> None:
    await world.look(5)
    await world.runtime.ensure_network("flux-net", {})
    container = ContainerSpec(
        name="flux-other", image=WEB, cpu_milli=100, memory_mib=16, network="flux-net", alias="other", labels={}
    )
    await world.runtime.create(container)
    world.asked = []
    await world.look()
    await world.look(seconds=KEEP_SECONDS)
    assert world.engine.images == {WEB}


async def test_nothing_is_fetched_while_an_instance_is_started(world: World) -> None:
    world.busy = True
    await world.look(3)
    assert world.engine.images == set()
    world.busy = False
    await world.look(2)
    assert world.engine.images == IMAGES


async def test_a_transfer_ends_when_an_instance_needs_an_image_and_comes_later(world: World) -> None:
    world.engine.pull_seconds = 3600.0
    look = asyncio.create_task(world.look())
    await until(lambda: world.keeper.is_fetching)
    world.keeper.give_way()
    await look
    assert world.said == []
    world.engine.pull_seconds = 0.0
    await world.look(3)
    assert world.said == ["hold"]


async def test_a_registry_that_fails_is_asked_again_and_one_that_lacks_the_image_is_not(world: World) -> None:
    world.engine.pull_faults[WEB] = ImagePullFailed("no network")
    await world.look(2)
    assert world.engine.images == {DATABASE}
    assert world.said == []
    await world.look(2, seconds=30.0)
    assert world.said == ["hold"]
    world.said.clear()
    world.asked = [Duty(SHOP.app, (ImageReference(WEB[:-64] + "0" * 64),), SHOP.fingerprint, ready=False)]
    await world.look(2)
    assert world.said == ["let go"]


async def test_an_image_that_vanished_is_fetched_again(world: World) -> None:
    await world.look(5)
    world.engine.images.clear()
    await world.look(2)
    assert world.engine.images == IMAGES
    assert world.said == ["hold"]


async def test_a_chain_that_does_not_answer_removes_nothing(world: World) -> None:
    await world.look(5)
    world.reachable = False
    with pytest.raises(Unreachable):
        await world.look(seconds=2 * KEEP_SECONDS)
    assert world.engine.images == IMAGES


async def test_notes_that_are_damaged_are_taken_for_none(world: World) -> None:
    (world.home / FILE).write_bytes(b"{")
    assert FetchedStore(world.home).load() == []

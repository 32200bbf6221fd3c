"""What an agent does for apps that it stands by for: the plan, and the keeper over an in-memory engine."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from flux.agent.standby import Duty, Failure, Fetch, Hold, Holdings, LetGo, plan_standby
from flux.agent.standby_keeper import StandbyKeeper
from flux.contracts.apps.types import AppId
from flux.primitives.types import U64, Hash
from flux.runtime.errors import ImagePullFailed
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import ImageReference
from support.leases import IMAGES
from support.waiting import until

WEB, DATABASE = sorted(IMAGES)
SHOP = Duty(AppId(U64(1)), (WEB, DATABASE), Hash(b"\x01" * 32), ready=False)


def ready(duty: Duty) -> Duty:
    return Duty(duty.app, duty.images, duty.fingerprint, ready=True)


def test_missing_images_are_fetched_one_at_a_time_and_then_reported() -> None:
    assert plan_standby([SHOP], Holdings([], {}), 5.0) == (Fetch(WEB),)
    assert plan_standby([SHOP], Holdings([WEB], {}), 6.0) == (Fetch(DATABASE),)
    assert plan_standby([SHOP], Holdings([WEB, DATABASE], {}), 7.0) == (Hold(SHOP),)
    assert plan_standby([ready(SHOP)], Holdings([WEB, DATABASE], {}), 8.0) == ()


def test_what_cannot_be_fetched_is_given_up_and_what_may_come_is_tried_again_later() -> None:
    for_good = Holdings([WEB], {DATABASE: Failure(for_good=True, retry_at=0.0)})
    assert plan_standby([SHOP], for_good, 5.0) == (LetGo(SHOP),)
    later = Holdings([WEB], {DATABASE: Failure(for_good=False, retry_at=30.0)})
    assert plan_standby([SHOP], later, 5.0) == ()
    assert plan_standby([SHOP], later, 30.0) == (Fetch(DATABASE),)


def test_a_node_that_is_paid_and_lost_an_image_fetches_it_or_says_so() -> None:
    assert plan_standby([ready(SHOP)], Holdings([WEB], {}), 5.0) == (Fetch(DATABASE),)
    failed = Holdings([WEB], {DATABASE: Failure(for_good=False, retry_at=9.0)})
    assert plan_standby([ready(SHOP)], failed, 5.0) == (LetGo(ready(SHOP)),)


@dataclass
class World:
    """A chain that says what is asked for and hears reports, a clock that is moved, a node with or without work."""

    engine: MemoryEngine
    runtime: MemoryRuntime
    asked: list[Duty] = field(default_factory=lambda: [SHOP])
    said: list[str] = field(default_factory=list)
    busy: bool = False
    now: float = 100.0
    keeper: StandbyKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = StandbyKeeper(self, self.runtime, self, self.runtime.pull, lambda: self.now)

    async def duties(self) -> list[Duty]:
        return self.asked

    async def hold(self, app: AppId, images: Hash) -> bool:
        self.said.append("hold")
        self.asked = [ready(duty) for duty in self.asked]
        return True

    async def let_go(self, app: AppId) -> bool:
        self.said.append("let go")
        self.asked = []
        return True

    def is_busy(self) -> bool:
        return self.busy

    async def look(self, times: int = 1, seconds: float = 5.0) -> None:
        for _ in range(times):
            self.now += seconds
            await self.keeper.run_once(self)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with MemoryEngine() as engine:
        for image in IMAGES:
            engine.add_image(image)
        yield World(engine, MemoryRuntime(engine))


async def test_images_are_fetched_and_the_chain_is_told_once_and_nothing_is_started(world: World) -> None:
    await world.look(5)
    assert world.engine.images == IMAGES
    assert world.said == ["hold"]
    assert not world.engine.containers


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

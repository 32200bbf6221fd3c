"""How much the engine is asked, and that nothing that happened stays unseen."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import pytest

from flux.agent.container_watch import WHOLE_LOOK_INTERVAL, ContainerWatch
from flux.runtime.errors import RuntimeUnavailable
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.port import NOTHING_KNOWN
from flux.runtime.types import ContainerId, ContainerSpec, ContainerState, ContainerView, ImageReference
from support.waiting import until

IMAGE = ImageReference("registry.test/web@sha256:" + "a" * 64)
LABELS = {"flux.test": "watch"}


class Counted(MemoryRuntime):
    """Knows how many containers it was asked to look into."""

    def __init__(self, engine: MemoryEngine) -> None:
        super().__init__(engine)
        self.looked_into: list[int] = []

    async def list_containers(
        self, labels: Mapping[str, str], known: Mapping[ContainerId, ContainerView] = NOTHING_KNOWN
    ) -> list[ContainerView]:
        views = await super().list_containers(labels, known)
        self.looked_into.append(sum(known.get(view.id) is not view for view in views))
        return views


class World:
    """Containers on an engine, and somebody who watches them."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine
        self.runtime = Counted(engine)
        self.now = 0.0
        self.watch = ContainerWatch(self.runtime, LABELS, lambda: self.now)

    async def run(self, name: str) -> ContainerId:
        spec = ContainerSpec(
            name=name, image=IMAGE, cpu_milli=100, memory_mib=32, network="net", alias=name, labels=LABELS
        )
        container = await self.runtime.create(spec)
        await self.runtime.start(container)
        return container

    async def again(self, container: ContainerId) -> None:
        """It ends and begins anew."""
        await self.runtime.stop(container, 0)
        await self.runtime.start(container)

    async def seen(self) -> dict[ContainerId, ContainerView]:
        return {view.id: view for view in await self.watch.look()}

    def true(self) -> dict[ContainerId, ContainerView]:
        return {container.id: container.view() for container in self.engine.containers.values()}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(MemoryEngine())
        engine.add_image(IMAGE)
        made = World(engine)
        await made.runtime.pull(IMAGE)
        await made.runtime.ensure_network("net", LABELS)
        yield made


async def test_nothing_is_looked_into_while_nothing_happens(world: World) -> None:
    for number in range(100):
        await world.run(f"web-{number}")
    for _ in range(5):
        assert await world.seen() == world.true()
    assert world.runtime.looked_into == [100, 0, 0, 0, 0]


async def test_what_came_changed_or_went_is_seen_at_the_next_look(world: World) -> None:
    first, second = await world.run("one"), await world.run("two")
    await world.seen()
    third = await world.run("three")
    await world.runtime.stop(first, 0)
    await world.runtime.remove(second, force=True)
    seen = await world.seen()
    assert seen.keys() == {first, third}
    assert seen[first].state is ContainerState.EXITED
    assert world.runtime.looked_into == [2, 2]


async def test_what_ended_and_began_anew_is_seen_when_it_was_heard(world: World) -> None:
    container, _ = await world.run("one"), await world.run("two")
    heard = asyncio.Event()
    following = asyncio.create_task(world.watch.follow(heard.set))
    await until(heard.is_set)
    await world.seen()
    heard.clear()
    await world.again(container)
    await until(heard.is_set)

    async def is_seen() -> bool:
        return await world.seen() == world.true()

    await until(is_seen)
    assert world.runtime.looked_into[0] == 2
    assert set(world.runtime.looked_into[1:]) <= {0, 1}
    following.cancel()
    await asyncio.wait([following])


async def test_what_whoever_acted_says_is_looked_into(world: World) -> None:
    container, _ = await world.run("one"), await world.run("two")
    await world.seen()
    await world.again(container)
    world.watch.forget(container)
    assert await world.seen() == world.true()
    assert world.runtime.looked_into == [2, 1]


async def test_once_in_a_while_everything_is_looked_into(world: World) -> None:
    container = await world.run("one")
    before = (await world.seen())[container]
    await world.again(container)
    world.now = WHOLE_LOOK_INTERVAL - 1
    assert (await world.seen())[container] == before
    world.now = WHOLE_LOOK_INTERVAL
    assert await world.seen() == world.true()


async def test_after_a_silence_of_the_engine_everything_is_looked_into(world: World) -> None:
    container = await world.run("one")
    heard = asyncio.Event()
    following = asyncio.create_task(world.watch.follow(heard.set))
    await until(heard.is_set)
    before = (await world.seen())[container]
    following.cancel()
    await asyncio.wait([following])
    await world.again(container)
    heard.clear()
    following = asyncio.create_task(world.watch.follow(heard.set))
    await until(heard.is_set)
    seen = await world.seen()
    assert seen == world.true()
    assert seen[container] != before
    following.cancel()
    await asyncio.wait([following])


async def test_an_engine_that_did_not_answer_is_looked_into_whole(world: World) -> None:
    container = await world.run("one")
    await world.seen()
    world.engine.go_down()
    with pytest.raises(RuntimeUnavailable):
        await world.watch.look()
    world.engine.come_back()
    await world.again(container)
    assert await world.seen() == world.true()

"""What the reconcile loop asks of the engine: only what changed. It acts on nothing older than its acts."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from flux.contracts.apps.types import AppId, AppSpec, Component
from flux.primitives.types import U64
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.port import NOTHING_KNOWN
from flux.runtime.types import ContainerId, ContainerSpec, ContainerView, ImageReference, NetworkView
from support.leases import WEB, make_desired, make_lease
from support.waiting import until
from unit.agent.test_loop import LEASE, make_world


class GatedRuntime(MemoryRuntime):
    """An engine whose containers can be made to wait for their creation, and its networks to be listed late."""

    def __init__(self, engine: MemoryEngine) -> None:
        super().__init__(engine)
        self.may_create, self.may_list = asyncio.Event(), asyncio.Event()
        self.may_list.set()
        self.waits = asyncio.Event()
        """Set while a list of networks waits."""
        self.starts: list[ContainerId] = []

    async def create(self, spec: ContainerSpec) -> ContainerId:
        await self.may_create.wait()
        return await super().create(spec)

    async def start(self, container: ContainerId) -> None:
        self.starts.append(container)
        await super().start(container)

    async def list_networks(self, labels: Mapping[str, str]) -> list[NetworkView]:
        if not self.may_list.is_set():
            self.waits.set()
        await self.may_list.wait()
        return await super().list_networks(labels)


async def test_a_look_that_began_before_a_plan_ended_starts_nothing_again() -> None:
    async with make_world(GatedRuntime) as world:
        runtime = cast(GatedRuntime, world.runtime)
        world.chain.wishes[LEASE] = make_desired(AppSpec(components=(Component("web", WEB, 500, 64),)))
        world.loop.wake()
        await until(lambda: world.engine.networks)
        runtime.may_list.clear()
        world.loop.wake_for_engine()
        await runtime.waits.wait()
        runtime.may_create.set()
        await until(lambda: world.running() and not world.loop.is_busy())
        runtime.may_list.set()
        await world.until(lambda: bool(world.chain.confirmed))
        assert len(runtime.starts) == 1


class CountedRuntime(MemoryRuntime):
    """Knows what it was asked."""

    def __init__(self, engine: MemoryEngine) -> None:
        super().__init__(engine)
        self.asked: Counter[str] = Counter()
        self.looked_into = 0

    async def list_containers(
        self, labels: Mapping[str, str], known: Mapping[ContainerId, ContainerView] = NOTHING_KNOWN
    ) -> list[ContainerView]:
        self.asked["containers"] += 1
        views = await super().list_containers(labels, known)
        self.looked_into += sum(known.get(view.id) is not view for view in views)
        return views

    async def list_networks(self, labels: Mapping[str, str]) -> list[NetworkView]:
        self.asked["networks"] += 1
        return await super().list_networks(labels)

    async def find_container(self, container: ContainerId) -> ContainerView | None:
        self.asked["container"] += 1
        return await super().find_container(container)

    async def has_image(self, image: ImageReference) -> bool:
        self.asked["image"] += 1
        return await super().has_image(image)


async def test_a_block_in_which_nothing_changed_asks_the_engine_nothing_and_the_chain_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flux.agent.loop.LOOK_INTERVAL", 3600.0)
    async with make_world(CountedRuntime) as world:
        runtime = world.runtime
        assert isinstance(runtime, CountedRuntime)
        spec = AppSpec((Component("web", WEB, 500, 64),))
        for number in range(7, 37):
            lease = make_lease(number).but(app=AppId(U64(number)))
            world.chain.wishes[lease.id] = replace(make_desired(spec), lease=lease)
        await world.until(lambda: len(world.chain.confirmed) == 30)
        await until(lambda: not world.loop.is_busy())
        await world.settle()
        runtime.asked.clear()
        runtime.looked_into = 0
        before = world.chain.looks
        await world.settle()
        assert world.chain.looks >= before + 4
        assert runtime.asked == {}

        world.loop.wake_for_engine()
        await until(lambda: runtime.asked == {"containers": 1, "networks": 1})
        assert runtime.looked_into == 0

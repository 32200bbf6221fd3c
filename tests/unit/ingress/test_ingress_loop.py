"""The ingress's loop without Caddy: what it puts into force, and when it leaves things alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Route
from flux.ingress.errors import CaddyFailed, RoutesUnavailable
from flux.ingress.loop import IngressLoop
from flux.ingress.routes import RouteRules
from flux.ingress.source import PAGE, ChainRoutes
from flux.primitives.types import U16
from flux.sdk.errors import Unreachable
from support.chain_routes import HandRoutes, route

PATIENCE_SECONDS = 60


class RecordingProxy:
    """Keeps the hosts that it serves."""

    def __init__(self) -> None:
        self.rules = RouteRules("flux.localhost", "secret")
        self.hosts: list[str] = []
        self.faults = 0
        """So many of the next changes fail."""
        self._routes: list[dict[str, Any]] = []
        self._applied = asyncio.Event()
        self.loads = 0

    async def apply(self, routes: list[dict[str, Any]]) -> bool:
        if self.faults:
            self.faults -= 1
            raise CaddyFailed("Caddy is not running.")
        if routes == self._routes:
            return False
        self._routes = routes
        self.hosts = [entry["match"][0]["host"][0] for entry in routes if "host" in entry.get("match", [{}])[0]]
        self.loads += 1
        self._applied.set()
        return True

    async def until_serves(self, *names: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.hosts != [f"{name}.flux.localhost" for name in names]:
                self._applied.clear()
                await self._applied.wait()


@pytest.fixture
def proxy() -> RecordingProxy:
    return RecordingProxy()


@pytest.fixture
async def source(proxy: RecordingProxy) -> AsyncIterator[HandRoutes]:
    """Under a running loop."""
    made = HandRoutes()
    running = asyncio.create_task(IngressLoop(made, proxy, poll_seconds=0.05).run())
    yield made
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_what_the_chain_says_comes_into_force(source: HandRoutes, proxy: RecordingProxy) -> None:
    source.set(route("web", []))
    await proxy.until_serves("web")
    source.set(route("api", [], app=2), route("web", []))
    await proxy.until_serves("api", "web")
    source.set()
    await proxy.until_serves()


async def test_nothing_is_taken_away_while_the_chain_is_silent(source: HandRoutes, proxy: RecordingProxy) -> None:
    source.set(route("web", []))
    await proxy.until_serves("web")
    loads = proxy.loads
    source.set()
    source.go_down()
    source.fetched = asyncio.Semaphore(0)
    for _ in range(3):
        await source.fetched.acquire()
    assert (proxy.hosts, proxy.loads) == (["web.flux.localhost"], loads)
    source.come_back()
    await proxy.until_serves()


async def test_a_silent_chain_at_the_start_leaves_what_was_served_before() -> None:
    proxy, source = RecordingProxy(), HandRoutes()
    source.go_down()
    running = asyncio.create_task(IngressLoop(source, proxy, poll_seconds=0.01).run())
    for _ in range(3):
        await source.fetched.acquire()
    assert proxy.loads == 0
    running.cancel()
    await asyncio.wait([running])


async def test_a_change_that_failed_is_tried_again(source: HandRoutes, proxy: RecordingProxy) -> None:
    proxy.faults = 3
    source.set(route("web", []))
    await proxy.until_serves("web")
    assert proxy.faults == 0


async def test_a_lost_notification_costs_one_interval(source: HandRoutes, proxy: RecordingProxy) -> None:
    await source.fetched.acquire()
    source._routes = [route("web", [])]
    await proxy.until_serves("web")


async def test_routes_of_the_chain_are_read_page_by_page() -> None:
    everything = [route(f"app-{number}", [], app=number) for number in range(1, 2 * PAGE + 2)]

    async def page(start: AppId, limit: U16) -> list[Route]:
        return [entry for entry in everything if entry.app >= start][:limit]

    source = ChainRoutes(page)
    assert list(await source.fetch()) == everything


async def test_a_chain_that_fails_in_the_middle_gives_no_part_of_its_routes() -> None:
    async def page(start: AppId, limit: U16) -> list[Route]:
        if start > 1:
            raise Unreachable("http://127.0.0.1:8545", "refused")
        return [route(f"app-{number}", [], app=number) for number in range(1, limit + 1)]

    with pytest.raises(RoutesUnavailable):
        await ChainRoutes(page).fetch()


async def test_a_new_head_ends_the_wait() -> None:
    async def page(start: AppId, limit: U16) -> list[Route]:
        return []

    source = ChainRoutes(page)
    await source.fetch()
    waiting = asyncio.create_task(source.wait_for_change())
    await asyncio.sleep(0)
    assert not waiting.done()
    source.notice_head()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await waiting

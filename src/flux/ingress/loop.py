"""The ingress's loop: what the chain says and what answers, brought into Caddy, again and again.

Level-triggered: each round starts from all routes, so a lost notification costs at most one interval. While the chain
does not answer, the last known routes stay and health checks go on: an outage of the chain takes no app down.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog

from flux.ingress.connections import end_connections
from flux.ingress.errors import CaddyFailed, ConfigRefused, RoutesUnavailable
from flux.ingress.health import HealthChecker, HealthOptions
from flux.ingress.routes import App, RouteRules, Skipped, caddy_routes, read_routes
from flux.ingress.source import RouteSource

log = structlog.get_logger(__name__)

POLL_SECONDS = 2.0
"""Longest time between two looks at the chain."""
_LOAD_SPACING_SECONDS = 0.1
"""Changes that come together go out together: a Caddy before 2.7 closes WebSockets with each."""
_FIRST_CHECKS_SECONDS = 0.5
"""How long instances may take to show that they answer before an ingress that starts serves without them."""


class Proxy(Protocol):
    """What serves: Caddy."""

    @property
    def rules(self) -> RouteRules:
        """What routes for it are made with."""
        ...

    async def apply(self, routes: list[dict[str, Any]]) -> bool:
        """Put routes into force; False when they are already. Raises ConfigRefused, CaddyFailed."""
        ...


class IngressLoop:
    """Serves until cancelled: `await IngressLoop(source, caddy).run()`."""

    def __init__(
        self,
        source: RouteSource,
        proxy: Proxy,
        *,
        health: HealthOptions | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._source = source
        self._proxy = proxy
        self._poll_seconds = poll_seconds
        self._changed = asyncio.Event()
        self._checker = HealthChecker(health or HealthOptions(), self._changed.set, end_connections)
        self._apps: list[App] | None = None
        """None until the chain was read once: then Caddy keeps what it served before."""
        self._skipped: list[Skipped] = []
        self._is_chain_reachable = True

    @property
    def has_routes(self) -> bool:
        """Whether the chain was read once."""
        return self._apps is not None

    @property
    def is_chain_reachable(self) -> bool:
        """Whether the last reading of routes went well."""
        return self._is_chain_reachable

    def counts(self) -> tuple[int, int, int]:
        """Apps that are served; instances behind them that answer, and that do not."""
        targets = [target for app in self._apps or () for target in app.targets]
        down = sum(target in self._checker.down for target in targets)
        return len(self._apps or ()), len(targets) - down, down

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._checker.run())
            group.create_task(self._follow_source())
            group.create_task(self._serve())

    async def _follow_source(self) -> None:
        """Read the routes with each change and at least once an interval."""
        while True:
            try:
                routes = await self._source.fetch()
            except RoutesUnavailable as error:
                if self._is_chain_reachable:
                    log.warning("routes not read, keeping the last ones", reason=str(error))
                self._is_chain_reachable = False
            else:
                if not self._is_chain_reachable:
                    log.info("routes read again")
                self._is_chain_reachable = True
                apps, skipped = read_routes(routes, self._proxy.rules)
                self._report(skipped)
                await self._take(apps)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._source.wait_for_change()

    async def _take(self, apps: list[App]) -> None:
        """Make these the apps to serve; at the start once their instances had a moment to show that they answer."""
        if apps == self._apps:
            return
        self._checker.watch(apps)
        if self._apps is None:
            await self._checker.wait_first_checks(_FIRST_CHECKS_SECONDS)
        self._apps = apps
        self._changed.set()

    async def _serve(self) -> None:
        """Put into force what changed; look again after an interval, for a Caddy that was started anew."""
        while True:
            self._changed.clear()
            if self._apps is not None:
                try:
                    checker = self._checker
                    routes = caddy_routes(self._apps, checker.down, self._proxy.rules, checker.new)
                    if await self._proxy.apply(routes):
                        log.info("routes applied", apps=len(self._apps), down=len(checker.down))
                        await asyncio.sleep(_LOAD_SPACING_SECONDS)
                except (ConfigRefused, CaddyFailed) as error:
                    log.error("routes not applied", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._changed.wait()

    def _report(self, skipped: Sequence[Skipped]) -> None:
        """Say once what is not served, and why."""
        for entry in skipped:
            if entry not in self._skipped:
                log.warning("route skipped", name=entry.name, reason=entry.reason)
        self._skipped = list(skipped)

"""Routes as the chain gives them, and a source of them that a test holds in its hand."""

import asyncio
from collections.abc import Sequence

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import LeaseId, Ordinal, Route, Upstream
from flux.contracts.nodes.types import NodeId
from flux.ingress.errors import RoutesUnavailable
from flux.primitives.types import U16, U32, U64


def route(name: str, targets: Sequence[str | tuple[str, int]], *, sticky: bool = True, app: int = 1) -> Route:
    """A route to `host:port` texts or (host, port) pairs."""
    upstreams = []
    for number, target in enumerate(targets):
        host, port = target if isinstance(target, tuple) else _split(target)
        upstreams.append(
            Upstream(
                lease=LeaseId(U64(number + 1)),
                ordinal=Ordinal(U16(number)),
                node=NodeId(U32(number + 1)),
                host=host,
                port=U16(port),
            )
        )
    return Route(app=AppId(U64(app)), name=name, sticky=sticky, upstreams=tuple(upstreams))


def _split(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    return host.strip("[]"), int(port)


class HandRoutes:
    """A RouteSource whose routes are set by hand."""

    def __init__(self, *routes: Route) -> None:
        self._routes: Sequence[Route] = routes
        self._is_up = True
        self._changed = asyncio.Event()
        self.fetched = asyncio.Semaphore(0)
        """Released once for each look at it."""

    def set(self, *routes: Route) -> None:
        self._routes = routes
        self._changed.set()

    def go_down(self) -> None:
        self._is_up = False
        self._changed.set()

    def come_back(self) -> None:
        self._is_up = True
        self._changed.set()

    async def fetch(self) -> Sequence[Route]:
        self._changed.clear()
        self.fetched.release()
        if not self._is_up:
            raise RoutesUnavailable("The chain does not answer.")
        return self._routes

    async def wait_for_change(self) -> None:
        await self._changed.wait()

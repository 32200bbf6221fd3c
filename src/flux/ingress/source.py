"""Where the ingress gets its routes: the port, and the chain behind it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Route
from flux.ingress.errors import RoutesUnavailable
from flux.primitives.types import U16, U64
from flux.sdk.errors import ClientError

PAGE = 200
"""Routes asked for at once."""


class RouteSource(Protocol):
    """All routes there are, and when to look again."""

    async def fetch(self) -> Sequence[Route]:
        """Every route of the chain's head. Raises RoutesUnavailable; never answers with a part."""
        ...

    async def wait_for_change(self) -> None:
        """Returns when the routes may have changed: with each new head. May return early, may never return."""
        ...


RoutesPage = Callable[[AppId, U16], Awaitable[Sequence[Route]]]
"""`sdk.bindings.market.Market.routes`: from an app id on, at most so many, ordered by app id."""


class ChainRoutes:
    """The routes of `market.routes`, page by page."""

    def __init__(self, page: RoutesPage) -> None:
        self._page = page
        self._changed = asyncio.Event()

    def notice_head(self) -> None:
        """Tell that there is a new block."""
        self._changed.set()

    async def fetch(self) -> Sequence[Route]:
        self._changed.clear()
        routes: list[Route] = []
        start = AppId(U64(1))
        while True:
            try:
                page = await self._page(start, U16(PAGE))
            except ClientError as error:
                raise RoutesUnavailable(f"The chain's routes can't be read: {error}") from error
            routes.extend(page)
            if len(page) < PAGE:
                return routes
            start = AppId(U64(page[-1].app + 1))

    async def wait_for_change(self) -> None:
        await self._changed.wait()

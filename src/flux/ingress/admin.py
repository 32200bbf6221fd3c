"""Caddy's admin API on its private unix socket."""

from pathlib import Path
from typing import Any

import aiohttp

from flux.ingress.config import ADMIN_HOST, ROUTES_PATH
from flux.ingress.errors import CaddyFailed, ConfigRefused

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class CaddyAdmin:
    """A client of one Caddy; close it."""

    def __init__(self, admin_socket: Path) -> None:
        # Caddy closes open connections to its admin API with each change, maybe while the next request is sent.
        connector = aiohttp.UnixConnector(str(admin_socket), force_close=True)
        self._session = aiohttp.ClientSession(base_url=f"http://{ADMIN_HOST}/", connector=connector, timeout=_TIMEOUT)

    async def is_ready(self) -> bool:
        """Whether Caddy answers and serves a configuration."""
        try:
            async with self._session.get("config/apps") as answer:
                return answer.status == 200 and await answer.read() not in (b"", b"null\n")
        except aiohttp.ClientError:
            return False

    async def replace_routes(self, routes: list[dict[str, Any]]) -> None:
        """Put a new list of routes into force, all or nothing, without dropping a request.

        Raises ConfigRefused (the old list stays) and CaddyFailed.
        """
        try:
            async with self._session.patch(ROUTES_PATH, json=routes) as answer:
                if answer.status != 200:
                    raise ConfigRefused(f"Caddy refused the routes: {(await answer.text()).strip()[:500]}")
        except (TimeoutError, aiohttp.ClientError) as error:
            raise CaddyFailed(f"Caddy's admin API does not answer: {type(error).__name__}.") from None

    async def routes(self) -> Any:
        """The list of routes in force."""
        try:
            async with self._session.get(ROUTES_PATH) as answer:
                return await answer.json()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise CaddyFailed(f"Caddy's admin API does not answer: {type(error).__name__}.") from None

    async def metrics(self) -> str:
        """What it measures of itself. Raises CaddyFailed."""
        try:
            async with self._session.get("metrics") as answer:
                return await answer.text()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise CaddyFailed(f"Caddy's admin API does not answer: {type(error).__name__}.") from None

    async def close(self) -> None:
        await self._session.close()

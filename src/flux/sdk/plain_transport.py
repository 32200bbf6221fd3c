"""JSON-RPC to one plain endpoint without aiohttp: what commands start with."""

import asyncio
import http.client
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from flux.sdk.errors import Unreachable
from flux.sdk.http import decode_json
from flux.sdk.json_rpc import JsonRpc
from flux.sdk.plain_http import Connections

SECONDS = 30.0
"""For one request."""
POLL = 0.1
"""Seconds between two questions whether there is a new block."""
BRIEF = 10.0
"""Seconds for which new heads are asked for; who watches longer gets a subscription."""


class PlainTransport(JsonRpc):
    """One chain at an http:// URL. Raises Unreachable when there is no answer and RpcError for an error answer."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._connections: Connections | None = None

    @property
    def url(self) -> str:
        """The endpoint."""
        return self._url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connections is not None:
            self._connections.close()

    async def subscribe(self, *params: object) -> AsyncIterator[Any]:
        """Results of an eth_subscribe subscription until the consumer stops. Raises Unreachable when the line drops.

        New heads are asked for at first: most commands have seen what they wait for before a subscription would stand.
        """
        if params == ("newHeads",):
            async for head in self._brief_heads():
                yield head
        from flux.sdk.transport import HttpTransport

        async with HttpTransport(self._url) as transport:
            async for result in transport.subscribe(*params):
                yield result

    async def _brief_heads(self) -> AsyncIterator[Any]:
        end = time.monotonic() + BRIEF
        seen = await self.request("eth_blockNumber")
        while time.monotonic() < end:
            await asyncio.sleep(POLL)
            number = await self.request("eth_blockNumber")
            if number != seen:
                seen = number
                yield await self.request("eth_getBlockByNumber", number, False)

    async def _post(self, body: object) -> Any:
        try:
            if self._connections is None:
                self._connections = Connections(self._url, SECONDS)
            return decode_json(await self._connections.post(body))
        except TimeoutError as error:
            raise Unreachable(self._url, "no answer in time") from error
        except OSError as error:
            raise Unreachable(self._url, error.strerror or str(error)) from error
        except http.client.HTTPException as error:
            raise Unreachable(self._url, f"what it says is not HTTP: {type(error).__name__}") from error
        except UnicodeError as error:
            raise Unreachable(self._url, "a URL is like http://127.0.0.1:8545") from error
        except ValueError as error:
            reason = "what it says is not JSON: is it a Flux RPC endpoint?" if self._connections else str(error)
            raise Unreachable(self._url, reason) from error

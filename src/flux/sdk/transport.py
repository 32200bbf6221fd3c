"""JSON-RPC over HTTP and WebSocket with one keep-alive session, to an endpoint or the first of several that answers."""

import os
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp

from flux.sdk.errors import Unreachable
from flux.sdk.http import decode_json
from flux.sdk.json_rpc import Call, JsonRpc, request_body, result_of

DEFAULT_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
MANY_CONNECTIONS = 100
FEW_CONNECTIONS = 5
"""Of an agent or ingress: its subscription, and what it asks at the same time."""
SHARED_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=2)
"""Where another endpoint can be asked instead."""
SILENCE = 15.0
"""Seconds without a new block after which another endpoint is asked: even an idle chain makes one in five seconds."""


class Transport(Protocol):
    """How requests reach a chain."""

    @property
    def url(self) -> str: ...
    async def request(self, method: str, *params: object) -> Any: ...
    async def batch(self, calls: Sequence[Call]) -> list[Any]: ...
    def subscribe(self, *params: object) -> AsyncIterator[Any]: ...


class HttpTransport(JsonRpc):
    """One chain. Raises Unreachable when there is no answer and RpcError for an error answer.

    Several endpoints of the chain are written with commas between them; one that does not answer is left for the next,
    and a request may then be made twice.
    """

    def __init__(
        self, url: str, timeout: aiohttp.ClientTimeout | None = None, *, connections: int = MANY_CONNECTIONS
    ) -> None:
        """`connections` are open at a time at the most; whatever a burst opened stays open while there is anything to
        ask, so a process that runs for months asks for few."""
        super().__init__()
        self._urls = tuple(part.strip() for part in url.split(",") if part.strip()) or (url,)
        self._current = 0
        self._timeout = timeout or (DEFAULT_TIMEOUT if len(self._urls) == 1 else SHARED_TIMEOUT)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    @property
    def url(self) -> str:
        """The endpoint that is asked now."""
        return self._urls[self._current]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. What is asked afterwards is Unreachable."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def subscribe(self, *params: object) -> AsyncIterator[Any]:
        """Results of an eth_subscribe subscription until the consumer stops. Raises Unreachable when the line drops.

        With several endpoints it also does when a line stays silent, and the next subscription is made elsewhere.
        """
        url = self.url
        silence = SILENCE if len(self._urls) > 1 and params == ("newHeads",) else None
        try:
            async with self._open().ws_connect(url, heartbeat=10, max_msg_size=64 * 1024 * 1024) as socket:
                await socket.send_json(request_body(0, ("eth_subscribe", params)))
                result_of(decode_json((await socket.receive_str()).encode()))
                while True:
                    message = await socket.receive(silence)
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        break
                    yield decode_json(message.data.encode())["params"]["result"]
        except (aiohttp.ClientError, TimeoutError, OSError, TypeError, ValueError, KeyError) as error:
            self._leave(url)
            raise Unreachable(url, _reason(error)) from error
        self._leave(url)
        raise Unreachable(url, "the subscription ended")

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise Unreachable(self.url, "the client is closed")
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections)
            self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector)
        return self._session

    def _leave(self, url: str) -> None:
        """Ask the next endpoint from now on, unless another task has left this one already."""
        if self.url == url:
            self._current = (self._current + 1) % len(self._urls)

    async def _post(self, body: object) -> Any:
        for _ in self._urls[1:]:
            try:
                return await self._post_to(self.url, body)
            except Unreachable as error:
                self._leave(error.url)
        try:
            return await self._post_to(self.url, body)
        except Unreachable as error:
            self._leave(error.url)
            raise Unreachable(",".join(self._urls), error.reason) from error

    async def _post_to(self, url: str, body: object) -> Any:
        try:
            async with self._open().post(url, json=body) as response:
                return decode_json(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(url, _reason(error)) from error
        except ValueError as error:
            raise Unreachable(url, "what it says is not JSON: is it a Flux RPC endpoint?") from error


def _reason(error: BaseException) -> str:
    """In the system's words; aiohttp's own repeat the address and name the socket calls."""
    if isinstance(error, aiohttp.InvalidURL):
        return "a URL is like http://127.0.0.1:8545"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno)
    return str(error) or type(error).__name__

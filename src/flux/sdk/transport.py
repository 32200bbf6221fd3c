"""JSON-RPC over HTTP and WebSocket with one keep-alive session."""

import json
import os
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp

from flux.sdk.errors import RpcError, Unreachable

DEFAULT_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)


class Transport(Protocol):
    """How requests reach a chain."""

    @property
    def url(self) -> str: ...
    async def request(self, method: str, *params: object) -> Any: ...
    async def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]: ...
    def subscribe(self, *params: object) -> AsyncIterator[Any]: ...


class HttpTransport:
    """One endpoint. Raises Unreachable when there is no answer and RpcError for an error answer."""

    def __init__(self, url: str, timeout: aiohttp.ClientTimeout = DEFAULT_TIMEOUT) -> None:
        self.url = url
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._next_id = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(self, method: str, *params: object) -> Any:
        """One call and its result."""
        self._next_id += 1
        answer = await self._post({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        return _result(answer)

    async def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Many calls in one request; results in order. Raises the first error."""
        if not calls:
            return []
        first = self._next_id + 1
        self._next_id += len(calls)
        body = [
            {"jsonrpc": "2.0", "id": first + index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
        answers = await self._post(body)
        if isinstance(answers, dict):
            _result(answers)
            raise RpcError(-32603, f"{self.url} answered a batch with a single object")
        by_id = {answer.get("id"): answer for answer in answers}
        return [_result(by_id.get(first + index)) for index in range(len(calls))]

    async def subscribe(self, *params: object) -> AsyncIterator[Any]:
        """Results of an eth_subscribe subscription until the consumer stops. Raises Unreachable when the line drops."""
        try:
            async with self._open().ws_connect(self.url, heartbeat=10, max_msg_size=64 * 1024 * 1024) as socket:
                await socket.send_json({"jsonrpc": "2.0", "id": 0, "method": "eth_subscribe", "params": params})
                _result(json.loads(await socket.receive_str()))
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        yield json.loads(message.data)["params"]["result"]
        except (aiohttp.ClientError, TimeoutError, OSError, TypeError) as error:
            raise Unreachable(self.url, _reason(error)) from error
        raise Unreachable(self.url, "the subscription ended")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self._session

    async def _post(self, body: object) -> Any:
        try:
            async with self._open().post(self.url, json=body) as response:
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(self.url, _reason(error)) from error
        except ValueError as error:
            raise Unreachable(self.url, "what it says is not JSON: is it a Flux RPC endpoint?") from error


def _reason(error: BaseException) -> str:
    """In the system's words; aiohttp's own repeat the address and name the socket calls."""
    if isinstance(error, aiohttp.InvalidURL):
        return "a URL is like http://127.0.0.1:8545"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno)
    return str(error) or type(error).__name__


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict):
        raise RpcError(-32603, "the endpoint left a request without an answer")
    if (error := answer.get("error")) is not None:
        raise RpcError(int(error.get("code", -32603)), str(error.get("message", "unknown error")), error.get("data"))
    return answer.get("result")

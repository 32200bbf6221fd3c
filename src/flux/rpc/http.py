"""JSON-RPC over HTTP: POST a request, GET the node's health; readable from browsers of any origin."""

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus

import msgspec

from flux.rpc.dispatch import Dispatcher
from flux.rpc.errors import INVALID_REQUEST, RpcError
from flux.rpc.format import Json
from flux.rpc.websocket import Message, Receive, Send

Header = tuple[bytes, bytes]

_encode = msgspec.json.Encoder().encode
_JSON: Header = (b"content-type", b"application/json")
_ORIGIN: Header = (b"access-control-allow-origin", b"*")
_PREFLIGHT: tuple[Header, ...] = (
    _ORIGIN,
    (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"86400"),
)


class Refused(Exception):
    """A request that is answered by its HTTP status."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class ClientGone(Exception):
    """The client hung up before its request was whole."""


class HttpEndpoint:
    """Answers HTTP requests."""

    def __init__(self, dispatcher: Dispatcher, health: Callable[[], Json]) -> None:
        """`health` answers GET, with a member `healthy`."""
        self._dispatcher = dispatcher
        self._health = health

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            match scope["method"]:
                case "POST":
                    body = await self._body(scope["headers"], receive)
                    await _respond(send, HTTPStatus.OK, await self._dispatcher.handle(body))
                case "GET" | "HEAD":
                    await self._status(scope, send)
                case "OPTIONS":
                    await _respond(send, HTTPStatus.NO_CONTENT, b"", _PREFLIGHT)
                case _:
                    raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "POST a JSON-RPC request, or GET / for health")
        except Refused as error:
            failure = RpcError(INVALID_REQUEST, str(error)).to_json()
            body = _encode({"jsonrpc": "2.0", "id": None, "error": failure})
            await _respond(send, error.status, body, (_JSON, _ORIGIN, (b"connection", b"close")))
        except ClientGone:
            return

    async def _status(self, scope: Message, send: Send) -> None:
        if scope["path"] not in ("/", "/healthz"):
            raise Refused(HTTPStatus.NOT_FOUND, "POST JSON-RPC to /, or GET / for health")
        state = self._health()
        status = HTTPStatus.OK if state["healthy"] else HTTPStatus.SERVICE_UNAVAILABLE
        await _respond(send, status, b"" if scope["method"] == "HEAD" else _encode(state))

    async def _body(self, headers: Iterable[Header], receive: Receive) -> bytes:
        limit, seconds = self._dispatcher.limits.body, self._dispatcher.limits.body_seconds
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and int(value) > limit:
                raise _too_large(limit)
            if name == b"content-encoding" and value != b"identity":
                raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the request uncompressed")
        try:
            async with asyncio.timeout(seconds):
                return await _read(receive, limit)
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, f"no whole request came in {seconds} s") from None


async def _read(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        if len(whole) > limit:
            raise _too_large(limit)
        return whole
    parts: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise ClientGone


async def _respond(send: Send, status: HTTPStatus, body: bytes, headers: Iterable[Header] = (_JSON, _ORIGIN)) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status.value, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _too_large(limit: int) -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"content length too large: at most {limit} bytes")

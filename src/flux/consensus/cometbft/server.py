"""The ABCI socket: CometBFT connects four times (query, snapshot, mempool, consensus) and expects answers in order.

What is quick is answered in the event loop, at once; everything else runs in a thread, one call of a connection after
the other. Whatever is not ABCI is refused with a line in the log, and nothing else notices.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import structlog
from google.protobuf.message import DecodeError

from flux.consensus.cometbft.frames import BadFrame, FrameBuffer, frame
from flux.consensus.cometbft.messages.tendermint.abci.types_pb2 import Request, Response, ResponseException

log = structlog.get_logger(__name__)
MAX_CONNECTIONS = 16
"""CometBFT uses four; those of a node that is being replaced may linger."""
_FLUSHED = frame(Response(flush={}).SerializeToString())

Quick = Callable[[Request], Response]
Slow = Callable[[Request], Awaitable[Response]]


class Calls:
    """What the server answers with."""

    __slots__ = ("quick", "slow")

    def __init__(self, quick: dict[str, Quick], slow: dict[str, Slow]) -> None:
        """Both by the name of the request's field, as `init_chain`."""
        self.quick = quick
        self.slow = slow


class _Connection(asyncio.Protocol):
    def __init__(self, calls: Calls, limit: int, connections: "set[_Connection]") -> None:
        self._calls = calls
        self._frames = FrameBuffer(limit)
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._running: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._refuse("too many connections")
            return
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._frames.feed(data)
        if self._running is None:
            self._advance()
        elif self._transport is not None:
            # Nobody asks on before the answer, but for the flush; more than that waits in the socket.
            self._transport.pause_reading()

    def close(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _advance(self) -> None:
        """Answer what has arrived, up to the first call that takes its time."""
        written: list[bytes] = []
        try:
            while self._transport is not None and (message := self._frames.take()) is not None:
                request = Request.FromString(message)
                kind = request.WhichOneof("value") or ""
                if kind == "flush":
                    written.append(_FLUSHED)
                elif (quick := self._calls.quick.get(kind)) is not None:
                    written.append(frame(quick(request).SerializeToString()))
                elif (slow := self._calls.slow.get(kind)) is not None:
                    self._running = asyncio.ensure_future(self._answer(slow(request)))
                    self._running.add_done_callback(self._answered)
                    break
                else:
                    raise BadFrame("a message that is no request of ABCI 2.0")
        except (BadFrame, DecodeError) as error:
            self._refuse(str(error))
            return
        if written and self._transport is not None:
            self._transport.write(b"".join(written))

    async def _answer(self, answer: Awaitable[Response]) -> None:
        try:
            response = await answer
        except Exception as error:
            # Told to CometBFT, which then stops; raised to whoever runs the engine.
            response = Response(exception=ResponseException(error=f"{type(error).__name__}: {error}"))
            if self._transport is not None:
                self._transport.write(frame(response.SerializeToString()))
                self._transport.close()
            raise
        if self._transport is not None:
            self._transport.write(frame(response.SerializeToString()))

    def _answered(self, done: "asyncio.Task[None]") -> None:
        self._running = None
        if done.cancelled() or done.exception() is not None:
            return
        if self._transport is not None:
            self._transport.resume_reading()
            self._advance()

    def _refuse(self, reason: str) -> None:
        log.warning("ABCI connection refused", reason=reason)
        self.close()


@asynccontextmanager
async def serve_abci(calls: Calls, address: "Path | tuple[str, int]", limit: int) -> AsyncIterator[None]:
    """Listen while the context lasts, on a unix socket or (host, port). `limit`: most bytes of one message."""
    connections: set[_Connection] = set()
    loop = asyncio.get_running_loop()

    def connect() -> _Connection:
        return _Connection(calls, limit, connections)

    if isinstance(address, Path):
        server: asyncio.Server = await loop.create_unix_server(connect, sock=_unix_listener(address))
    else:
        server = await loop.create_server(connect, *address)
    try:
        yield
    finally:
        server.close()
        for connection in tuple(connections):
            connection.close()
        await server.wait_closed()
        if isinstance(address, Path):
            with suppress(FileNotFoundError):
                address.unlink()


def _unix_listener(path: Path) -> socket.socket:
    """A socket only for this user. Bound through its folder, because a socket's own path may have 107 bytes at most."""
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
        os.close(folder)
    return listener

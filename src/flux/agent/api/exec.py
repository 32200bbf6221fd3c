"""`exec` for the app's owner: a WebSocket on one end, a command in a container on the other. See `sdk.exec_session`.

Who began and ended a session, where and for how long is logged; what was run and said in it is not.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import structlog
from aiohttp import WSMsgType, web

from flux.contracts.market.types import LeaseId
from flux.primitives.address import to_text
from flux.primitives.types import Address
from flux.runtime.errors import RuntimeFailure
from flux.runtime.port import ContainerRuntime, ExecSession
from flux.runtime.types import ContainerId, LogStream, TerminalSize
from flux.sdk.exec_session import (
    CHUNK,
    LARGEST_MESSAGE,
    WINDOW,
    Channel,
    End,
    Start,
    Window,
    keep_alive,
    message,
)

log = structlog.get_logger(__name__)
SIGNALS = frozenset(
    (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
)
MAX_ARGUMENTS = 256
MAX_WINDOW = 4096
"""Columns or rows of a terminal."""
_START_SECONDS = 10
"""How long the first message may take."""


@dataclass(frozen=True, slots=True)
class ExecLimits:
    """What sessions may take of a node."""

    per_lease: int = 4
    per_node: int = 32
    idle_seconds: float = 1800
    """Without a byte in either direction."""
    total_seconds: float = 8 * 3600
    parting_seconds: float = 30
    """For a client to take what was written when its session ended; it is cut off then."""


class Hangup(Exception):
    """The session ends before its command; the sentence is for the client, and empty when it has gone."""


@dataclass(slots=True)
class _Traffic:
    """What passed, and when last."""

    clock: Callable[[], float]
    received: int = 0
    sent: int = 0
    last_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.last_at = self.clock()

    def count(self, *, received: int = 0, sent: int = 0) -> None:
        self.received += received
        self.sent += sent
        self.last_at = self.clock()


class _Inbox:
    """Input that the command has not taken yet, at most a window of it."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Empty data is the end. Raises Hangup for more than was allowed."""
        if self._ended or len(self._data) + len(data) > WINDOW:
            raise Hangup("more input was sent than the session takes")
        self._data += data
        self._ended = not data
        self._changed.set()

    async def take(self) -> bytes:
        """What waits, a chunk at most; empty at the end."""
        while not self._data and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        chunk = bytes(self._data[:CHUNK])
        del self._data[:CHUNK]
        return chunk


class ExecApi:
    """Sessions of one node."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        limits: ExecLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._limits = limits or ExecLimits()
        self._clock = clock
        self._open: dict[LeaseId, int] = {}

    def find_refusal(self, lease: LeaseId) -> str:
        """Why no session can be opened for the lease now; empty when one can."""
        if self._open.get(lease, 0) >= self._limits.per_lease:
            return f"{self._limits.per_lease} sessions are open on this instance: end one"
        if sum(self._open.values()) >= self._limits.per_node:
            return f"{self._limits.per_node} sessions are open on this node: try again later"
        return ""

    async def serve(
        self, request: web.Request, lease: LeaseId, caller: Address, component: str, container: ContainerId
    ) -> web.WebSocketResponse:
        """One session from its request to its end. `find_refusal` was asked before, without waiting in between."""
        self._open[lease] = self._open.get(lease, 0) + 1
        websocket = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE, compress=False, timeout=2)
        facts = log.bind(lease=lease, component=component, container=container[:12], account=to_text(caller))
        traffic = _Traffic(self._clock)
        begun = self._clock()
        end = End(error="the agent failed")
        try:
            await websocket.prepare(request)
            keep_alive(None if request.transport is None else request.transport.get_extra_info("socket"))
            end = await self._answer(websocket, container, traffic, facts)
        except asyncio.CancelledError:
            end = End(error="the agent stops")
            raise
        finally:
            facts.info(
                "exec ended",
                exit_code=None if end.error else end.exit_code,
                reason=end.error,
                seconds=round(self._clock() - begun, 3),
                bytes_in=traffic.received,
                bytes_out=traffic.sent,
            )
            try:
                await self._part(websocket, request, end)
            finally:
                self._close(lease)
        return websocket

    async def _part(self, websocket: web.WebSocketResponse, request: web.Request, end: End) -> None:
        """Say how it ended. Who does not read would hold the connection for ever, and is cut off."""
        has_taken = False
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.parting_seconds):
                    with suppress(ConnectionError, RuntimeError):
                        await websocket.send_bytes(message(Channel.END, msgspec.json.encode(end)))
                    await websocket.close()
                    has_taken = True
        finally:
            if not has_taken and request.transport is not None:
                request.transport.abort()

    def _close(self, lease: LeaseId) -> None:
        self._open[lease] -= 1
        if not self._open[lease]:
            del self._open[lease]

    async def _answer(
        self, websocket: web.WebSocketResponse, container: ContainerId, traffic: _Traffic, facts: structlog.BoundLogger
    ) -> End:
        try:
            start = await _read_start(websocket)
            terminal = TerminalSize(start.columns, start.rows) if start.terminal else None
            facts.info("exec began", terminal=start.terminal)
            async with self._runtime.open_exec(container, start.argv, terminal=terminal) as session:
                return End(await self._talk(websocket, session, traffic))
        except Hangup as hangup:
            return End(error=str(hangup) or "the client went away")
        except RuntimeFailure as error:
            return End(error=str(error))

    async def _talk(self, websocket: web.WebSocketResponse, session: ExecSession, traffic: _Traffic) -> int:
        """Until the command has ended; its exit code. Raises Hangup."""
        inbox = _Inbox()
        others = (
            asyncio.create_task(_hear(websocket, session, inbox, traffic)),
            asyncio.create_task(_feed(websocket, session, inbox)),
            asyncio.create_task(self._watch(traffic)),
        )
        command = asyncio.create_task(_tell(websocket, session, traffic))
        tasks = (command, *others)
        try:
            # Input may end before the command, and an exception anywhere ends all.
            while not command.done():
                done, _ = await asyncio.wait(
                    [task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
            return command.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, traffic: _Traffic) -> None:
        """Raises Hangup when a bound is reached."""
        end = self._clock() + self._limits.total_seconds
        while (now := self._clock()) < end:
            idle_end = traffic.last_at + self._limits.idle_seconds
            if now >= idle_end:
                raise Hangup(f"nothing was said for {self._limits.idle_seconds:g} s")
            await asyncio.sleep(min(end, idle_end) - now)
        raise Hangup(f"a session lasts {self._limits.total_seconds:g} s at most")


async def _read_start(websocket: web.WebSocketResponse) -> Start:
    try:
        async with asyncio.timeout(_START_SECONDS):
            received = await websocket.receive()
    except TimeoutError as error:
        raise Hangup("the message that says what to run did not come") from error
    if received.type is not WSMsgType.TEXT:
        raise Hangup("the first message must be text and say what to run")
    try:
        start = msgspec.json.decode(received.data, type=Start)
    except msgspec.DecodeError as error:
        raise Hangup(f"the first message cannot be read: {error}") from error
    if (
        not start.argv
        or not start.argv[0]
        or len(start.argv) > MAX_ARGUMENTS
        or any("\0" in part for part in start.argv)
    ):
        raise Hangup(f"a command has a program and less than {MAX_ARGUMENTS} arguments, without NUL bytes")
    _check_window(start.columns, start.rows)
    return start


def _check_window(columns: int, rows: int) -> None:
    if not (1 <= columns <= MAX_WINDOW and 1 <= rows <= MAX_WINDOW):
        raise Hangup(f"a terminal has 1 to {MAX_WINDOW} columns and rows")


async def _tell(websocket: web.WebSocketResponse, session: ExecSession, traffic: _Traffic) -> int:
    """Output to the client, as fast as it reads; then the exit code."""
    try:
        while (piece := await session.read()) is not None:
            channel = Channel.ERRORS if piece.stream is LogStream.ERR else Channel.OUTPUT
            for start in range(0, len(piece.data), CHUNK):
                await websocket.send_bytes(message(channel, piece.data[start : start + CHUNK]))
            traffic.count(sent=len(piece.data))
    except ConnectionError as error:
        raise Hangup from error
    return await session.wait()


async def _hear(websocket: web.WebSocketResponse, session: ExecSession, inbox: _Inbox, traffic: _Traffic) -> None:
    """What the client says; input waits in the inbox. Raises Hangup when it goes away or says nonsense."""
    while True:
        received = await websocket.receive()
        if received.type is not WSMsgType.BINARY or not received.data:
            raise Hangup
        channel, payload = received.data[0], received.data[1:]
        traffic.count(received=len(payload) if channel == Channel.INPUT else 0)
        if channel == Channel.INPUT:
            inbox.put(payload)
        elif channel == Channel.WINDOW:
            await session.resize(_read_window(payload))
        elif channel == Channel.SIGNAL and len(payload) == 1 and payload[0] in SIGNALS:
            await session.signal(payload[0])
        else:
            raise Hangup(f"a message of channel {channel} cannot be understood")


def _read_window(payload: bytes) -> TerminalSize:
    try:
        window = msgspec.json.decode(payload, type=Window)
    except msgspec.DecodeError as error:
        raise Hangup(f"the size of the terminal cannot be read: {error}") from error
    _check_window(window.columns, window.rows)
    return TerminalSize(window.columns, window.rows)


async def _feed(websocket: web.WebSocketResponse, session: ExecSession, inbox: _Inbox) -> None:
    """Input to the command, as fast as it takes it; the client is told, and may send as much again."""
    try:
        while data := await inbox.take():
            await session.write(data)
            await websocket.send_bytes(message(Channel.TAKEN, len(data).to_bytes(4, "big")))
        await session.close_input()
    except ConnectionError as error:
        raise Hangup from error

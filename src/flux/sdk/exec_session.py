"""`exec` over a WebSocket of a node's API: the messages, and the client's end.

The first message is text: what to run. All others are binary, a channel's number and what it carries:

| channel | from | carries |
|---|---|---|
| 0 | client | input; empty means its end |
| 1, 2 | agent | output, errors |
| 3 | agent | JSON, once, as the last: exit_code, or error |
| 4 | client | JSON: columns and rows of the terminal |
| 5 | client | the number of a signal |
| 6 | agent | four bytes, big-endian: input that the command has taken |

The client keeps no more than WINDOW bytes of input on the way, so that windows and signals get through to a command
that does not read.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum

import aiohttp
import msgspec

from flux.sdk.errors import AgentUnreachable, ClientError

WINDOW = 512 * 1024
CHUNK = 32 * 1024
"""Bytes of input or output in one message, at most."""
LARGEST_MESSAGE = 128 * 1024
REASON_HEADER = "Flux-Reason"
"""Why the upgrade was refused: WebSocket clients do not read the body."""
_DEAD_AFTER = ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


class Channel(IntEnum):
    """First byte of a message."""

    INPUT = 0
    OUTPUT = 1
    ERRORS = 2
    END = 3
    WINDOW = 4
    SIGNAL = 5
    TAKEN = 6


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to run."""

    argv: tuple[str, ...]
    terminal: bool = False
    columns: int = 80
    rows: int = 24


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size of the client's terminal."""

    columns: int
    rows: int


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """How it ended: the command by itself, or the session for a reason."""

    exit_code: int = -1
    error: str = ""


class SessionRefused(ClientError):
    """The node took no session; `status` as of HTTP."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class SessionEnded(ClientError):
    """The node ended the session before the command did."""


def message(channel: Channel, payload: bytes = b"") -> bytes:
    """One binary message."""
    return bytes([channel]) + payload


def keep_alive(link: socket.socket | None) -> None:
    """Have the kernel notice a peer that is gone, also while nobody has anything to say."""
    if link is None or link.family not in (socket.AF_INET, socket.AF_INET6):
        return
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _DEAD_AFTER:
        link.setsockopt(socket.IPPROTO_TCP, option, value)


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of output."""

    is_error: bool
    data: bytes


class ExecClient:
    """The client's end of one session."""

    def __init__(self, url: str, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._url = url
        self._socket = websocket
        self._room = WINDOW
        self._more_room = asyncio.Event()
        self.exit_code: int | None = None
        """Known when `output` has ended."""

    async def output(self) -> AsyncIterator[Output]:
        """What the command writes, until it ends. Raises Unreachable, SessionEnded."""
        async for received in self._socket:
            if received.type is not aiohttp.WSMsgType.BINARY or not received.data:
                break
            channel, payload = received.data[0], received.data[1:]
            if channel in (Channel.OUTPUT, Channel.ERRORS):
                yield Output(channel == Channel.ERRORS, payload)
            elif channel == Channel.TAKEN:
                self._room += int.from_bytes(payload, "big")
                self._more_room.set()
            elif channel == Channel.END:
                self._end(payload)
                return
        raise AgentUnreachable(self._url, "the connection was lost")

    async def write(self, data: bytes) -> None:
        """Input; returns when it is on its way. Lost when the command has ended."""
        for start in range(0, len(data), CHUNK):
            piece = data[start : start + CHUNK]
            while self._room < len(piece):
                self._more_room.clear()
                await self._more_room.wait()
            self._room -= len(piece)
            await self._send(message(Channel.INPUT, piece))

    async def close_input(self) -> None:
        """The end of the input."""
        await self._send(message(Channel.INPUT))

    async def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size."""
        await self._send(message(Channel.WINDOW, msgspec.json.encode(Window(columns, rows))))

    async def signal(self, number: int) -> None:
        """Pass a signal on."""
        await self._send(message(Channel.SIGNAL, bytes([number])))

    async def _send(self, data: bytes) -> None:
        try:
            await self._socket.send_bytes(data)
        except (aiohttp.ClientError, OSError):
            return  # what is read says why

    def _end(self, payload: bytes) -> None:
        try:
            end = msgspec.json.decode(payload, type=End)
        except msgspec.DecodeError as error:
            raise AgentUnreachable(self._url, "it ended the session in words that are not known") from error
        if end.error:
            raise SessionEnded(f"the node ended the session: {end.error}")
        self.exit_code = end.exit_code


@asynccontextmanager
async def open_session(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], pin: aiohttp.Fingerprint, start: Start
) -> AsyncIterator[ExecClient]:
    """A session on a node. Raises Unreachable, and SessionRefused with the node's status and reason."""
    try:
        websocket = await session.ws_connect(url, headers=headers, ssl=pin, max_msg_size=LARGEST_MESSAGE)
    except aiohttp.WSServerHandshakeError as error:
        reason = error.message if error.headers is None else error.headers.get(REASON_HEADER, error.message)
        raise SessionRefused(error.status, reason) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise AgentUnreachable(url, str(error) or type(error).__name__) from error
    async with websocket:
        keep_alive(websocket.get_extra_info("socket"))
        await websocket.send_str(msgspec.json.encode(start).decode())
        yield ExecClient(url, websocket)

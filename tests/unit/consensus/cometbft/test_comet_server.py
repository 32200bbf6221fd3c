"""The ABCI socket with hostile and with ordinary clients."""

import asyncio
import os
import random
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import structlog

from flux.consensus.cometbft.frames import frame
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.consensus.cometbft.server import MAX_CONNECTIONS, Calls, serve_abci
from flux.services.ports import free_port

LIMIT = 10_000


class Peer:
    """A client that speaks frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *requests: abci.Request) -> None:
        self.writer.write(b"".join(frame(request.SerializeToString()) for request in requests))

    async def answer(self) -> abci.Response:
        async with asyncio.timeout(10):
            size = (await self.reader.readexactly(1))[0]
            assert size < 0x80, "tests use short messages"
            return abci.Response.FromString(await self.reader.readexactly(size))

    async def is_closed(self) -> bool:
        async with asyncio.timeout(10):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


def echo(text: str) -> abci.Request:
    return abci.Request(echo=abci.RequestEcho(message=text))


FLUSH = abci.Request(flush=abci.RequestFlush())
COMMIT = abci.Request(commit=abci.RequestCommit())


@asynccontextmanager
async def server(
    address: Path, gate: asyncio.Event | None = None, error: Exception | None = None
) -> AsyncIterator[None]:
    async def commit(request: abci.Request) -> abci.Response:
        if gate is not None:
            await gate.wait()
        if error is not None:
            raise error
        return abci.Response(commit=abci.ResponseCommit(retain_height=7))

    calls = Calls(
        quick={"echo": lambda request: abci.Response(echo=abci.ResponseEcho(message=request.echo.message))},
        slow={"commit": commit},
    )
    async with serve_abci(calls, address, LIMIT):
        yield


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "abci.sock"


_opened: list[Peer] = []


@pytest.fixture(autouse=True)
async def closed_peers() -> AsyncIterator[None]:
    yield
    for peer in _opened:
        peer.writer.close()
        with suppress(ConnectionError):
            await peer.writer.wait_closed()
    _opened.clear()


async def connect(socket: Path) -> Peer:
    _opened.append(Peer(*await asyncio.open_unix_connection(str(socket))))
    return _opened[-1]


async def test_answers_come_in_the_order_of_the_requests(socket: Path) -> None:
    gate = asyncio.Event()
    async with server(socket, gate):
        peer = await connect(socket)
        peer.send(echo("a"), FLUSH, COMMIT, FLUSH, echo("b"))
        assert (await peer.answer()).echo.message == "a"
        assert (await peer.answer()).HasField("flush")
        gate.set()
        assert (await peer.answer()).commit.retain_height == 7
        assert (await peer.answer()).HasField("flush")
        assert (await peer.answer()).echo.message == "b"


async def test_a_slow_call_of_one_connection_holds_back_no_other(socket: Path) -> None:
    gate = asyncio.Event()
    async with server(socket, gate):
        slow, quick = await connect(socket), await connect(socket)
        slow.send(COMMIT)
        quick.send(echo("now"))
        assert (await quick.answer()).echo.message == "now"
        gate.set()
        assert (await slow.answer()).HasField("commit")


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10, ""),
        (b"\xff" * 20, "too many bytes"),
        (b"\xff\xff\xff\xff\x01", "was announced"),
        (b"\x05\xff\xff\xff\xff\xff", ""),
        (b"\x00", "no request"),
        (frame(b"\xa2\x06\x00"), "no request"),
        (frame(random.Random(5).randbytes(300)), ""),
    ],
)
async def test_garbage_ends_its_own_connection_with_a_line_in_the_log_and_harms_no_other(
    socket: Path, garbage: bytes, reason: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with server(socket):
            honest, hostile = await connect(socket), await connect(socket)
            hostile.writer.write(garbage + b"\xff" * 20)
            assert await hostile.is_closed()
            honest.send(echo("still here"))
            assert (await honest.answer()).echo.message == "still here"
            later = await connect(socket)
            later.send(echo("too"))
            assert (await later.answer()).echo.message == "too"
    refused = [entry for entry in logs if entry["event"] == "ABCI connection refused"]
    assert len(refused) == 1
    assert reason in refused[0]["reason"]


async def test_an_oversized_frame_is_refused_before_its_bytes_arrive(socket: Path) -> None:
    async with server(socket):
        peer = await connect(socket)
        peer.writer.write(frame(bytes(LIMIT + 1))[:10])
        assert await peer.is_closed()


async def test_more_connections_than_any_node_opens_are_refused(socket: Path) -> None:
    async with server(socket):
        peers = [await connect(socket) for _ in range(MAX_CONNECTIONS)]
        for peer in peers:
            peer.send(echo("x"))
            await peer.answer()
        assert await (await connect(socket)).is_closed()
        peers[0].send(echo("y"))
        assert (await peers[0].answer()).echo.message == "y"


async def test_what_a_call_raises_is_told_and_ends_the_connection(socket: Path) -> None:
    async with server(socket, error=ValueError("no such block")):
        peer = await connect(socket)
        peer.send(COMMIT)
        assert "no such block" in (await peer.answer()).exception.error
        assert await peer.is_closed()


async def test_the_socket_is_its_owners_alone_and_goes_with_the_server(socket: Path) -> None:
    async with server(socket):
        assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
    assert socket.name not in os.listdir(socket.parent)


async def test_a_path_longer_than_a_sockets_address_and_a_stale_socket_are_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    (folder / "abci.sock").touch()
    async with server(folder / "abci.sock"):
        assert stat.S_ISSOCK((folder / "abci.sock").stat().st_mode)


async def test_it_serves_on_tcp_too() -> None:
    port = free_port()
    calls = Calls(quick={"echo": lambda request: abci.Response(echo=abci.ResponseEcho(message="tcp"))}, slow={})
    async with serve_abci(calls, ("127.0.0.1", port), LIMIT):
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        _opened.append(peer)
        peer.send(echo(""))
        assert (await peer.answer()).echo.message == "tcp"

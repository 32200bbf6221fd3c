"""A client that costs little: prepared HTTP requests over keep-alive connections, one under way on each.

One thread and epoll, no HTTP library: what is measured is the server, on a machine that both share.
"""

import selectors
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

_CHUNK = 1 << 18
_HEADERS_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_CHUNKED = b"transfer-encoding: chunked"
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_TIMEOUT = 60.0


class BadAnswer(Exception):
    """The server's answer is not a JSON-RPC result."""


@dataclass(slots=True)
class _Connection:
    channel: socket.socket
    requests: Iterator[bytes]
    received: bytearray
    expected: int = 0
    """Bytes of the whole response, once its headers are there."""


class HttpLoad:
    """Connections to one server; a context manager."""

    def __init__(self, port: int, connections: int) -> None:
        self._channels: list[socket.socket] = []
        for _ in range(connections):
            self.connect(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels:
            channel.close()

    def connect(self, port: int) -> None:
        """One more connection, maybe to another server."""
        channel = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._channels.append(channel)

    def run(self, queues: Sequence[Sequence[bytes]]) -> list[bytes]:
        """Send each connection's queue, the next request when the last is answered; all bodies, in no order.

        Raises BadAnswer when a status is not 200, TimeoutError when nothing comes for a minute.
        """
        bodies: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            for channel, queue in zip(self._channels, queues, strict=True):
                connection = _Connection(channel, iter(queue), bytearray())
                if _send_next(connection):
                    selector.register(channel, selectors.EVENT_READ, connection)
            while selector.get_map():
                ready = selector.select(_TIMEOUT)
                if not ready:
                    raise TimeoutError(f"the server did not answer for {_TIMEOUT:g} s")
                for key, _ in ready:
                    connection = key.data
                    body = _receive(connection)
                    if body is not None:
                        bodies.append(body)
                        if not _send_next(connection):
                            selector.unregister(connection.channel)
        return bodies

    def ask(self, payload: object) -> object:
        """The decoded answer to one request or batch, over the first connection."""
        connection = _Connection(self._channels[0], iter((post(msgspec.json.encode(payload)),)), bytearray())
        _send_next(connection)
        while (body := _receive(connection)) is None:
            pass
        return msgspec.json.decode(body)


def post(body: bytes) -> bytes:
    """A request, ready to be sent."""
    return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def request(method: str, *params: object, id: int = 1) -> dict[str, object]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def check_accepted(bodies: Sequence[bytes]) -> None:
    """Raise BadAnswer when any of the answers, or anything in a batch's answer, is an error."""
    for body in bodies:
        if b'"error"' in body:
            raise BadAnswer(body[:300].decode("utf-8", "replace"))


def _send_next(connection: _Connection) -> bool:
    request = next(connection.requests, None)
    if request is None:
        return False
    connection.channel.sendall(request)
    return True


def _receive(connection: _Connection) -> bytes | None:
    """The body of the response once all of it is there."""
    chunk = connection.channel.recv(_CHUNK)
    if not chunk:
        raise BadAnswer("the server closed the connection")
    received = connection.received
    received += chunk
    if not connection.expected:
        end = received.find(_HEADERS_END)
        if end < 0:
            return None
        headers = bytes(received[:end])
        if _CHUNKED in headers.lower():
            # Only the end is looked for: nobody here sends the next answer before it is asked.
            return _join(connection) if received.endswith(_LAST_CHUNK) else None
        connection.expected = end + len(_HEADERS_END) + _body_length(headers)
    if len(received) < connection.expected:
        return None
    body = bytes(received[received.find(_HEADERS_END) + len(_HEADERS_END) :])
    connection.received, connection.expected = bytearray(), 0
    return body


def _join(connection: _Connection) -> bytes:
    """The body of a response in chunks, all of it there."""
    _, _, rest = bytes(connection.received).partition(_HEADERS_END)
    connection.received = bytearray()
    parts: list[bytes] = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return b"".join(parts)
        parts.append(rest[:length])
        rest = rest[length + 2 :]


def _body_length(headers: bytes) -> int:
    if not headers.startswith(b"HTTP/1.1 200"):
        raise BadAnswer(headers.split(b"\r\n", 1)[0].decode("latin-1"))
    for line in headers.lower().split(b"\r\n"):
        if line.startswith(_LENGTH):
            return int(line[len(_LENGTH) :])
    raise BadAnswer("a response without a length")

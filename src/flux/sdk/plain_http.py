"""HTTP by the standard library, each request in a thread: for commands, which ask a few things and end.

Importing aiohttp takes a command longer than all that it asks. Threads are daemons, so that one whose peer is silent
does not hold up the end of the process.
"""

import asyncio
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from email.message import Message
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
CONNECT_SECONDS = 5.0
MAX_CONNECTIONS = 32
"""At a time, each with a thread."""
MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Message
    body: bytes


async def fetch(url: str, headers: Mapping[str, str], limit: int, seconds: float) -> Answer:
    """GET, redirects followed without the Authorization header; of the body at most `limit` bytes.

    Raises OSError (TimeoutError among them), http.client.HTTPException.
    """
    async with asyncio.timeout(seconds):
        return await in_thread(lambda: _fetch(url, headers, limit, seconds))


class Connections:
    """Kept connections to one http:// URL, to which JSON is posted. Not for two event loops."""

    def __init__(self, url: str, seconds: float) -> None:
        """Raises ValueError for what is no such URL."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a URL is like http://127.0.0.1:8545")
        self._host, self._port = parts.hostname, parts.port or 80
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._seconds = seconds
        self._idle: list[http.client.HTTPConnection] = []
        self._made: set[http.client.HTTPConnection] = set()
        self._is_closed = False
        self._gate = asyncio.Semaphore(MAX_CONNECTIONS)

    async def post(self, document: object) -> bytes:
        """The body of the answer. Raises OSError (TimeoutError among them), http.client.HTTPException."""
        body = json.dumps(document, separators=(",", ":")).encode()
        async with asyncio.timeout(self._seconds), self._gate:
            while self._idle:
                try:
                    return await self._post(self._idle.pop(), body)
                except (ConnectionError, http.client.RemoteDisconnected):
                    continue  # the server had closed it while it was idle
            return await self._post(None, body)

    async def _post(self, kept: http.client.HTTPConnection | None, body: bytes) -> bytes:
        connection, answer = await in_thread(lambda: self._exchange(kept, body))
        self._idle.append(connection)
        return answer

    def _exchange(
        self, kept: http.client.HTTPConnection | None, body: bytes
    ) -> tuple[http.client.HTTPConnection, bytes]:
        connection = kept or self._connect()
        try:
            connection.request("POST", self._target, body, {"Content-Type": "application/json"})
            return connection, connection.getresponse().read()
        except BaseException:
            self._discard(connection)
            raise

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        connection.connect()
        connection.sock.settimeout(self._seconds)
        self._made.add(connection)
        if self._is_closed:
            self._discard(connection)
            raise ConnectionAbortedError("the command has ended")
        return connection

    def _discard(self, connection: http.client.HTTPConnection) -> None:
        self._made.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close all, also those whose request was cancelled and is under way."""
        self._is_closed = True
        self._idle.clear()
        for connection in list(self._made):
            self._discard(connection)


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises. Whoever is cancelled leaves it to end by itself."""
    outcome: Future[T] = Future()

    def run() -> None:
        outcome.set_running_or_notify_cancel()
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS


def _fetch(url: str, headers: Mapping[str, str], limit: int, seconds: float) -> Answer:
    request = urllib.request.Request(url)
    for name, value in headers.items():
        request.add_unredirected_header(name, value) if name == "Authorization" else request.add_header(name, value)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _Redirects,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    try:
        response = opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        response = error
    except urllib.error.URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else error from error
    with response:
        return Answer(response.status, response.headers, response.read(limit))

"""Requests at a steady pace, each remembered with its beginning, its end and who answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import msgspec
from tools.errors import ToolError

PACE = 0.02
"""Seconds between two requests."""
INSTANCES = 3
"""Of the service that all orchestrators run."""
PATIENCE = 10.0
"""Seconds after which a request without an answer has failed."""


@dataclass(slots=True)
class Request:
    """One request."""

    began: float
    """Monotonic seconds, as all moments here."""
    ended: float | None = None
    answerer: str | None = None
    """Who answered 200; None while nobody did."""
    failure: str = ""


@dataclass(slots=True)
class Load:
    """All requests so far."""

    requests: list[Request] = field(default_factory=list)
    first_at: dict[str, float] = field(default_factory=dict)
    """When somebody first answered, of those who answered since `forget`."""

    def forget(self) -> None:
        """From now on everybody answers for the first time."""
        self.first_at.clear()

    def between(self, start: float, end: float) -> list[Request]:
        """What began in this time."""
        return [request for request in self.requests if start <= request.began <= end]

    async def until(self, condition: Callable[[], bool], promise: str, seconds: float) -> None:
        """Return once the condition holds. Raises ToolError when it does not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                last = self.requests[-1] if self.requests else None
                raise ToolError(f"not within {seconds:g} s: {promise}; the last request: {last}")
            await asyncio.sleep(0.005)

    async def settled_since(self, start: float) -> None:
        """Until each request that began between `start` and now has ended."""
        requests = self.between(start, time.monotonic())
        await self.until(
            lambda: all(request.ended is not None for request in requests), "all requests have ended", 2 * PATIENCE
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each thing is done."""

    deploys: int = 5
    kills: int = 20
    leader_kills: int = 2
    updates: int = 1


@dataclass(slots=True)
class Figures:
    """What one orchestrator did, in seconds and percent."""

    deploys: list[float] = field(default_factory=list)
    failovers: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    """Percent of the requests that began between a death and the replacement's first answer."""
    leader_failovers: list[float] = field(default_factory=list)
    updates: list[float] = field(default_factory=list)
    """Each instance is watched before the next one's turn."""
    hasty_updates: list[float] = field(default_factory=list)
    """The next one's turn comes while the one before is watched."""
    update_failed: list[float] = field(default_factory=list)


def failed_percent(requests: Sequence[Request]) -> float:
    """Share of requests that nobody answered with 200."""
    return 100 * sum(request.answerer is None for request in requests) / max(1, len(requests))


@asynccontextmanager
async def load(urls: Sequence[str], headers: dict[str, str]) -> AsyncIterator[Load]:
    """Ask each URL once every `PACE` seconds, without cookies; `node` of the JSON answer tells who answered."""
    made = Load()
    tasks: set[asyncio.Task[None]] = set()
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout, connector=connector, headers=headers
    ) as session:

        async def go() -> None:
            count = 0
            while True:
                task = asyncio.create_task(_ask(session, urls[count % len(urls)], made))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                count += 1
                await asyncio.sleep(PACE / len(urls))

        running = asyncio.create_task(go())
        try:
            yield made
        finally:
            for task in (running, *tasks):
                task.cancel()
            await asyncio.gather(running, *tasks, return_exceptions=True)


async def _ask(session: aiohttp.ClientSession, url: str, made: Load) -> None:
    request = Request(time.monotonic())
    made.requests.append(request)
    try:
        async with session.get(url) as response:
            body = await response.read()
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            request.answerer = _who(body)
            made.first_at.setdefault(request.answerer, time.monotonic())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        request.failure = f"{type(error).__name__}: {error}"
    finally:
        request.ended = time.monotonic()


def _who(body: bytes) -> str:
    with suppress(KeyError, TypeError, msgspec.DecodeError):
        return str(msgspec.json.decode(body)["node"])
    raise ValueError(f"no node in {body[:80]!r}")

"""Requests at a steady pace while something happens, and what came of them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

PACE = 0.02
"""Seconds between two requests."""


@dataclass(slots=True)
class Tally:
    """Requests made and how they ended."""

    made: int = 0
    failed: int = 0
    last_failure: str = ""
    answers: Counter[str] = field(default_factory=Counter)
    """By node that answered."""
    seen_at: dict[str, float] = field(default_factory=dict)
    """When a node last answered, monotonic seconds."""
    first_at: dict[str, float] = field(default_factory=dict)
    """When a node first answered."""


@asynccontextmanager
async def steady_requests(url: str, headers: dict[str, str]) -> AsyncIterator[Tally]:
    """Request `url` without cookies all the time, at most 100 at once; the answer's X-Node or body is counted."""
    tally = Tally()
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=10)
    ) as session:
        running = asyncio.create_task(_go(session, url, headers, tally))
        try:
            yield tally
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _go(session: aiohttp.ClientSession, url: str, headers: dict[str, str], tally: Tally) -> None:
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(_one(session, url, headers, tally))
            await asyncio.sleep(PACE)


async def _one(session: aiohttp.ClientSession, url: str, headers: dict[str, str], tally: Tally) -> None:
    tally.made += 1
    try:
        async with session.get(url, headers=headers) as response:
            if response.status != 200:
                raise ValueError(f"status {response.status}: {(await response.text())[:100]}")
            body = await response.json(content_type=None)
            tally.answers[body["node"]] += 1
            tally.seen_at[body["node"]] = time.monotonic()
            tally.first_at.setdefault(body["node"], time.monotonic())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        tally.failed += 1
        tally.last_failure = f"{type(error).__name__}: {error}"

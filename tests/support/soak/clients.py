"""A tenant's visitors: they write and read all the time and remember what they were promised."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from tools.hosts.lab import Lab

from support.beside import beside

PACE = 0.2
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Ack:
    """A write that was acknowledged."""

    line: str
    node: int
    boot: str
    """Which start of the program took it."""
    began: float
    ended: float


@dataclass(slots=True)
class Visits:
    """What came of everything asked."""

    acks: list[Ack] = field(default_factory=list)
    writes: int = 0
    reads: int = 0
    failed_reads: int = 0
    refused_reads: int = 0
    """Of the failed ones, those that got a bad answer, or none at all at once; the others waited too long."""


@asynccontextmanager
async def visitors(lab: Lab, store: str, web: str) -> AsyncIterator[Visits]:
    """One who writes to `store`, one who reads from `web`, both through the ingress."""
    visits = Visits()
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
        beside(_write(lab, session, store, visits), _read(lab, session, web, visits)),
    ):
        yield visits


async def _write(lab: Lab, session: aiohttp.ClientSession, app: str, visits: Visits) -> None:
    while True:
        line = f"{visits.writes}"
        visits.writes += 1
        began = time.monotonic()
        try:
            async with session.post(f"{lab.url}/write", data=line, headers=lab.host_header(app)) as response:
                if response.status == 200:
                    who = await response.json()
                    visits.acks.append(Ack(line, int(who["node"]), who["boot"], began, time.monotonic()))
        except (aiohttp.ClientError, TimeoutError, OSError):
            # Not acknowledged: it may be there or not.
            await asyncio.sleep(PACE)
        await asyncio.sleep(PACE)


async def _read(lab: Lab, session: aiohttp.ClientSession, app: str, visits: Visits) -> None:
    while True:
        visits.reads += 1
        is_refused = False
        try:
            async with session.get(f"{lab.url}/whoami", headers=lab.host_header(app)) as response:
                is_refused = response.status != 200
        except TimeoutError:
            visits.failed_reads += 1
        except (aiohttp.ClientError, OSError):
            is_refused = True
        visits.failed_reads += is_refused
        visits.refused_reads += is_refused
        await asyncio.sleep(PACE)

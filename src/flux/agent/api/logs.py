"""Log lines for the app's owner, as JSON lines: as fast as the client reads them, and as long as it is there."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from flux.contracts.market.types import LeaseId
from flux.runtime.errors import RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerId, LogLine
from flux.sdk.exec_session import keep_alive

log = structlog.get_logger(__name__)
MAX_TAIL = 10_000
QUEUE_LINES = 32
"""Lines buffered for one reader, of 64 KiB at most: a slow reader slows its stream, not the agent."""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """What readers may take of a node: each holds connections to the engine."""

    per_lease: int = 8
    per_node: int = 64
    stall_seconds: float = 60
    """How long a client may take none of the lines that there are."""
    look_seconds: float = 5
    """Between two looks whether a client that waits for the next line is there."""


class LogApi:
    """Answers requests that were authorised before."""

    def __init__(self, runtime: ContainerRuntime, limits: LogLimits | None = None) -> None:
        self._runtime = runtime
        self._limits = limits or LogLimits()
        self._open: dict[LeaseId, int] = {}

    async def serve(
        self, request: web.Request, lease: LeaseId, containers: Mapping[str, ContainerId]
    ) -> web.StreamResponse:
        """The last lines of containers by component; `follow=1` keeps the stream open."""
        follow = request.query.get("follow", "0") == "1"
        tail = _bounded(request.query.get("tail", "100"))
        with self._slot(lease):
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            await response.prepare(request)
            keep_alive(None if request.transport is None else request.transport.get_extra_info("socket"))
            async with aclosing(self._merged(request, containers, follow=follow, tail=tail)) as lines:
                async for component, line in lines:
                    facts = {"component": component, "time_ns": line.time_ns, "stream": line.stream, "text": line.text}
                    if not await self._write(request, response, json.dumps(facts).encode() + b"\n"):
                        return response
            await response.write_eof()
            return response

    async def _write(self, request: web.Request, response: web.StreamResponse, data: bytes) -> bool:
        """Whether the client took it in time; it is cut off otherwise."""
        try:
            async with asyncio.timeout(self._limits.stall_seconds):
                await response.write(data)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            return False
        return True

    async def _merged(
        self, request: web.Request, containers: Mapping[str, ContainerId], *, follow: bool, tail: int
    ) -> AsyncGenerator[tuple[str, LogLine], None]:
        room = asyncio.Semaphore(QUEUE_LINES)
        queue: asyncio.Queue[tuple[str, LogLine] | None] = asyncio.Queue()

        async def read(component: str, container: ContainerId) -> None:
            try:
                async with aclosing(_closable(self._runtime.logs(container, follow=follow, tail=tail))) as lines:
                    async for line in lines:
                        await room.acquire()
                        queue.put_nowait((component, line))
            except RuntimeFailure as error:
                log.info("log stream ended", component=component, reason=str(error))
            finally:
                queue.put_nowait(None)  # without waiting, also when nobody listens any more

        tasks = [asyncio.create_task(read(component, container)) for component, container in containers.items()]
        try:
            ended = 0
            while ended < len(tasks):
                try:
                    async with asyncio.timeout(self._limits.look_seconds):
                        item = await queue.get()
                except TimeoutError:
                    if request.transport is None or request.transport.is_closing():
                        return  # nothing else tells of a client that went away while nothing was written
                    continue
                if item is None:
                    ended += 1
                else:
                    room.release()
                    yield item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def _slot(self, lease: LeaseId) -> Iterator[None]:
        if self._open.get(lease, 0) >= self._limits.per_lease:
            raise web.HTTPTooManyRequests(
                text=f"{self._limits.per_lease} readers of this instance's logs are there: end one"
            )
        if sum(self._open.values()) >= self._limits.per_node:
            raise web.HTTPTooManyRequests(
                text=f"{self._limits.per_node} readers of logs are on this node: try again later"
            )
        self._open[lease] = self._open.get(lease, 0) + 1
        try:
            yield
        finally:
            self._open[lease] -= 1
            if not self._open[lease]:
                del self._open[lease]


def _bounded(tail: str) -> int:
    if not tail.isdecimal() or len(tail) > 9:
        raise web.HTTPBadRequest(text="tail must be a number")
    return min(int(tail), MAX_TAIL)


async def _closable(lines: AsyncIterator[LogLine]) -> AsyncGenerator[LogLine, None]:
    async for line in lines:
        yield line

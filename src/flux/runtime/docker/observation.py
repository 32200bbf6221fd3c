"""Looking into containers on Docker: logs, counters, events."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from flux.runtime.checks import check_name
from flux.runtime.docker.connection import STREAM_ERRORS, Connection, broken_stream
from flux.runtime.docker.streams import json_lines, log_lines
from flux.runtime.docker.view import find_event, is_running_stats, stats_view
from flux.runtime.errors import ContainerNotRunning, RuntimeFailure
from flux.runtime.types import (
    ContainerEvent,
    ContainerId,
    ContainerStats,
    EventKind,
    LogLine,
)

_NANOSECONDS = 1_000_000_000


class Observation:
    """Reads of one Engine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def logs(
        self, container: ContainerId, *, follow: bool, tail: int | None, since_ns: int
    ) -> AsyncGenerator[LogLine, None]:
        check_name(container)
        parameters = {
            "stdout": "1",
            "stderr": "1",
            "timestamps": "1",
            "follow": str(int(follow)),
            "tail": "all" if tail is None else str(tail),
            "since": f"{since_ns // _NANOSECONDS}.{since_ns % _NANOSECONDS:09d}",
        }
        try:
            async with self._connection.stream("GET", f"containers/{container}/logs", parameters) as response:
                async for line in log_lines(response.content):
                    yield line
            return
        except STREAM_ERRORS as error:
            found = broken_stream(error)
        raise found

    async def stats(self, container: ContainerId) -> ContainerStats:
        check_name(container)
        # `one-shot` spares the second that Docker otherwise takes to fill in a rate.
        parameters = {"stream": "0", "one-shot": "1"}
        read: dict[str, Any] = {}
        found: RuntimeFailure | None = None
        try:
            async with (
                asyncio.timeout(30),
                self._connection.stream("GET", f"containers/{container}/stats", parameters) as response,
            ):
                read = json.loads(await response.read())
        except STREAM_ERRORS as error:
            found = broken_stream(error)
        if found is not None:
            raise found
        if not is_running_stats(read):
            raise ContainerNotRunning(f"Container {container} does not run.")
        return stats_view(read)

    @asynccontextmanager
    async def events(self, labels: Mapping[str, str]) -> AsyncIterator[AsyncIterator[ContainerEvent]]:
        filters = {
            "type": ["container"],
            "label": [f"{name}={value}" for name, value in labels.items()],
            "event": [kind.value for kind in EventKind],
        }
        async with AsyncExitStack() as stack:
            response = await self._listen(stack, {"filters": json.dumps(filters)})
            # Outside of any handler: what the caller raises inside its context is not ours to translate.
            yield _events(response.content)

    async def _listen(self, stack: AsyncExitStack, parameters: Mapping[str, str]) -> aiohttp.ClientResponse:
        try:
            return await stack.enter_async_context(self._connection.stream("GET", "events", parameters))
        except STREAM_ERRORS as error:
            found = broken_stream(error)
        raise found


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[ContainerEvent]:
    """Never ends by itself: when Docker closes the stream, it is going away."""
    found = broken_stream(OSError("Docker ended the stream of events"))
    try:
        async for message in json_lines(content):
            event = find_event(message)
            if event is not None:
                yield event
    except STREAM_ERRORS as error:
        found = broken_stream(error)
    raise found

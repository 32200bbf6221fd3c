"""Docker's endless answers: lines of JSON (pulls, events) and the multiplexed output of containers."""

import json
import struct
from asyncio import IncompleteReadError
from collections.abc import AsyncIterator, Iterator
from typing import Any

from aiohttp import StreamReader

from flux.runtime.docker.view import parse_time_ns
from flux.runtime.types import LogLine, LogStream

_FRAME = struct.Struct(">BxxxL")
"""Stream number, three zero bytes, payload length."""
_STREAMS = {1: LogStream.OUT, 2: LogStream.ERR}
_LONGEST_LINE = 64 * 1024


async def json_lines(content: StreamReader) -> AsyncIterator[dict[str, Any]]:
    """The objects of a stream that has one a line."""
    async for line in content:
        if line.strip():
            yield json.loads(line)


async def frames(content: StreamReader) -> AsyncIterator[tuple[LogStream, bytes]]:
    """The pieces of a multiplexed stream, until it ends."""
    while True:
        try:
            number, length = _FRAME.unpack(await content.readexactly(_FRAME.size))
            payload = await content.readexactly(length)
        except IncompleteReadError as error:
            if error.partial:
                raise
            return
        yield _STREAMS[number], payload


async def log_lines(content: StreamReader) -> AsyncIterator[LogLine]:
    """The lines of a log that was asked for with timestamps.

    Docker cuts lines at 16 KiB into pieces, each with a timestamp, of which only the last has a line end.
    """
    unfinished: dict[LogStream, tuple[int, bytes]] = {}
    async for stream, payload in frames(content):
        stamp, _, text = payload.partition(b" ")
        time_ns, begun = unfinished.pop(stream, (parse_time_ns(stamp.decode("ascii")), b""))
        line = begun + text
        if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
            unfinished[stream] = (time_ns, line)
            continue
        yield _line(time_ns, stream, line)
    for line_ in _rest(unfinished):
        yield line_


def _rest(unfinished: dict[LogStream, tuple[int, bytes]]) -> Iterator[LogLine]:
    """What a program wrote last, without a line end."""
    for stream, (time_ns, line) in sorted(unfinished.items(), key=lambda item: item[1][0]):
        yield _line(time_ns, stream, line)


def _line(time_ns: int, stream: LogStream, line: bytes) -> LogLine:
    return LogLine(time_ns, stream, line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace"))

"""The multiplexed output of containers, cut into lines."""

import asyncio
import struct
from asyncio import IncompleteReadError
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from flux.runtime.docker.streams import json_lines, log_lines
from flux.runtime.docker.view import parse_time, parse_time_ns
from flux.runtime.types import LogLine, LogStream

STAMP = "2026-01-02T03:04:05.000000007Z"
STAMP_NS = 1_767_323_045_000_000_007


def frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(payload)) + payload


def line(text: bytes, stream: int = 1, stamp: str = STAMP) -> bytes:
    return frame(stream, stamp.encode() + b" " + text)


async def read(*chunks: bytes) -> list[LogLine]:
    return [found async for found in log_lines(reader(*chunks))]


def reader(*chunks: bytes) -> StreamReader:
    made = StreamReader(Mock(BaseProtocol, _reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    for chunk in chunks:
        made.feed_data(chunk)
    made.feed_eof()
    return made


async def test_lines_come_with_stream_and_time() -> None:
    assert await read(line(b"one\n"), line(b"two\r\n", 2)) == [
        LogLine(STAMP_NS, LogStream.OUT, "one"),
        LogLine(STAMP_NS, LogStream.ERR, "two"),
    ]


async def test_pieces_of_a_line_are_joined_for_each_stream() -> None:
    later = "2026-01-02T03:04:06Z"
    found = await read(line(b"be"), line(b"complaint\n", 2), line(b"gun\n", stamp=later))
    assert [(entry.stream, entry.text, entry.time_ns) for entry in found] == [
        (LogStream.ERR, "complaint", STAMP_NS),
        (LogStream.OUT, "begun", STAMP_NS),
    ]


async def test_a_line_without_an_end_comes_at_the_end_or_when_it_is_too_long() -> None:
    assert [entry.text for entry in await read(line(b"last words"))] == ["last words"]
    endless = [line(b"x" * 16_384) for _ in range(9)]
    assert [len(entry.text) for entry in await read(*endless)] == [65_536, 65_536, 16_384]


async def test_bytes_that_are_not_text_are_replaced() -> None:
    assert (await read(line(b"\xff\xfe\n")))[0].text == "��"


async def test_a_stream_that_breaks_off_is_an_error_and_not_an_end() -> None:
    with pytest.raises(IncompleteReadError):
        await read(line(b"one\n")[:-2])
    with pytest.raises(IncompleteReadError):
        await read(b"\x01\x00")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2]), st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30)
        )
    )
)
def test_whatever_is_written_is_read(entries: list[tuple[int, str]]) -> None:
    async def check() -> None:
        found = await read(*(line(text.encode() + b"\n", stream) for stream, text in entries))
        assert [entry.text for entry in found] == [text for _, text in entries]

    asyncio.run(check())


async def test_json_comes_line_by_line_without_empty_ones() -> None:
    found = [entry async for entry in json_lines(reader(b'{"a": 1}\r\n\r\n{"b"', b": 2}\n"))]
    assert found == [{"a": 1}, {"b": 2}]


def test_times_have_all_their_digits_and_go_s_zero_time_is_none() -> None:
    assert parse_time_ns("2026-01-02T03:04:05Z") == STAMP_NS - 7
    assert parse_time_ns("2026-01-02T03:04:05.5Z") == STAMP_NS - 7 + 500_000_000
    assert parse_time("0001-01-01T00:00:00Z") is None
    assert parse_time("1970-01-01T00:00:01.5Z") == 1.5

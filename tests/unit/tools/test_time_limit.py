"""Tests that hang end, and say where."""

import asyncio

import pytest

from support.beside import beside
from support.time_limit import limited


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def wait_beside() -> None:
    await asyncio.Event().wait()


async def hang() -> None:
    async with beside(wait_beside()):
        await wait_for_ever()


async def test_a_test_that_hangs_ends_and_tells_where_each_of_its_tasks_waited(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(TimeoutError):
        await limited(hang, 0.2)()
    told = capsys.readouterr().err
    for words in ("hang takes too long", "in hang\n", "in wait_for_ever\n", "in wait_beside\n"):
        assert words in told


async def test_a_test_that_ends_in_time_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    given: list[int] = []

    async def test(value: int) -> None:
        given.append(value)

    await limited(test, 60)(value=3)
    assert given == [3]
    assert capsys.readouterr().err == ""

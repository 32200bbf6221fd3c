"""What goes on beside a test ends with it, and does not fail unseen."""

import asyncio

import pytest

from support.beside import beside


async def test_work_ends_with_its_block() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with beside(work(), work()):
        await asyncio.sleep(0)
        assert not ended.is_set()
    assert ended.is_set()


async def test_work_that_failed_fails_its_block() -> None:
    async def fail() -> None:
        raise ValueError("no JSON")

    with pytest.raises(ValueError, match="no JSON"):
        async with beside(fail(), asyncio.Event().wait()):  # type: ignore[arg-type]
            await asyncio.sleep(0)


async def test_what_fails_in_the_block_itself_is_told_first() -> None:
    async def fail() -> None:
        raise ValueError("no JSON")

    async def block() -> None:
        async with beside(fail()):
            await asyncio.sleep(0)
            raise KeyError

    with pytest.raises(KeyError):
        await block()

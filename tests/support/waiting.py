"""Waiting for a condition, never for a time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(
    condition: Callable[[], T | Awaitable[T]],
    seconds: float = 60.0,
    promise: Callable[[], str] = lambda: "the condition did not come to hold",
    poll: float = 0.01,
) -> T:
    """The first thing that the condition gives and that is true; fails with the promise when none comes in time.

    For what tells nobody when it changes: processes, engines, proxies. `poll` is in seconds.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        given = condition()
        found: T = await given if inspect.isawaitable(given) else given  # type: ignore[assignment]
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds:g} s: {promise()}"
        await asyncio.sleep(poll)


async def holds(condition: Callable[[], Awaitable[object]], seconds: float, poll: float = 0.1) -> None:
    """Return when the condition has been true for so long; fail at once when it is not. For what must not happen."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        assert await condition(), f"it did not hold for {seconds:g} s"
        await asyncio.sleep(poll)

"""Waiting for what the demonstration promises."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tools.demonstration.stage import DemoFailed

POLL = 0.02
T = TypeVar("T")


async def until(condition: Callable[[], Any], seconds: float, promise: str) -> None:
    """Return once the condition is true. Raises DemoFailed with the promise when it is not in time."""

    async def asked() -> Any:
        return condition()

    await found(asked, seconds, promise)


async def found(ask: Callable[[], Awaitable[T | None]], seconds: float, promise: str, poll: float = POLL) -> T:
    """The first answer that is not empty. Raises DemoFailed with the promise when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := await ask()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"not within {seconds:g} s: {promise}")
        await asyncio.sleep(poll)
    return answer

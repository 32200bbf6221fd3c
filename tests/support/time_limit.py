"""An end for tests that wait for something that does not come, with the place where each task of theirs waits."""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable
from typing import Any


def limited(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """The test, which fails with TimeoutError after so long; stderr has what all tasks waited for."""

    @functools.wraps(test)
    async def run(*arguments: object, **options: object) -> None:
        async with asyncio.timeout(seconds):
            # Before the test is cancelled, and its helpers with it.
            report = asyncio.get_running_loop().call_later(max(0, seconds - 0.1), _report, test.__qualname__)
            try:
                await test(*arguments, **options)
            finally:
                report.cancel()

    return run


def _report(test: str) -> None:
    print(f"{test} takes too long; its tasks wait here, the innermost call last:", file=sys.stderr)
    for task in asyncio.all_tasks():
        print(f"{task.get_name()}:", *_waits(task.get_coro()), sep="\n  ", file=sys.stderr)


def _waits(awaited: Any) -> list[str]:
    """The calls of a task that waits; a task's own stack has the outermost alone."""
    calls = []
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            calls.append(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return calls

"""Running a service until it is asked to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_until_signal(service: Coroutine[object, object, None]) -> None:
    """Run `service`; SIGINT, SIGTERM and SIGHUP cancel it, and its clean-up is waited for.

    Whatever the service raises by itself is raised.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(service)
    asked = False

    def stop() -> None:
        nonlocal asked
        asked = True
        task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        with suppress(asyncio.CancelledError):
            await task
        if not asked and task.cancelled():
            raise asyncio.CancelledError
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

"""Threads for what would hold up the event loop, in separate small pools with a bounded queue each."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from flux.rpc.errors import limit_exceeded

T = TypeVar("T")


class Pool:
    """A few threads and a queue that refuses rather than grows."""

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"rpc-{name}")
        self._most = threads + most_waiting
        self._running = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Run in a thread. Raises RpcError (limit exceeded) when too much waits already.

        A cancelled caller is not waited for, but its place stays taken until the work has ended.
        """
        if self._running >= self._most:
            raise limit_exceeded("too many requests of this kind are waiting; try again in a moment")
        self._running += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._finished)
        return await asyncio.shield(future)

    def close(self) -> None:
        """Take nothing more; running work ends by itself."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _finished(self, future: asyncio.Future[T]) -> None:
        self._running -= 1
        if not future.cancelled():
            future.exception()  # read, so that the error of a caller who has gone is not reported as lost

"""Transactions on their way into the mempool, taken together.

Whatever arrives in one turn of the event loop, or while the last lot is being checked, goes to the application in one
call: signatures are recovered side by side on threads, and one hop between threads serves many requests.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from flux.chain.transaction_errors import TransactionError
from flux.primitives.types import U64, Hash, Timestamp
from flux.rpc.errors import limit_exceeded

MAX_WAITING = 20_000
"""Transactions not yet given to the application; more are refused."""
MAX_TOGETHER = 1_000
"""In one call, so that the first of many need not wait for the last."""

Outcome = Hash | TransactionError


class Pool(Protocol):
    """What takes transactions; the application."""

    def submit_many(self, raws: list[bytes], now: Timestamp) -> list[Outcome]: ...


class Intake:
    """Belongs to one event loop."""

    def __init__(self, pool: Pool, clock: Callable[[], int], notify: Callable[[], None]) -> None:
        self._pool = pool
        self._clock = clock
        self._notify = notify
        self._waiting: list[tuple[bytes, asyncio.Future[Outcome]]] = []
        self._busy = False
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="rpc-intake")

    def submit(self, raw: bytes) -> asyncio.Future[Outcome]:
        """Hand in an encoded transaction; its hash or the reason against it comes later. Raises RpcError when full."""
        if len(self._waiting) >= MAX_WAITING:
            raise limit_exceeded("too many transactions are waiting to be checked; try again in a moment")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((raw, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._next)
        return future

    def close(self) -> None:
        """Finish what is under way and drop the rest."""
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()
        self._executor.shutdown(wait=True)

    def _next(self) -> None:
        taken, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
        if not taken:
            self._busy = False
            return
        now = Timestamp(U64(self._clock()))
        raws = [raw for raw, _ in taken]
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._pool.submit_many, raws, now)
        work.add_done_callback(lambda done: self._answer([future for _, future in taken], done))

    def _answer(self, futures: list[asyncio.Future[Outcome]], done: asyncio.Future[list[Outcome]]) -> None:
        error = done.exception()
        if error is not None:
            for future in futures:
                if not future.done():
                    future.set_exception(error)
        else:
            outcomes = done.result()
            if any(not isinstance(outcome, TransactionError) for outcome in outcomes):
                self._notify()
            for future, outcome in zip(futures, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)
        self._next()

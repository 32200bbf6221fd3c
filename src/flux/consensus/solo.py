"""The engine of a chain with one producer: a block when transactions wait, when scheduled work is due, or when idle.

Execution and commit run in one worker thread; the event loop only decides when. A block that the disk does not take is
kept and tried again until it does; meanwhile no transactions are accepted.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from flux.chain.application import Application, FinalizedBlock
from flux.chain.store import StoreError
from flux.consensus.steady_clock import SteadyClock
from flux.primitives.types import U64, Address, Timestamp

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SoloTiming:
    """Seconds."""

    batching: float = 0.01
    """How long the first waiting transaction waits for others."""
    idle: float = 5.0
    """After this long without a block an empty one is made."""
    retry: float = 1.0
    """Between attempts to commit when the disk refuses."""


class SoloEngine:
    """Makes blocks by itself."""

    name = "solo"

    def __init__(
        self,
        application: Application,
        producer: Address,
        *,
        clock: Callable[[], float] | None = None,
        timing: SoloTiming = SoloTiming(),
        report: Callable[[FinalizedBlock], None] | None = None,
    ) -> None:
        """`producer` gets the tips. `clock` gives Unix seconds, by default the machine's, which may be set back; after
        setting a test's clock, `notify`.

        `report` is called with each committed block, in the worker thread: dropped transactions and faults, for logs.
        """
        self._application = application
        self._producer = producer
        self._clock = clock or SteadyClock(application.ledger.head().header.timestamp)
        self._timing = timing
        self._report = report
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._uncommitted: FinalizedBlock | None = None

    def notify(self) -> None:
        """A transaction was admitted, or the clock was set. Callable from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Make blocks until `stop`. What is not the disk's fault ends it."""
        self._loop = asyncio.get_running_loop()
        last_block = self._loop.time()
        with ThreadPoolExecutor(1, thread_name_prefix="flux-solo") as worker:
            while not self._stopping.is_set():
                if await self._is_time(last_block):
                    await self._loop.run_in_executor(worker, self._advance)
                    last_block = self._loop.time()
                if self._uncommitted is not None:
                    await self._pause(self._stopping, self._timing.retry)

    async def wait(self) -> None:
        """Until the engine ends, which it does by itself only by raising: UpgradeRequired, or a fault."""
        assert self._task is not None
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Finish the block in progress and end `run`."""
        self._stopping.set()
        self._wake.set()
        if self._task is not None and not self._task.done():
            await self._task

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self.run(), name="flux-solo")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _is_time(self, last_block: float) -> bool:
        """Wait for a reason to make a block, a wake-up, or the stop; whether there is a reason."""
        assert self._loop is not None
        self._wake.clear()
        now = self._clock()
        if self._uncommitted is not None:
            return True
        if self._application.has_work(_seconds(now)):
            await self._pause(self._stopping, self._timing.batching)
            return True
        idle_left = last_block + self._timing.idle - self._loop.time()
        due = self._application.next_due()
        due_left = idle_left if due is None else due - now
        if min(idle_left, due_left) <= 0:
            return True
        await self._pause(self._wake, min(idle_left, due_left))
        return False

    async def _pause(self, event: asyncio.Event, seconds: float) -> None:
        """Until the event or for so long."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    def _advance(self) -> None:
        """Compute a block, unless one waits for the disk, and commit it. In the worker thread."""
        application = self._application
        finalized = self._uncommitted
        if finalized is None:
            parent = application.ledger.head().header
            timestamp = Timestamp(U64(max(parent.timestamp, _seconds(self._clock()))))
            finalized = application.finalize(application.propose(timestamp), timestamp, self._producer)
        try:
            application.commit(finalized)
        except StoreError as error:
            if self._uncommitted is None:
                log.error("block not written, trying again", height=finalized.block.header.number, reason=str(error))
            self._uncommitted = finalized
            application.suspend(str(error))
            return
        if self._uncommitted is not None:
            self._uncommitted = None
            application.resume()
            log.info("blocks written again", height=finalized.block.header.number)
        if self._report is not None:
            self._report(finalized)


def _seconds(now: float) -> Timestamp:
    return Timestamp(U64(int(now)))

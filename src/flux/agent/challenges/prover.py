"""Answers tasks. The work runs in threads on native code, so that the agent goes on; one task runs at a time."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from flux.agent.challenges import plot
from flux.agent.challenges.budget import BudgetSpent, TimeBudget
from flux.agent.challenges.plot import Plot, PlotPlan
from flux.agent.challenges.tasks import CpuTask, DiskTask, Sizes, TransferTask
from flux.agent.hardware.memory import fill_memory
from flux.primitives.cpu_work import answer_hash, run_chain
from flux.sdk.signer import Signer

log = structlog.get_logger(__name__)
T = TypeVar("T")


class PlotNotReady(Exception):
    """The plot of this epoch is being filled; ask again later in the epoch."""


@dataclass(frozen=True, slots=True)
class CpuAnswer:
    """Results of all chains, one chain after the other, signed."""

    results: bytes
    signature: bytes


class Prover:
    """The tasks of one node."""

    def __init__(self, node: int, signer: Signer, folder: Path, budget: TimeBudget) -> None:
        self._node = node
        self._signer = signer
        self._folder = folder
        self._budget = budget
        self._turn = asyncio.Lock()
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="challenge")
        self._plot: Plot | None = None
        self._filling: asyncio.Task[None] | None = None
        self._wanted: PlotPlan | None = None

    async def close(self) -> None:
        """Stop filling and end the threads."""
        self._wanted = None
        if self._filling is not None:
            await asyncio.gather(self._filling, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)

    async def cpu(self, task: CpuTask) -> CpuAnswer:
        """Run the chains. Raises BudgetSpent."""
        chains = [partial(run_chain, task.seed, chain, task.length) for chain in range(task.chains)]
        results = b"".join(await self._work(chains))
        signed = self._signer.sign_hash(answer_hash(self._node, task.epoch, task.seed, task.length, results))
        return CpuAnswer(results, signed.to_bytes())

    async def memory(self, seed: bytes, sizes: Sizes) -> list[bytes]:
        """Do the memory-hard tasks. Raises BudgetSpent."""
        return await self._work(
            [partial(fill_memory, seed, index, sizes.memory_mib) for index in range(sizes.memory_tasks)]
        )

    async def plot_root(self, plan: PlotPlan) -> bytes:
        """The commitment to the epoch's plot, which is filled when it is asked for first. Raises PlotNotReady."""
        return self._ready(plan).root

    async def tags(self, plan: PlotPlan, task: DiskTask) -> list[bytes]:
        """Tags of blocks of the plot. Raises BudgetSpent, PlotNotReady."""
        ready = self._ready(plan)
        (tags,) = await self._work([partial(plot.read_tags, ready, task.seed, task.blocks)])
        return tags

    async def block(self, plan: PlotPlan, index: int) -> tuple[bytes, list[bytes]]:
        """A whole block with its Merkle proof. Raises BudgetSpent, PlotNotReady."""
        ready = self._ready(plan)
        (found,) = await self._work([partial(plot.read_block, ready, index)])
        return found

    async def transfer(self, task: TransferTask, sizes: Sizes) -> bytes:
        """The bytes to send. Raises BudgetSpent."""
        (data,) = await self._work([partial(transfer_bytes, task.seed, sizes.transfer_kib)])
        return data

    def _ready(self, plan: PlotPlan) -> Plot:
        if self._plot is not None and self._plot.plan == plan:
            return self._plot
        if self._filling is None or self._filling.done():
            self._wanted = plan
            self._filling = asyncio.create_task(self._fill(plan))
        raise PlotNotReady("the plot of this epoch is being filled; ask again later")

    async def _fill(self, plan: PlotPlan) -> None:
        """Fill in a single thread, charged like any task."""
        try:
            with self._budget.spend():
                self._plot = await asyncio.to_thread(self._kept_or_filled, plan)
        except (OSError, BudgetSpent) as error:
            log.warning("benchmark file not written", folder=str(self._folder), reason=str(error))
        finally:
            self._wanted = None

    def _kept_or_filled(self, plan: PlotPlan) -> Plot | None:
        return plot.kept(self._folder, plan) or plot.fill(self._folder, plan, lambda: self._wanted == plan)

    async def _work(self, pieces: Sequence[Callable[[], T]]) -> list[T]:
        loop = asyncio.get_running_loop()
        async with self._turn:
            with self._budget.spend():
                return await asyncio.gather(*(loop.run_in_executor(self._pool, piece) for piece in pieces))


def transfer_bytes(seed: bytes, kib: int) -> bytes:
    """What a transfer of a seed consists of: nobody can send it before the seed is known."""
    return hashlib.shake_256(b"flux transfer" + seed).digest(kib * 1024)

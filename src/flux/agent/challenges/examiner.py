"""Measures another node: sets tasks, times the answers, checks a random part of them by doing it again.

Checking costs a small part of answering: an eighth of the events, one of several memory-hard tasks, one block of the
plot. A wrong answer measures as 0; a wrong answer to a processor task is signed, and therefore evidence.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from flux.agent.challenges import plot
from flux.agent.challenges.plot import PlotPlan
from flux.agent.challenges.prover import transfer_bytes
from flux.agent.challenges.tasks import SEED_BYTES, CpuTask, DiskTask, MemoryTask, Sizes, TransferTask
from flux.agent.hardware.memory import fill_memory
from flux.contracts.nodes.types import Node
from flux.primitives import merkle
from flux.primitives.cpu_work import EVENT_BYTES, answer_hash, follows
from flux.sdk.agent_api import AgentRefused, Download, signer_of
from flux.sdk.errors import Unreachable
from flux.sdk.http import decode_json
from flux.sdk.signer import Signer

PINGS = 5
PING_SECONDS = 5.0
TASK_SECONDS = 60.0
"""Longest wait for one answer: a machine that needs longer is below every tier."""
CHECKED_SHARE = 8
"""One in so many events is computed again."""
MIB = 1024 * 1024
_MOST_JSON = 4 * MIB
_LATER = (429, 503)


class AskLater(Exception):
    """The node is busy with measurements or still fills its plot: that is no failure."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured; 0 where the node did not answer, or wrongly."""

    cpu_events: float = 0.0
    """A second, all chains together."""
    memory_mib_per_second: float = 0.0
    disk_mib_per_second: float = 0.0
    disk_latency_us: float = 0.0
    """Of one block of 64 KiB."""
    network_mbit_per_second: float = 0.0
    round_trip_us: float = 0.0
    """The least of several; 0 when the node did not answer pings."""


@dataclass(frozen=True, slots=True)
class FalseAnswer:
    """A signed answer one step of which does not follow: whoever holds it can prove it."""

    task: CpuTask
    results: bytes
    position: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Examination:
    """The outcome for one node."""

    findings: Findings
    false_answer: FalseAnswer | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Who is measured, and against which plot."""

    node: Node
    epoch: int
    chains: int
    """As many as the cores that it declares."""
    plot: PlotPlan


class NodeLink(Protocol):
    """How another node is reached (`sdk.agent_api.AgentClient`)."""

    async def round_trip(self, node: Node, seconds: float) -> float | None: ...
    async def download(self, node: Node, signer: Signer, target: str, seconds: float, most: int) -> Download: ...


class Examiner:
    """Sets tasks in the name of one node's agent."""

    def __init__(
        self, link: NodeLink, signer: Signer, sizes: Callable[[], Awaitable[Sizes]], draw: random.Random
    ) -> None:
        self._link = link
        self._signer = signer
        self._sizes_now = sizes
        self._draw = draw

    async def examine(self, target: Target) -> Examination:
        """Measure everything. Raises AskLater."""
        trips = [await self._link.round_trip(target.node, PING_SECONDS) for _ in range(PINGS)]
        answered = [trip for trip in trips if trip is not None]
        if not answered:
            return Examination(Findings())
        trip = min(answered)
        sizes = await self._sizes_now()
        findings = Findings(round_trip_us=trip * 1e6)
        findings = await self._disk(target, sizes, trip, findings)
        findings = await self._memory(target, sizes, trip, findings)
        findings = await self._network(target, sizes, findings)
        return await self._cpu(target, sizes, trip, findings)

    async def _cpu(self, target: Target, sizes: Sizes, trip: float, findings: Findings) -> Examination:
        task = CpuTask(target.epoch, self._seed(), target.chains, sizes.events_per_chain)
        answer = await self._ask(target.node, task.query())
        if answer is None:
            return Examination(findings)
        document, seconds = answer
        events = task.chains * task.length
        results = _bytes(document, "results", events * EVENT_BYTES)
        signature = _bytes(document, "signature", 65)
        signed = answer_hash(target.node.id, task.epoch, task.seed, task.length, results)
        if not results or signer_of(signed, signature) != target.node.agent:
            return Examination(findings)
        for position in self._draw.sample(range(events), -(-events // CHECKED_SHARE)):
            if not await asyncio.to_thread(follows, task.seed, results, task.length, position):
                return Examination(findings, FalseAnswer(task, results, position, signature))
        return Examination(replace(findings, cpu_events=events / _net(seconds, trip)))

    async def _memory(self, target: Target, sizes: Sizes, trip: float, findings: Findings) -> Findings:
        task = MemoryTask(self._seed())
        answer = await self._ask(target.node, task.query())
        if answer is None:
            return findings
        document, seconds = answer
        count, mib = sizes.memory_tasks, sizes.memory_mib
        index = self._draw.randrange(count)
        expected = await asyncio.to_thread(fill_memory, task.seed, index, mib)
        if _list(document, "answers", count)[index : index + 1] != [expected]:
            return findings
        return replace(findings, memory_mib_per_second=2 * count * mib / _net(seconds, trip))

    async def _disk(self, target: Target, sizes: Sizes, trip: float, findings: Findings) -> Findings:
        """Commitment first, then tags in time, then one block that ties the tags to the commitment and to the seed."""
        root = await self._ask(target.node, f"/v1/benchmark/disk?seed={self._seed().hex()}")
        reads = min(sizes.disk_reads, target.plot.blocks)
        task = DiskTask(self._seed(), tuple(self._draw.sample(range(target.plot.blocks), reads)))
        answer = None if root is None else await self._ask(target.node, task.query())
        if root is None or answer is None:
            return findings
        document, seconds = answer
        tags = _list(document, "tags", reads)
        chosen = self._draw.randrange(reads)
        expected = await asyncio.to_thread(plot.make_block, target.plot, task.blocks[chosen])
        if tags[chosen : chosen + 1] != [plot.tag(task.seed, expected)]:
            return findings
        other = self._draw.randrange(reads)
        if not await self._is_committed(target, _bytes(root[0], "root", 32), task, other, tags[other]):
            return findings
        net = _net(seconds, trip)
        return replace(
            findings,
            disk_mib_per_second=reads * plot.BLOCK / MIB / net,
            disk_latency_us=net / reads * 1e6,
        )

    async def _is_committed(self, target: Target, root: bytes, task: DiskTask, which: int, tag: bytes) -> bool:
        index = task.blocks[which]
        answer = await self._ask(target.node, f"/v1/benchmark/disk/block?index={index}&seed={self._seed().hex()}")
        if answer is None:
            return False
        block = _bytes(answer[0], "block", plot.BLOCK)
        proof = _list(answer[0], "proof")
        leaf = merkle.leaf(block)
        is_same = plot.tag(task.seed, block) == tag
        return is_same and merkle.verify(root, leaf, index, target.plot.blocks, proof)

    async def _network(self, target: Target, sizes: Sizes, findings: Findings) -> Findings:
        task = TransferTask(self._seed())
        expected = transfer_bytes(task.seed, sizes.transfer_kib)
        download = await self._download(target.node, task.query(), len(expected))
        if download is None or download.body != expected:
            return findings
        return replace(findings, network_mbit_per_second=download.bytes_per_second() * 8 / 1e6)

    async def _ask(self, node: Node, query: str) -> tuple[dict[str, Any], float] | None:
        """A JSON answer and the seconds it took; None when there is none."""
        download = await self._download(node, query, _MOST_JSON)
        if download is None:
            return None
        try:
            document = decode_json(download.body)
        except ValueError:
            return None
        return (document, download.seconds) if isinstance(document, dict) else None

    async def _download(self, node: Node, query: str, most: int) -> Download | None:
        try:
            return await self._link.download(node, self._signer, query, TASK_SECONDS, most)
        except AgentRefused as refused:
            if refused.status in _LATER:
                raise AskLater(str(refused)) from refused
            return None
        except Unreachable:
            return None

    def _seed(self) -> bytes:
        return os.urandom(SEED_BYTES)


def _net(seconds: float, trip: float) -> float:
    """Without the round trip; at least a thousandth of what was seen, so that no ping makes anybody infinitely fast."""
    return max(seconds - trip, seconds / 1000, 1e-6)


def _bytes(document: dict[str, Any], name: str, size: int) -> bytes:
    """Bytes of a field, or none when it is not so many."""
    found = _parsed(document.get(name))
    return found if len(found) == size else b""


def _list(document: dict[str, Any], name: str, count: int | None = None) -> list[bytes]:
    found = document.get(name)
    if not isinstance(found, list) or (count is not None and len(found) != count):
        return []
    return [_parsed(item) for item in found]


def _parsed(value: object) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""

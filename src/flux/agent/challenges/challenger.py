"""Measures this node's targets, each once an epoch at a moment that nobody can foresee, and reports what it saw."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

import structlog

from flux.agent.challenges.examiner import AskLater, Examination, FalseAnswer, Findings, Target
from flux.agent.challenges.source import Assignment
from flux.contracts.benchmarks.types import Measurement
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32
from flux.sdk.errors import ClientError

log = structlog.get_logger(__name__)
REFRESH = 20.0
"""Seconds between two looks at the chain; a third of the epoch where epochs are shorter than a minute."""
LAST_MOMENT = 0.8
"""Measuring is planned for this first part of an epoch, so that a busy node can be asked again."""
MOST_U32 = 2**32 - 1


class ChallengeSource(Protocol):
    """The chain as the challenger needs it."""

    async def assignment(self) -> Assignment: ...


class BenchmarkReporter(Protocol):
    """Where results go."""

    async def benchmark(self, node: NodeId, measurement: Measurement) -> bool: ...
    async def accuse(self, node: NodeId, answer: FalseAnswer) -> bool: ...


class NodeExaminer(Protocol):
    """Measures one node."""

    async def examine(self, target: Target) -> Examination: ...


class Challenger:
    """The committee duties of one node; one target at a time, so that its own line and cores are not shared."""

    def __init__(
        self,
        source: ChallengeSource,
        examiner: NodeExaminer,
        reporter: BenchmarkReporter,
        draw: random.Random,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._examiner = examiner
        self._reporter = reporter
        self._draw = draw
        self._clock = clock
        self._epoch = -1
        self._moments: dict[NodeId, float] = {}

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            wait = REFRESH
            try:
                wait = await self.round()
            except ClientError as error:
                log.warning("chain not read, nobody is measured", reason=str(error))
            await asyncio.sleep(wait)

    async def round(self) -> float:
        """Measure everybody whose moment has come; seconds until the next look. Raises ClientError."""
        assignment = await self._source.assignment()
        epoch = assignment.epoch
        length = float(epoch.ends_at - epoch.started_at)
        if epoch.epoch != self._epoch:
            self._epoch, self._moments = epoch.epoch, {}
        now = self._clock()
        for target in assignment.targets:
            moment = self._moments.setdefault(target.node.id, now + self._draw.random() * length * LAST_MOMENT)
            if moment <= now:
                await self._measure(target)
        waiting = [self._moments[target.node.id] - now for target in assignment.targets]
        return max(1.0, min([REFRESH, length / 3, *(left for left in waiting if left > 0)]))

    async def _measure(self, target: Target) -> None:
        node = target.node.id
        try:
            examination = await self._examiner.examine(target)
        except AskLater as error:
            log.info("node is measured later", node=node, reason=str(error))
            return
        log.info("node measured", node=node, **_facts(examination.findings))
        if examination.false_answer is not None:
            log.warning("node signed a false answer", node=node, position=examination.false_answer.position)
            await self._reporter.accuse(node, examination.false_answer)
        await self._reporter.benchmark(node, measurement_of(examination.findings))


def measurement_of(findings: Findings) -> Measurement:
    """As the chain keeps it: whole numbers, rounded down; a round trip of less than a microsecond is one."""
    rates = (
        findings.cpu_events,
        findings.memory_mib_per_second,
        findings.disk_mib_per_second,
        findings.disk_latency_us,
        findings.network_mbit_per_second,
    )
    trip = max(1.0, findings.round_trip_us) if findings.round_trip_us else 0.0
    return Measurement(*(U32(min(int(value), MOST_U32)) for value in (*rates, trip)))


def _facts(findings: Findings) -> dict[str, int]:
    measurement = measurement_of(findings)
    return {name: getattr(measurement, name) for name in Measurement.__struct_fields__}

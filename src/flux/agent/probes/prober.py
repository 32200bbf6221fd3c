"""Pings this node's targets about once a second and reports suspicion; answers suspicion of itself; confirms others.

A ping counts only when the node signs a fresh challenge with its agent key. Two failures in a row are reported once per
outage. When nothing at all answers, the fault is taken to be ours and nothing is reported.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from flux.agent.probes.tally import EpochTally
from flux.contracts.nodes.types import Node, NodeId, NodeStatus
from flux.contracts.probes.types import MAX_TARGETS, Epoch, TargetCount
from flux.primitives.types import Hash
from flux.sdk.errors import ClientError

log = structlog.get_logger(__name__)
INTERVAL = 1.0
"""Seconds between two pings of a target."""
PING_TIMEOUT = 1.0
FAILURES_BEFORE_REPORT = 2
REFRESH = 10.0
"""Seconds after which targets and node records are read again."""
LOOK = 5.0
"""Seconds after which suspicions are looked for without a new block: the subscription may have been lost."""


class Pinger(Protocol):
    """Asks a node whether it is alive and itself."""

    async def ping(self, node: Node, seconds: float) -> bytes | None: ...


class ProbeSource(Protocol):
    """The chain as the prober needs it."""

    async def targets(self) -> Sequence[Node]: ...
    async def epoch(self) -> Epoch: ...
    async def past_targets(self) -> Sequence[NodeId]: ...
    async def suspects(self) -> Sequence[Node]: ...
    async def confirms(self, node: NodeId) -> bool: ...


class ProbeReporter(Protocol):
    """Reports that the prober makes."""

    async def suspect(self, node: NodeId) -> bool: ...
    async def alive(self) -> bool: ...
    async def reached(self, node: NodeId) -> bool: ...
    async def availability(self, epoch: Epoch, digest: Hash, counts: list[TargetCount]) -> bool: ...


class Prober:
    """Watches the targets of one node."""

    def __init__(
        self,
        node: NodeId,
        source: ProbeSource,
        pinger: Pinger,
        reporter: ProbeReporter,
        probed: Callable[[int, int], None] = lambda answered, missed: None,
    ) -> None:
        """`probed` is told how many targets answered and did not, round by round."""
        self._node = node
        self._source = source
        self._pinger = pinger
        self._reporter = reporter
        self._probed = probed
        self._targets: Sequence[Node] = ()
        self._failures: dict[NodeId, int] = {}
        self._reported: set[NodeId] = set()
        self._confirmed: set[NodeId] = set()
        self._epoch: Epoch | None = None
        self._tally = EpochTally()
        self._heard = False
        self._doubts = False
        """Whether suspicions were open at the last look."""

    async def run(self) -> None:
        """Probe until cancelled."""
        loop = asyncio.get_running_loop()
        refresh_at = look_at = 0.0
        while True:
            begun = loop.time()
            try:
                if begun >= refresh_at:
                    await self.refresh()
                    refresh_at = begun + REFRESH
                # Suspicions change with blocks only: without a new one, and none open, nothing is asked.
                look = self._heard or self._doubts or begun >= look_at
                if look:
                    look_at, self._heard = begun + LOOK, False
                await self.round(look=look)
            except ClientError as error:
                log.warning("chain not read, nothing is reported", reason=str(error))
            await asyncio.sleep(max(0.0, begun + INTERVAL - loop.time()))

    async def refresh(self) -> None:
        """Read the epoch and whom to watch; when an epoch is over, report what was seen in it."""
        epoch = await self._source.epoch()
        if self._epoch is not None and epoch != self._epoch:
            over, seen = self._epoch, self._tally
            self._epoch, self._tally = epoch, EpochTally()
            if epoch == over + 1:
                await self._report_epoch(over, seen)
        self._epoch = epoch
        self._targets = await self._source.targets()

    async def _report_epoch(self, epoch: Epoch, seen: EpochTally) -> None:
        counts = seen.counts(list(await self._source.past_targets()), MAX_TARGETS)
        if counts:
            await self._reporter.availability(epoch, seen.digest(), counts)

    def heard(self) -> None:
        """A new block: there may be suspicions in it."""
        self._heard = True

    async def round(self, *, look: bool = True) -> None:
        """One round: ping all targets at once, report what changed; `look` for open suspicions and answer them."""
        answers = await self._ping_all(self._targets)
        missed = sum(answer is None for answer in answers.values())
        self._probed(len(answers) - missed, missed)
        if len(answers) > 1 and all(answer is None for answer in answers.values()):
            log.warning("no node answers, taking the fault for ours", targets=len(answers))
        else:
            self._tally.count(answers)
            await self._judge(answers)
        if look:
            suspects = await self._source.suspects()
            self._doubts = bool(suspects)
            await self._answer_suspicions(suspects)

    async def _ping_all(self, nodes: Sequence[Node]) -> Mapping[NodeId, bytes | None]:
        answers = await asyncio.gather(*(self._pinger.ping(node, PING_TIMEOUT) for node in nodes))
        return {node.id: answer for node, answer in zip(nodes, answers, strict=True)}

    async def _judge(self, answers: Mapping[NodeId, bytes | None]) -> None:
        for node, answered in answers.items():
            if answered is not None:
                self._failures.pop(node, None)
                self._reported.discard(node)
                continue
            self._failures[node] = self._failures.get(node, 0) + 1
            if self._failures[node] >= FAILURES_BEFORE_REPORT and node not in self._reported:
                log.info("node did not answer", node=node, failures=self._failures[node])
                if await self._reporter.suspect(node):
                    self._reported.add(node)

    async def _answer_suspicions(self, suspects: Sequence[Node]) -> None:
        open_now = {node.id for node in suspects}
        self._confirmed &= open_now
        if self._node in open_now and self._node not in self._confirmed and await self._reporter.alive():
            self._confirmed.add(self._node)
        others = [node for node in suspects if node.id != self._node and node.id not in self._confirmed]
        mine = [node for node in others if await self._source.confirms(node.id)]
        for node, answered in (await self._ping_all(mine)).items():
            if answered is not None and await self._reporter.reached(node):
                self._confirmed.add(node)


def is_probed(node: Node) -> bool:
    """Whether a node should answer pings at all."""
    return node.status in (NodeStatus.ACTIVE, NodeStatus.LEAVING)

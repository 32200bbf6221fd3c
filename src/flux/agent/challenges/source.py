"""What the chain says of measuring: the sizes of tasks, who measures this node, and whom it measures."""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from flux.agent.api.benchmarks import Round
from flux.agent.challenges.examiner import Target
from flux.agent.challenges.plot import PlotPlan, plot_seed
from flux.agent.challenges.tasks import Sizes
from flux.contracts.benchmarks.types import TaskSizes
from flux.contracts.nodes.types import Node, NodeId, NodeStatus
from flux.contracts.probes.types import EpochInfo
from flux.primitives.types import Address
from flux.sdk.bindings.benchmarks import Benchmarks
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.probes import Probes
from flux.sdk.client import FluxClient
from flux.sdk.paging import all_nodes

T = TypeVar("T")
KEEP_SECONDS = 5.0
"""Answers of the chain are used again for so long, so that challenges do not become a load on it."""


class _Kept(Generic[T]):
    """The answer to one question, for a while."""

    def __init__(self, ask: Callable[[], Awaitable[T]], clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._known: tuple[float, T] | None = None

    async def get(self) -> T:
        now = self._clock()
        if self._known is None or now - self._known[0] > KEEP_SECONDS:
            self._known = (now, await self._ask())
        return self._known[1]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whom this node measures in an epoch."""

    epoch: EpochInfo
    targets: tuple[Target, ...]


class ChainChallengeSource:
    """Reads the chain for one node. Every method may raise sdk.errors.ClientError."""

    def __init__(self, client: FluxClient, node: NodeId, clock: Callable[[], float] = time.monotonic) -> None:
        self._benchmarks = Benchmarks(client)
        self._probes = Probes(client)
        self._nodes = Nodes(client)
        self._client = client
        self._node = node
        self._sizes = _Kept(self._ask_sizes, clock)
        self._round = _Kept(self._ask_round, clock)
        self._peers = _Kept(self._ask_peers, clock)

    async def sizes(self) -> Sizes:
        """How much work tasks are."""
        return await self._sizes.get()

    async def round(self) -> Round:
        """Who measures this node now."""
        return await self._round.get()

    async def peers(self) -> Collection[Address]:
        """Agents of active nodes."""
        return await self._peers.get()

    async def assignment(self) -> Assignment:
        """Whom this node has still to measure in the present epoch."""
        epoch = await self._probes.epoch()
        sizes = await self.sizes()
        targets = []
        for number in await self._benchmarks.targets(self._node):
            reports = (await self._benchmarks.reports(number)).reports
            if not any(report.reporter == self._node for report in reports):
                targets.append(target_of(await self._nodes.node(number), epoch, sizes))
        return Assignment(epoch, tuple(targets))

    async def _ask_sizes(self) -> Sizes:
        return sizes_of((await self._benchmarks.parameters()).tasks)

    async def _ask_round(self) -> Round:
        epoch = await self._probes.epoch()
        members = [await self._nodes.node(member) for member in await self._benchmarks.committee(self._node)]
        plan = plan_of(epoch, self._node, await self.sizes())
        return Round(epoch.epoch, frozenset(member.agent for member in members), plan)

    async def _ask_peers(self) -> Collection[Address]:
        nodes = await all_nodes(self._client)
        return frozenset(node.agent for node in nodes if node.status is NodeStatus.ACTIVE)


def sizes_of(tasks: TaskSizes) -> Sizes:
    """The chain's sizes as tasks use them."""
    return Sizes(*(getattr(tasks, name) for name in TaskSizes.__struct_fields__))


def plan_of(epoch: EpochInfo, node: NodeId, sizes: Sizes) -> PlotPlan:
    """The plot that a node keeps in an epoch."""
    return PlotPlan(plot_seed(epoch.seed, node), sizes.plot_blocks, sizes.plot_key_kib)


def target_of(node: Node, epoch: EpochInfo, sizes: Sizes) -> Target:
    """A node to measure; a core that is offered in part counts whole."""
    cores = -(-node.hardware.cpu_milli // 1000)
    return Target(node, epoch.epoch, min(cores, sizes.max_chains), plan_of(epoch, node.id, sizes))

"""What an agent shows: instances by state, actions, probes, how far behind the chain it is, and what containers use."""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flux.agent.loop import AgentLoop
from flux.agent.observed import ObservedContainer
from flux.contracts.market.types import LeaseId, LeaseState
from flux.runtime.errors import RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerStats, ImageReference
from flux.services.observe.server import Check

READ_FRESH = 10.0
"""Seconds after which the last reading of chain or engine is old: the loop looks every two."""
STATS_FRESH = 5.0
"""Seconds that containers' counters are shown before they are read again."""
_PARALLEL_STATS = 8
_INSTANCE = ("app", "lease", "component")
"""Labels of what is told per container: bounded by the leases that a node may hold."""
_USED: tuple[tuple[str, str, Callable[[ContainerStats], float], bool], ...] = (
    ("flux_instance_cpu_seconds", "CPU time used since the container started.", lambda s: s.cpu_ns / 1e9, True),
    ("flux_instance_memory_bytes", "Memory in use, droppable cache left out.", lambda s: s.memory_bytes, False),
    ("flux_instance_memory_limit_bytes", "Memory it may use.", lambda s: s.memory_limit_bytes, False),
    ("flux_instance_network_receive_bytes", "Bytes received.", lambda s: s.received_bytes, True),
    ("flux_instance_network_transmit_bytes", "Bytes sent.", lambda s: s.sent_bytes, True),
    ("flux_instance_disk_read_bytes", "Bytes read from block devices.", lambda s: s.read_bytes, True),
    ("flux_instance_disk_written_bytes", "Bytes written to block devices.", lambda s: s.written_bytes, True),
    ("flux_instance_processes", "Processes and threads.", lambda s: s.pids, False),
)


class AgentMetrics(Collector):
    """Counts what the agent does; reads the rest when it is asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._loop: AgentLoop | None = None
        self._runtime: ContainerRuntime | None = None
        self._images: Callable[[], Mapping[ImageReference, float]] = dict
        self._actions = Counter(
            "flux_agent_actions", "Actions on containers and reports by kind and outcome.", ["action", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._probes = Counter("flux_agent_probes", "Pings of other nodes by result.", ["result"], registry=registry)
        self._removed = Counter(
            "flux_agent_images_removed", "Images that it fetched and removed again, by reason.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._faults = Counter("flux_agent_faults", "Loops that failed and began anew: bugs.", registry=registry)
        self._head = Gauge("flux_agent_head_timestamp_seconds", "Time of the newest block heard of.", registry=registry)
        self._read_at = float("-inf")
        self._stats: dict[tuple[str, str, str], ContainerStats] = {}
        for result in ("answered", "missed"):
            self._probes.labels(result)
        for reason in ("unused", "disk"):
            self._removed.labels(reason)
        registry.register(self)

    def watch(
        self,
        loop: AgentLoop,
        runtime: ContainerRuntime,
        images: Callable[[], Mapping[ImageReference, float]] = dict,
    ) -> None:
        """Whom to ask, once they exist. `images` tells for how long each that it fetched has been unused."""
        self._loop, self._runtime, self._images = loop, runtime, images

    def acted(self, action: str, outcome: str) -> None:
        """An action was carried out, or failed."""
        self._actions.labels(action, outcome).inc()

    def probed(self, answered: int, missed: int) -> None:
        """A round of pings is over."""
        self._probes.labels("answered").inc(answered)
        self._probes.labels("missed").inc(missed)

    def image_removed(self, reason: str) -> None:
        """An image went because it was `unused` for long, or for lack of room on the `disk`."""
        self._removed.labels(reason).inc()

    def faulted(self) -> None:
        """A loop failed for no known reason."""
        self._faults.inc()

    def heard(self, timestamp: int) -> None:
        """A new block, by its time in Unix seconds."""
        self._head.set(timestamp)

    async def checks(self) -> Sequence[Check]:
        """Whether chain and engine were read a moment ago."""
        loop = self._loop
        return (
            _fresh("chain", None if loop is None else loop.chain_read_at),
            _fresh("engine", None if loop is None else loop.engine_read_at),
        )

    async def refresh(self) -> None:
        """Read the counters of all containers, unless that was done a moment ago."""
        if self._loop is None or self._runtime is None or time.monotonic() - self._read_at < STATS_FRESH:
            return
        gate = asyncio.Semaphore(_PARALLEL_STATS)
        read = await asyncio.gather(*(self._read(gate, labels, item) for labels, item in self._running()))
        self._stats = dict(found for found in read if found is not None)
        self._read_at = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        if self._loop is None:
            return
        states = Tally(LeaseState(item.lease.state).name.lower() for item in self._loop.desired().values())
        instances = GaugeMetricFamily("flux_agent_instances", "Open leases of this node by state.", labels=["state"])
        for state in LeaseState:
            if state is not LeaseState.CLOSED:
                instances.add_metric([state.name.lower()], states[state.name.lower()])
        yield instances
        held = self._images()
        images = GaugeMetricFamily("flux_agent_images", "Images that it fetched, by use.", labels=["use"])
        images.add_metric(["used"], sum(not unused for unused in held.values()))
        images.add_metric(["unused"], sum(bool(unused) for unused in held.values()))
        yield images
        for name, words, read_at in (
            ("chain", "Time of the last reading of the chain.", self._loop.chain_read_at),
            ("engine", "Time of the last reading of the container engine.", self._loop.engine_read_at),
        ):
            if read_at is not None:
                yield GaugeMetricFamily(f"flux_agent_{name}_read_timestamp_seconds", words, time.time() - _age(read_at))
        ended = CounterMetricFamily(
            "flux_instance_restarts", "Ends of its container, for any reason.", labels=_INSTANCE
        )
        for lease, labels, _ in self._containers():
            ended.add_metric(labels, self._loop.ended(lease, labels[2]))
        yield ended
        for name, words, value, is_counter in _USED:
            family = (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, words, labels=_INSTANCE)
            for labels, stats in self._stats.items():
                family.add_metric(labels, value(stats))
            yield family

    def _containers(self) -> Iterator[tuple[LeaseId, tuple[str, str, str], ObservedContainer]]:
        assert self._loop is not None
        for lease, desired in self._loop.desired().items():
            observed = self._loop.status(lease).observed
            for component, container in ({} if observed is None else observed.containers).items():
                yield lease, (desired.app_name, str(lease), component), container

    def _running(self) -> Iterator[tuple[tuple[str, str, str], ObservedContainer]]:
        return ((labels, container) for _, labels, container in self._containers() if container.is_running)

    async def _read(
        self, gate: asyncio.Semaphore, labels: tuple[str, str, str], container: ObservedContainer
    ) -> tuple[tuple[str, str, str], ContainerStats] | None:
        assert self._runtime is not None
        async with gate:
            try:
                return labels, await self._runtime.stats(container.view.id)
            except RuntimeFailure:
                return None  # it ended meanwhile, or the engine is away: /readyz says that


def _fresh(name: str, read_at: float | None) -> Check:
    if read_at is None:
        return Check(name, False, "not read yet")
    age = _age(read_at)
    return Check(name, age <= READ_FRESH, f"last read {age:.0f} s ago, {READ_FRESH:g} s are allowed")


def _age(read_at: float) -> float:
    """Seconds since a time of the loop's clock, which is monotonic."""
    return time.monotonic() - read_at

"""Benchmarks: what committees measured of each node, the sizes of their tasks, and what follows for tier and place."""

from dataclasses import dataclass

from flux.contracts.nodes.types import NodeId, Tier
from flux.contracts.probes.types import Epoch
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, ChainTime


class TierBenchmark(Record, frozen=True):
    """What a tier asks of measured speed (the Flux network's own benchmark constants)."""

    cpu_events: U32
    """A second, all cores; the event is `primitives.cpu_work`."""
    disk_mib: U32
    """A second."""
    network_mbit: U32
    """A second."""


class TaskSizes(Record, frozen=True):
    """How much work one challenge is. All of one challenge takes a node a second or two."""

    events_per_chain: U16
    max_chains: U16
    """One chain a core; more cores are not measured."""
    memory_tasks: U8
    memory_mib: U16
    """Of one task; a power of two."""
    plot_blocks: U16
    """Blocks of 64 KiB that a node keeps on its disk in an epoch in which it is challenged."""
    plot_key_kib: U16
    """Memory of the work that each block costs; a power of two."""
    disk_reads: U16
    transfer_kib: U32


class BenchmarksParams(Record, frozen=True):
    """Governance parameters of measuring."""

    tiers: tuple[TierBenchmark, ...]
    """Cumulus, Nimbus, Stratus."""
    tasks: TaskSizes
    sampled_basis_points: U16
    """Share of the nodes measured in an epoch, besides those never measured and those under notice."""
    committee: U16
    min_committee: U16
    """A smaller committee only records; nothing follows from what it says."""
    recovery_epochs: U16
    """From the notice until the lower tier."""
    kilometres_per_second: U32
    """Fastest that an answer travels; light in fibre does 200,000."""


class Measurement(Record, frozen=True):
    """What one member saw of one node; 0 where it gave no answer or a wrong one."""

    cpu_events: U32
    """A second, all cores."""
    memory_mib: U32
    """A second, of the memory-hard task."""
    disk_mib: U32
    """A second, read at random places."""
    disk_latency_us: U32
    """Of one block of 64 KiB."""
    network_mbit: U32
    """A second."""
    round_trip_us: U32
    """The least of several; 0 without an answer."""


class MemberReport(Record, frozen=True):
    """One report of a round."""

    reporter: NodeId
    measurement: Measurement
    refutes: bool
    """The reporter, where it is, could not have had an answer that fast from where the node says it is."""


class Round(Record, frozen=True):
    """The reports on a node in one epoch, until the epoch ends."""

    node: NodeId
    epoch: Epoch
    seats: U16
    """Members of its committee; 0 when it has none of other operators."""
    reports: tuple[MemberReport, ...]


class Benchmark(Record, frozen=True):
    """The last time that more than half of a committee measured the node."""

    node: NodeId
    epoch: Epoch
    measured_at: ChainTime
    seats: U16
    reports: U16
    median: Measurement
    reached: Tier
    """By speed alone; stake and declared size are the nodes contract's."""
    due: Epoch
    """Under notice: the epoch in which the tier is lowered unless the node recovers; 0 otherwise."""


class BenchmarkReported(Event, frozen=True):
    """A member measured a node."""

    node: Indexed[NodeId]
    reporter: Indexed[NodeId]
    measurement: Measurement


class NodeMeasured(Event, frozen=True):
    """The median of a committee is on record."""

    node: Indexed[NodeId]
    epoch: Indexed[Epoch]
    reports: U16
    reached: U8
    median: Measurement


class BelowTier(Event, frozen=True):
    """Notice: the node measures below its tier and is lowered in epoch `due` unless it recovers."""

    node: Indexed[NodeId]
    tier: U8
    reached: U8
    due: Epoch


class TierLimited(Event, frozen=True):
    """Measured speed now allows at most this tier."""

    node: Indexed[NodeId]
    limit: U8


class LocationRefuted(Event, frozen=True):
    """More than half of the committee had answers faster than light could bring them from the claimed country."""

    node: Indexed[NodeId]
    country: str
    votes: U16


class LocationAccepted(Event, frozen=True):
    """A later committee found the claimed country possible again."""

    node: Indexed[NodeId]
    country: str


@dataclass(eq=False)
class NotMeasured(Revert):
    """Node {node} is not to be measured in epoch {epoch}."""

    node: NodeId
    epoch: Epoch

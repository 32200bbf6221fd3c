"""Probes: committees, suspicion in two stages, restoration."""

from dataclasses import dataclass
from typing import NewType

from flux.contracts.nodes.types import NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U16, U32, U64, Address, ChainTime, Hash, Seconds

Epoch = NewType("Epoch", U64)
MAX_TARGETS = 32
"""Nodes that one report covers; a member with more reports on those with the lowest numbers."""


class EpochInfo(Record, frozen=True):
    """The current epoch."""

    epoch: Epoch
    started_at: ChainTime
    ends_at: ChainTime
    seed: Hash


class Suspicion(Record, frozen=True):
    """An open suspicion against a node."""

    node: NodeId
    votes: tuple[NodeId, ...]
    """Committee members that reported, each once."""
    first_vote_at: ChainTime
    suspected_at: ChainTime
    """When more than half had voted; 0 before."""
    closes_at: ChainTime
    """When the leases close as unreachable; 0 before, and while the node waits at the brake."""
    alive_at: ChainTime
    """When the node's own report came; 0 before."""
    confirmations: tuple[NodeId, ...]
    """Members of the second committee that reached it since."""


class ReportCount(Record, frozen=True):
    """How often a node was reported."""

    node: NodeId
    count: U16


class Reports(Record, frozen=True):
    """What one node reported in the last epoch in which it did."""

    epoch: Epoch
    counts: tuple[ReportCount, ...]


class TargetCount(Record, frozen=True):
    """How often a node was asked in an epoch, and how often it answered with its signature."""

    node: NodeId
    asked: U32
    answered: U32


class Seen(Record, frozen=True):
    """What one committee member saw of a node."""

    reporter: NodeId
    availability: U32
    """Parts per million."""


class Availability(Record, frozen=True):
    """What the committee says of a node in the last epoch that was reported."""

    epoch: Epoch
    seen: tuple[Seen, ...]
    """By reporter, in the order of their reports."""
    committee: tuple[NodeId, ...]
    """Who sat in it when the first of them reported; nobody else's report counts."""


class Conduct(Record, frozen=True):
    """How a node lately did what it owes to others: moving averages over `conduct_window` events, parts per million."""

    duty: U32
    """Of its reports on others: those missing, or far from what the committee agreed on."""
    starts: U32
    """Of instances that it was to start: those that it failed to start and another node then started."""


class Digest(Record, frozen=True):
    """What a member's report stands on."""

    epoch: Epoch
    root: Hash
    """Merkle root over the signed answers that it counted; zero when there were none."""
    is_full: bool
    """Whether as many nodes as a report can name counted; then nothing says that it should have named more."""


class Refuted(Record, frozen=True):
    """How many suspicions that a node voted for were contradicted, in the last epoch with any and the one before."""

    epoch: Epoch
    count: U16
    before: U16


class Brake(Record, frozen=True):
    """Whether so many nodes are lost at once that the fault is taken to be the observer's."""

    since: ChainTime
    """When it began to hold; 0 when it does not."""
    fleet: U32
    """Active nodes at that time."""
    per_minute: U32
    """Suspect nodes whose leases are re-placed in any minute while it holds."""
    released_at: ChainTime
    """When it last ceased to hold; 0 when it never held."""


class BrakeInfo(Record, frozen=True):
    """The brake, with what it is about."""

    brake: Brake
    doubted: U32
    """Nodes that more than a third of a committee could not reach within the last minute."""
    waiting: U32
    """Suspect nodes whose leases are not re-placed yet."""


class ProbesParams(Record, frozen=True):
    """Governance parameters of probing."""

    epoch: Seconds
    committee: U16
    second_committee: U16
    vote_window: Seconds
    """More than half of the committee must report within this."""
    suspicion_bound: Seconds
    """A suspect node that is not restored by then loses its leases."""
    refuted_loss: U32
    """What each contradicted suspicion takes of the reporter's availability in that epoch, parts per million."""
    duty_tolerance: U32
    """A count further than this from what the committee agreed on is far from it, parts per million."""
    conduct_window: U16
    """About how many events a moving average of conduct remembers."""
    conduct_allowance: U32
    """Failures above this part take availability, all of it at twice this; parts per million."""
    unlocated_loss: U32
    """What a refuted place takes of a node's availability until it stands again, parts per million."""
    reports_per_epoch: U16
    """Suspicions that one member may report of one node in an epoch; reports are free, so they are counted."""
    brake_fleet: U16
    """Smallest number of active nodes for which there is a brake."""
    brake_part: U16
    """It begins to hold when more than one in this many active nodes are doubted within a minute."""
    brake_rate: U16
    """One in this many active nodes, at least one, is re-placed in a minute before it is clear whether it must hold,
    and while it holds."""
    brake_look: Seconds
    """How long a suspect node above that rate waits for more doubts while the brake does not hold."""


class AvailabilityReported(Event, frozen=True):
    """A committee member said what it saw in an epoch."""

    reporter: Indexed[NodeId]
    epoch: Indexed[Epoch]
    digest: Hash


class TargetsLeftOut(Event, frozen=True):
    """Nodes of a report that count for nothing, since the reporter is not in their committees of that epoch."""

    reporter: Indexed[NodeId]
    epoch: Indexed[Epoch]
    nodes: tuple[NodeId, ...]
    """In rising order; never all that the report named."""


class SuspicionReported(Event, frozen=True):
    """A committee member could not reach a node."""

    node: Indexed[NodeId]
    reporter: Indexed[NodeId]


class NodeSuspected(Event, frozen=True):
    """More than half of the committee could not reach the node."""

    node: Indexed[NodeId]
    votes: U16


class NodeRestored(Event, frozen=True):
    """The second committee reached the node again."""

    node: Indexed[NodeId]
    confirmations: U16


class NodeUnreachable(Event, frozen=True):
    """The bound passed; the node's leases were closed."""

    node: Indexed[NodeId]


class BrakeSet(Event, frozen=True):
    """Too many nodes are lost at once: from now on they are re-placed at a limited rate."""

    fleet: U32
    """Active nodes."""
    doubted: U32
    """Nodes that more than a third of a committee could not reach within a minute."""
    per_minute: U32


class BrakeReleased(Event, frozen=True):
    """No suspect node waits any more, and few are doubted."""

    since: ChainTime


class EpochStarted(Event, frozen=True):
    """A new epoch with its seed."""

    epoch: Indexed[Epoch]
    seed: Hash


@dataclass(eq=False)
class NotAgent(Revert):
    """{caller} is not the agent of an active node."""

    caller: Address


@dataclass(eq=False)
class NotInCommittee(Revert):
    """Node {reporter} is not in the committee of node {node} in epoch {epoch}."""

    reporter: NodeId
    node: NodeId
    epoch: Epoch


@dataclass(eq=False)
class AlreadyReported(Revert):
    """Node {reporter} has already reported this about node {node}."""

    reporter: NodeId
    node: NodeId


@dataclass(eq=False)
class NotSuspected(Revert):
    """Node {node} is not under suspicion."""

    node: NodeId


@dataclass(eq=False)
class TooManyReports(Revert):
    """Node {reporter} has reported node {node} as often as it may in this epoch."""

    reporter: NodeId
    node: NodeId


@dataclass(eq=False)
class WrongEpoch(Revert):
    """Epoch {epoch} is not the one that can be reported on now, which is {reportable}."""

    epoch: Epoch
    reportable: Epoch


@dataclass(eq=False)
class InvalidCounts(Revert):
    """The counts of answered probes are not in order: {reason}."""

    reason: str

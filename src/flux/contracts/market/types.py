"""Market: leases, why a node was or was not chosen, and what closes a lease."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.nodes.types import NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U64, U256, Address, ChainTime, Seconds, Wei

LeaseId = NewType("LeaseId", U64)
"""Dense and never reused; the first lease is 1, so 0 means none."""
Ordinal = NewType("Ordinal", U16)
"""Number of an instance inside its app, from 0."""
RatePerSecond = NewType("RatePerSecond", Wei)
UsdRate = NewType("UsdRate", U256)
"""10**-18 dollars per second: to a dollar what wei per second are to FLUX."""
NO_USD_RATE = UsdRate(U256(0))


AT_MOST_ONE_LAPSE = 15
"""Seconds without a renewed lease after which an agent stops an instance of an app that asks for at-most-one."""


class LeaseState(IntEnum):
    """assigned → running → (suspect or stalled, and back) → closed."""

    ASSIGNED = 1
    RUNNING = 2
    """The node confirmed it; accrual runs."""
    SUSPECT = 3
    """Its node was not seen to serve; nothing accrues."""
    CLOSED = 4
    STALLED = 5
    """Its node said that nothing of it runs until it is started again; nothing accrues."""


class CloseReason(IntEnum):
    """Why a lease ended; machine-readable and stable."""

    NONE = 0
    REMOVED = 1
    """The owner removed the app."""
    MOVED = 2
    """The owner moved the instance away."""
    SCALED_DOWN = 3
    UPDATED = 4
    """A newer revision took its place."""
    PAUSED = 5
    DEPLETED = 6
    START_FAILED = 7
    """The node reported that it cannot run it."""
    START_TIMEOUT = 8
    """The node stayed silent past the deadline."""
    CRASHED = 9
    """The node reported that it stopped for good."""
    UNREACHABLE = 10
    """The committee lost the node."""
    NODE_LEAVING = 11
    SURPLUS = 12
    """A replacement that was not needed after all."""
    DRAINED = 13
    """The operator drained the node."""
    ROLLED_BACK = 14
    """An earlier revision took its place again."""


class FailReason(IntEnum):
    """What an agent reports when an instance cannot run."""

    IMAGE_PULL = 1
    CREATE = 2
    START = 3
    UNHEALTHY = 4
    CRASH_LOOP = 5
    NO_RESOURCES = 6
    NO_SEED = 7
    """Nobody sealed the private half to this node in time."""
    BAD_SPEC = 8


class Rejection(IntEnum):
    """Why a node was not chosen; NONE means it could run the instance. Checked in this order, LOCATION after GEO,
    DRAINING after NOT_ACTIVE."""

    NONE = 0
    NOT_ACTIVE = 1
    """Its status is not active, or its committee suspects it."""
    TIER = 2
    ARCHITECTURE = 3
    GEO = 4
    STATIC_IP = 5
    GPU = 6
    CPU = 7
    MEMORY = 8
    DISK = 9
    PRICE = 10
    EXCLUDED = 11
    """It failed this app recently, or the owner moved an instance away from it."""
    HOSTS_ALREADY = 12
    """It runs another instance of the app."""
    SLOTS = 13
    """It holds as many leases as a node may."""
    LOCATION = 14
    """The app has geo rules, and committees found that the node cannot be in the country that it declares."""
    DRAINING = 15
    """Its operator drains it."""


class PortBinding(Record, frozen=True):
    """Where a component's port is reachable on its node."""

    component: str
    container: U16
    host: U16
    protocol: U8
    """6 TCP, 17 UDP (IANA protocol numbers)."""


class Lease(Record, frozen=True):
    """The chain's record that a node hosts an instance of an app at a rate."""

    id: LeaseId
    app: AppId
    revision: Revision
    ordinal: Ordinal
    node: NodeId
    state: LeaseState
    rate: RatePerSecond
    """Wei per second while running; of a lease in dollars, what that was at the price of the block that placed it."""
    assigned_at: ChainTime
    running_at: ChainTime
    """0 until confirmed."""
    closed_at: ChainTime
    """0 while open."""
    replaces: LeaseId
    """The lease whose place it takes once running; 0 for none."""
    reason: CloseReason
    detail: str
    """Sentence of the agent's failure report; at most 200 characters."""
    bindings: tuple[PortBinding, ...]
    usd_rate: UsdRate = NO_USD_RATE
    """What is paid instead of `rate` when the lease is in dollars, at the price of each moment; else 0."""


class PendingInstance(Record, frozen=True):
    """An instance that waits for a node."""

    app: AppId
    ordinal: Ordinal
    since: ChainTime
    replaces: LeaseId


class Verdict(Record, frozen=True):
    """What the market says of one node for one spec."""

    node: NodeId
    rejection: Rejection
    rate: RatePerSecond
    """Price of one instance there, wei per second at this block's price of FLUX."""
    usd_rate: UsdRate
    """What the lease would cost instead, if it would be in dollars; else 0."""


class Relocation(Record, frozen=True):
    """An instance that would be cheaper on another node."""

    ordinal: Ordinal
    lease: LeaseId
    node: NodeId
    """Where it runs."""
    to: NodeId
    rate: RatePerSecond
    """What it costs now, wei per second."""
    new_rate: RatePerSecond


class Usage(Record, frozen=True):
    """What open leases take of a node."""

    cpu_milli: U32
    memory_mib: U32
    disk_mib: U32
    gpu_count: U8


class NodeLoad(Record, frozen=True):
    """What the market keeps of a node."""

    cpu_milli: U32
    memory_mib: U32
    disk_mib: U32
    gpu_count: U8
    leases: tuple[LeaseId, ...]
    """Open ones, oldest first; at most max_leases_per_node."""
    suspect: bool
    """Whether its committee lost it."""


class OpenLeases(Record, frozen=True):
    """What the market keeps of an app."""

    leases: tuple[LeaseId, ...]
    """Open ones, oldest first; bounded by its instances and their replacements."""


class Waiting(Record, frozen=True):
    """Why an instance waits, and since when."""

    since: ChainTime
    replaces: LeaseId
    rejections: tuple[U32, ...]
    """Nodes rejected at the last attempt, by Rejection; empty before the first."""


class Exclusion(Record, frozen=True):
    """A node that an app is kept away from."""

    until: ChainTime
    revision: Revision
    """The revision that the node failed; a newer one may be tried there. 0: the owner moved away from it."""
    failed_start: bool = False
    """Whether the node failed to start that revision; held against it once another node starts it."""


class Fence(Record, frozen=True):
    """Closed leases of an instance that must not run twice, whose nodes may not have stopped yet."""

    until: ChainTime
    """Nothing is placed before, unless all of them are known to have stopped."""
    leases: tuple[LeaseId, ...]


class VolumeHolder(Record, frozen=True):
    """The node where an instance with volumes ran last, and so where its data is."""

    node: NodeId
    until: ChainTime
    """How long it is preferred; 0 while the instance runs there."""


class Upstream(Record, frozen=True):
    """Where one running instance answers."""

    lease: LeaseId
    ordinal: Ordinal
    node: NodeId
    host: str
    port: U16


class Route(Record, frozen=True):
    """What an ingress serves for one app; no upstreams means nothing runs yet."""

    app: AppId
    name: str
    sticky: bool
    upstreams: tuple[Upstream, ...]
    """Running leases, and suspect ones last: the ingress' own health checks decide."""


class MarketParams(Record, frozen=True):
    """Governance parameters of the market."""

    start_deadline: Seconds
    """A lease not confirmed by then is closed."""
    exclusion: Seconds
    """How long a node that failed an app is not asked again for it."""
    max_placements_per_block: U32
    """Pending instances tried per block, placed or not."""
    closed_leases_kept: U16
    """Closed leases kept readable per app."""
    max_leases_per_node: U16
    """Open leases of one node; bounds the work of losing it."""
    max_exclusions: U16
    """Nodes excluded per app at one time; the oldest exclusion gives way."""
    fence_margin: Seconds
    """Of an app that asks for at-most-one: how long another lease waits beyond the time in which its last node stops
    by itself."""
    volume_memory: Seconds
    """How long after an instance with volumes ended its node is preferred for it: the quarantine of volumes."""
    rollout_deadline: Seconds
    """A rollout that came no step further for this long has failed."""
    stall_interval: Seconds
    """A lease may stall again only so long after it stalled last: each time is two free reports."""
    standby_basis_points: U16
    """What a node is paid for holding an app's images, of what an instance would cost there; 200 = 2 %."""
    standby_interval: Seconds
    """How often an app's nodes that stand by are looked at when nothing happens."""
    max_standbys_per_node: U16
    """Apps that one node stands by for; bounds the work of losing it."""


class LeaseAssigned(Event, frozen=True):
    """The chain placed an instance."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]
    ordinal: Ordinal
    revision: Revision
    rate: RatePerSecond
    replaces: LeaseId
    usd_rate: UsdRate


class InstanceFenced(Event, frozen=True):
    """An instance that must not run twice waits until its last node has stopped it for sure."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    ordinal: Ordinal
    until: ChainTime


class VolumesKept(Event, frozen=True):
    """The instance was placed where its volumes are, whatever other nodes ask."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class LeaseRunning(Event, frozen=True):
    """The node confirmed the instance; accrual starts."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class LeaseSuspect(Event, frozen=True):
    """The node's committee lost it; accrual stops."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class LeaseRestored(Event, frozen=True):
    """A suspect lease is running again."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class LeaseStalled(Event, frozen=True):
    """Nothing of the instance runs for now, says its node; accrual stops."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class LeaseResumed(Event, frozen=True):
    """A stalled lease is running again."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]


class LeaseClosed(Event, frozen=True):
    """A lease ended."""

    lease: Indexed[LeaseId]
    app: Indexed[AppId]
    node: Indexed[NodeId]
    reason: U8
    detail: str


class InstancePending(Event, frozen=True):
    """An instance found no node; each count says how many nodes were rejected for that reason (index = Rejection)."""

    app: Indexed[AppId]
    ordinal: Ordinal
    rejections: tuple[U32, ...]


@dataclass(eq=False)
class UnknownLease(Revert):
    """There is no lease {lease}."""

    lease: LeaseId


@dataclass(eq=False)
class NotLeaseHolder(Revert):
    """Lease {lease} belongs to node {node}; {caller} is not its agent."""

    lease: LeaseId
    node: NodeId
    caller: Address


@dataclass(eq=False)
class WrongLeaseState(Revert):
    """Lease {lease} is in state {state}, which does not allow this."""

    lease: LeaseId
    state: U8


@dataclass(eq=False)
class InvalidReport(Revert):
    """The report on lease {lease} is not valid: {reason}."""

    lease: LeaseId
    reason: str


@dataclass(eq=False)
class UnknownInstance(Revert):
    """App {app} has no open instance {ordinal}."""

    app: AppId
    ordinal: Ordinal


@dataclass(eq=False)
class NotSettled(Revert):
    """An instance of app {app} starts, waits or is in doubt; move others when all run."""

    app: AppId


@dataclass(eq=False)
class NothingSaved(Revert):
    """Instance {ordinal} of app {app} would not be cheaper on another node."""

    app: AppId
    ordinal: Ordinal


@dataclass(eq=False)
class NotAppOwner(Revert):
    """App {app} belongs to {owner}; {caller} may not move its instances."""

    app: AppId
    owner: Address
    caller: Address

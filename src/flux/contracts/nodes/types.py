"""Nodes: what a hosting machine declares and what the chain records of it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, Hash, Seconds, Wei

NodeId = NewType("NodeId", U32)
"""Dense and never reused; the first node is 1, so 0 means none."""


class Tier(IntEnum):
    """What a node's stake and hardware entitle it to; NONE earns no tier rewards and hosts nothing."""

    NONE = 0
    CUMULUS = 1
    NIMBUS = 2
    STRATUS = 3


class NodeStatus(IntEnum):
    """Lifecycle: registered → active → (suspended) → active | leaving → gone."""

    REGISTERED = 1
    ACTIVE = 2
    SUSPENDED = 3
    LEAVING = 4
    GONE = 5


class Architecture(IntEnum):
    """Processor architectures, as OCI images name them."""

    AMD64 = 1
    ARM64 = 2


class Hardware(Record, frozen=True):
    """What the machine offers to apps."""

    cpu_milli: U32
    """Thousandths of a core."""
    memory_mib: U32
    disk_mib: U32
    architecture: Architecture
    gpu_count: U8
    gpu_model: str
    """Empty without a GPU."""


class Currency(IntEnum):
    """What a price or a bill is counted in."""

    FLUX = 1
    USD = 2


MAX_USD_ASK = 1 << 36
"""The highest price in dollars, billionths per hour ($68.7): times 10**8 it stays inside int64 (market/fleet.py)."""


class Ask(Record, frozen=True):
    """Prices per hour in billionths of a FLUX (gwei) or of a US dollar.

    `NodesParams.max_ask` keeps placement inside int64 (market/rules.py).
    """

    cpu: U64
    """Per core."""
    memory: U64
    """Per GiB of memory."""
    disk: U64
    """Per GiB of disk."""
    gpu: U64
    """Per GPU."""
    currency: Currency = Currency.FLUX


class Location(Record, frozen=True):
    """Where the machine is, in the terms of Flux geolocation rules."""

    continent: str
    """Two letters: EU, NA, AS, SA, AF, OC, AN."""
    country: str
    """ISO 3166-1 alpha-2."""
    region: str
    """ISO 3166-2 subdivision or a name; may be empty."""


class Endpoint(Record, frozen=True):
    """How to reach the node's agent."""

    host: str
    """IP address (or name) that clients, peers and ingresses connect to."""
    port: U16
    """Port of the agent's HTTPS API."""
    certificate: Hash
    """SHA-256 of the agent's DER certificate; every client pins it."""
    seal_key: Hash
    """X25519 public key to which seeds are sealed."""
    residential: bool
    static_ip: bool


class Node(Record, frozen=True):
    """The chain's record of a node."""

    id: NodeId
    operator: Address
    """Cold key: holds its own stake (contracts/staking), sets the ask."""
    agent: Address
    """Hot key: may only report."""
    status: NodeStatus
    tier: Tier
    endpoint: Endpoint
    location: Location
    hardware: Hardware
    ask: Ask
    registered_at: ChainTime
    status_since: ChainTime
    status_reason: str
    """Why the node is suspended or leaving; empty otherwise."""
    measured: Tier = Tier.STRATUS
    """The highest tier that its measured speed allows; Stratus until a committee has measured less."""
    located: bool = True
    """Whether its declared country counts; a committee can find that it cannot be there."""
    drains_until: ChainTime = ChainTime(U64(0))
    """It takes nothing new and what runs there moves away, at the latest by then; 0 when it does not drain."""


class TierRequirement(Record, frozen=True):
    """What a tier asks for."""

    stake: Wei
    """Own and delegated together."""
    cpu_milli: U32
    memory_mib: U32
    disk_mib: U32


class NodesParams(Record, frozen=True):
    """Governance parameters of the nodes contract."""

    tiers: tuple[TierRequirement, ...]
    """Cumulus, Nimbus, Stratus."""
    own_stake: U16
    """Ten-thousandths of a tier's stake that must be the operator's own."""
    tier_tolerance: U16
    """Ten-thousandths of its tier's stake that a node may lack and still keep the tier, once it has reached it."""
    rejoin_delay: Seconds
    """A suspended node may activate again after this long."""
    max_ask: Ask
    """Highest price of each resource, in billionths of either currency; in dollars `MAX_USD_ASK` holds too."""
    drain_deadline: Seconds
    """What a draining or leaving node still holds after this long is closed, replaced or not."""


class NodeRegistered(Event, frozen=True):
    """A machine joined."""

    node: Indexed[NodeId]
    operator: Indexed[Address]
    agent: Indexed[Address]
    tier: U8


class NodeStatusChanged(Event, frozen=True):
    """A node entered a status."""

    node: Indexed[NodeId]
    status: U8
    reason: str


class NodeUpdated(Event, frozen=True):
    """A node's ask, endpoint, hardware or tier changed."""

    node: Indexed[NodeId]
    tier: U8


@dataclass(eq=False)
class UnknownNode(Revert):
    """There is no node {node}."""

    node: NodeId


@dataclass(eq=False)
class AgentTaken(Revert):
    """Agent key {agent} already belongs to node {node}; make a new one with `flux node init`."""

    agent: Address
    node: NodeId


@dataclass(eq=False)
class InsufficientStake(Revert):
    """A stake of {provided} wei stands where {required} wei are needed for any tier."""

    required: Wei
    provided: Wei


@dataclass(eq=False)
class InsufficientHardware(Revert):
    """No tier takes {cpu_milli} milli-cores, {memory_mib} MiB of memory and {disk_mib} MiB of disk."""

    cpu_milli: U32
    memory_mib: U32
    disk_mib: U32


@dataclass(eq=False)
class InvalidDeclaration(Revert):
    """The node's {field} is not valid: {reason}."""

    field: str
    reason: str


@dataclass(eq=False)
class UnknownAgent(Revert):
    """{agent} is not the agent key of any node; register the node first."""

    agent: Address


@dataclass(eq=False)
class WrongNodeStatus(Revert):
    """Node {node} is in status {status}, which does not allow this."""

    node: NodeId
    status: U8


@dataclass(eq=False)
class TooEarly(Revert):
    """This is possible again from protocol time {allowed_from} on."""

    allowed_from: ChainTime


@dataclass(eq=False)
class MeasuredTooSlow(Revert):
    """Node {node} was measured below the lowest tier; see `flux node benchmark`. It is measured again each epoch."""

    node: NodeId

"""Staking: who stands behind each node with how much, and how stake leaves."""

from dataclasses import dataclass
from typing import NewType

from flux.contracts.nodes.types import NodeId
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U16, U32, U256, Address, ChainTime, Seconds, Wei

Shares = NewType("Shares", U256)
"""Parts of a pool or of a batch; what one is worth follows from the whole."""
BasisPoints = NewType("BasisPoints", U16)
"""Ten-thousandths."""
PartsPerMillion = NewType("PartsPerMillion", U32)
EVERYTHING = 2**256 - 1
"""Given as an amount to take out, it means the whole position."""


class Pool(Record, frozen=True):
    """All stake that is bonded to one node, its operator's and others'."""

    node: NodeId
    operator: Address
    stake: Wei
    """What all shares together are worth."""
    shares: Shares
    own_shares: Shares
    """The operator's part of `shares`."""
    commission: BasisPoints
    """What the operator keeps of the delegators' rewards."""
    commission_since: ChainTime
    """When the commission last changed."""


class Position(Record, frozen=True):
    """One account's part of a pool."""

    shares: Shares
    power: Wei
    """What the shares were worth when the account's position was last touched; counted as voting power."""


class Batch(Record, frozen=True):
    """What left one pool in the same step of time and can still be slashed together."""

    ends: ChainTime
    """From then on it is free."""
    amount: Wei
    """Unbonding: what all units together are worth."""
    units: Shares
    moved: Wei
    """Redelegated: what answers for the node it left, although it is bonded to another."""
    moved_units: Shares


class Move(Record, frozen=True):
    """Redelegated stake, as long as it answers for the node that it left."""

    source: NodeId
    begins: ChainTime
    """The batch of the source that it answers with."""
    units: Shares
    """Its part of that batch."""
    amount: Wei
    """What of it has survived so far."""
    shares: Shares
    """Its part of the pool it is bonded to now; these cannot leave yet."""
    until: ChainTime
    """From then on it is free."""


class Delegation(Record, frozen=True):
    """A position as people want to see it."""

    node: NodeId
    account: Address
    shares: Shares
    value: Wei
    power: Wei
    locked: Wei
    """Part of the value that was redelegated and cannot leave yet."""
    locked_until: ChainTime
    """0 when nothing is locked."""


class Unbonding(Record, frozen=True):
    """Stake on its way out."""

    node: NodeId
    amount: Wei
    begins: ChainTime
    """Until then it answers for the node as if it were bonded."""
    ends: ChainTime
    """From then on it can be withdrawn."""


class StakingParams(Record, frozen=True):
    """Governance parameters of staking."""

    unbonding: Seconds
    """How long stake stays slashable after it left; also how long redelegated stake stays where it is."""
    unbonding_step: Seconds
    """Undelegations of one step leave together; `unbonding` / `unbonding_step` bounds what a slash walks over."""
    min_delegation: Wei
    """Smallest delegation, and smallest remainder of one."""
    initial_commission: BasisPoints
    max_commission: BasisPoints
    max_commission_change: BasisPoints
    """Most that the commission may change at once while others have delegated."""
    commission_interval: Seconds
    """Between two such changes."""


class Delegated(Event, frozen=True):
    """Stake was bonded to a node."""

    node: Indexed[NodeId]
    account: Indexed[Address]
    amount: Wei
    shares: Shares


class Undelegated(Event, frozen=True):
    """Stake began to leave a node."""

    node: Indexed[NodeId]
    account: Indexed[Address]
    amount: Wei
    ends: ChainTime


class Redelegated(Event, frozen=True):
    """Stake moved from one node to another."""

    source: Indexed[NodeId]
    target: Indexed[NodeId]
    account: Indexed[Address]
    amount: Wei
    until: ChainTime


class StakeWithdrawn(Event, frozen=True):
    """Stake that had left was paid out."""

    node: Indexed[NodeId]
    account: Indexed[Address]
    amount: Wei


class CommissionChanged(Event, frozen=True):
    """An operator changed its commission."""

    node: Indexed[NodeId]
    commission: BasisPoints


class Slashed(Event, frozen=True):
    """Stake of a node was destroyed for a fault."""

    node: Indexed[NodeId]
    bonded: Wei
    """Taken from the pool."""
    unbonding: Wei
    """Taken from what was leaving."""
    rewarded: Wei
    """Part of it that the reporter got; the rest is burned."""
    infraction: ChainTime
    reason: str


class MoveSlashed(Event, frozen=True):
    """Redelegated stake lost its part of a slash of the node that it had left."""

    node: Indexed[NodeId]
    account: Indexed[Address]
    source: NodeId
    burned: Wei


@dataclass(eq=False)
class BelowMinimum(Revert):
    """{provided} wei are less than the {required} wei that a delegation, or what is left of one, must be."""

    required: Wei
    provided: Wei


@dataclass(eq=False)
class ZeroShares(Revert):
    """{amount} wei are too little for a single share of node {node}."""

    node: NodeId
    amount: Wei


@dataclass(eq=False)
class NotEnoughStaked(Revert):
    """{account} has {available} wei that could leave node {node} now, and {required} wei were asked for."""

    node: NodeId
    account: Address
    available: Wei
    required: Wei


@dataclass(eq=False)
class OwnStakeTooLow(Revert):
    """The operator of node {node} keeps {required} wei of its own until the node is gone; {left} wei would be left."""

    node: NodeId
    required: Wei
    left: Wei


@dataclass(eq=False)
class PoolExhausted(Revert):
    """Slashing has made the shares of node {node} all but worthless; it takes no more stake."""

    node: NodeId


@dataclass(eq=False)
class NotDelegable(Revert):
    """Node {node} leaves the network and takes no stake; see `flux node ls`."""

    node: NodeId


@dataclass(eq=False)
class SameNode(Revert):
    """Stake cannot move from node {node} to itself."""

    node: NodeId


@dataclass(eq=False)
class RedelegationCoolingDown(Revert):
    """Stake that {account} moved to node {node} stays there until protocol time {until}."""

    node: NodeId
    account: Address
    until: ChainTime


@dataclass(eq=False)
class NothingToWithdraw(Revert):
    """{account} has nothing of node {node} that is through with unbonding; the next is at protocol time {next_at}."""

    node: NodeId
    account: Address
    next_at: ChainTime


@dataclass(eq=False)
class CommissionTooHigh(Revert):
    """A commission of {commission} is above the maximum of {maximum} ten-thousandths."""

    commission: BasisPoints
    maximum: BasisPoints


@dataclass(eq=False)
class CommissionChangeTooLarge(Revert):
    """The commission may change by {maximum} ten-thousandths at once, not by {change}."""

    change: BasisPoints
    maximum: BasisPoints


@dataclass(eq=False)
class CommissionChangedRecently(Revert):
    """The commission of node {node} can change again from protocol time {allowed_from} on."""

    node: NodeId
    allowed_from: ChainTime


@dataclass(eq=False)
class InvalidSlash(Revert):
    """{parts} millionths are not a part that can be slashed, or the reporter's {reward} are not."""

    parts: PartsPerMillion
    reward: PartsPerMillion


@dataclass(eq=False)
class InvalidInfraction(Revert):
    """A fault at {infraction} cannot be punished now: it must lie between {earliest} and {latest}."""

    infraction: ChainTime
    earliest: ChainTime
    latest: ChainTime

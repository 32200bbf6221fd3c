"""Validators: who takes part in consensus, with which key, and for which node."""

from dataclasses import dataclass
from enum import IntEnum

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch
from flux.contracts.staking.types import PartsPerMillion
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, ConsensusAddress, Hash, Seconds, Timestamp, Wei


class ValidatorStatus(IntEnum):
    """Lifecycle: active → jailed → active; tombstoned for ever after signing twice."""

    ACTIVE = 1
    JAILED = 2
    TOMBSTONED = 3


class FirstValidator(Record, frozen=True):
    """A validator that a genesis file names; it has no node behind it yet."""

    public_key: Hash
    """Ed25519."""
    operator: Address
    """Receives the tips of its blocks, and may later opt a node in with the same key."""
    power: U64
    """Whole FLUX."""


class Validator(Record, frozen=True):
    """A node that opted in."""

    node: NodeId
    consensus: ConsensusAddress
    """Of its key."""
    status: ValidatorStatus
    since: ChainTime
    """When it opted in."""
    jailed_until: ChainTime
    """From then on `unjail` is allowed; 0 unless jailed."""
    onion: Hash
    """Hash of the preimage that it reveals next."""
    reveals_left: U32
    reveals_from: Epoch
    """First epoch in which it may reveal: a later one than that in which it committed to the onion."""
    revealed_next: Epoch
    """The epoch after the last one in which it revealed; 0 before the first."""


class Key(Record, frozen=True):
    """A consensus key that the protocol knows. It answers for one node until evidence against it would be too old."""

    public_key: Hash
    operator: Address
    node: NodeId
    """0 for a validator of the genesis that no node has claimed."""
    since: ChainTime
    retired_at: ChainTime
    """When it left the set or its node opted out; 0 while it is used."""
    tombstoned: bool
    """It signed twice: never used again."""


class Seat(Record, frozen=True):
    """A place in the validator set, as the consensus engine was told last."""

    public_key: Hash
    power: U64


class SeatInfo(Record, frozen=True):
    """A place in the validator set, with who fills it."""

    consensus: ConsensusAddress
    public_key: Hash
    power: U64
    """Whole FLUX, capped."""
    node: NodeId
    """0 for a validator of the genesis that no node has claimed."""
    operator: Address


class Count(Record, frozen=True):
    """What a key did lately."""

    consensus: ConsensusAddress
    missed: U32
    """Blocks not signed in the present window."""
    signed: U32
    """Blocks signed in the present epoch."""
    proposed: U32
    """Blocks proposed in the present epoch."""


class Tally(Record, frozen=True):
    """Counts of all keys that were in a commit of the present epoch or window, by consensus address."""

    window: U64
    counts: tuple[Count, ...]


class ProducerWork(Record, frozen=True):
    """What one key did for the chain in one epoch; what the producers' share of rewards is divided by."""

    node: NodeId
    operator: Address
    signed: U32
    proposed: U32
    revealed: bool
    """Whether it added to the epoch's seed; without it the epoch earns no producers' share."""


class EpochWork(Record, frozen=True):
    """What all keys did in one epoch."""

    work: tuple[ProducerWork, ...]


class Mix(Record, frozen=True):
    """What validators have revealed in the present epoch."""

    value: Hash
    """Exclusive or of the preimages' hashes, so that their order is nobody's choice."""
    reveals: U16


class ValidatorsParams(Record, frozen=True):
    """Governance parameters of the validator set."""

    max_validators: U16
    """Seats."""
    min_validators: U16
    """While fewer qualify by stake, the genesis' validators keep their seats."""
    min_power: U64
    """Whole FLUX that a validator's stake must reach."""
    missed_window: U32
    """Blocks."""
    max_missed: U32
    """Blocks not signed in one window that are forgiven."""
    jail: Seconds
    """Before `unjail` is allowed."""
    downtime_slash: PartsPerMillion
    double_sign_slash: PartsPerMillion
    evidence_age: Seconds
    """Evidence older than this is ignored; shorter than unbonding takes."""
    trust_period: Seconds
    """How long a light client may trust a validator set; shorter than unbonding takes."""
    max_reveals: U32
    """Longest onion."""
    epochs_kept: U16
    """Epochs whose work can be read."""


class ValidatorEnabled(Event, frozen=True):
    """A node opted in."""

    node: Indexed[NodeId]
    consensus: Indexed[ConsensusAddress]
    public_key: Hash


class ValidatorDisabled(Event, frozen=True):
    """A node opted out, by itself or by leaving the network."""

    node: Indexed[NodeId]
    consensus: Indexed[ConsensusAddress]


class PowerChanged(Event, frozen=True):
    """The consensus engine is told a validator's new power; 0 means out."""

    consensus: Indexed[ConsensusAddress]
    before: U64
    after: U64


class ValidatorJailed(Event, frozen=True):
    """A validator missed too many blocks."""

    node: Indexed[NodeId]
    until: ChainTime
    burned: Wei


class ValidatorUnjailed(Event, frozen=True):
    """A validator is a candidate again from the next epoch on."""

    node: Indexed[NodeId]


class ValidatorTombstoned(Event, frozen=True):
    """A key signed twice."""

    node: Indexed[NodeId]
    consensus: Indexed[ConsensusAddress]
    height: U64
    """Where it signed twice."""
    burned: Wei


class EvidenceIgnored(Event, frozen=True):
    """Evidence against a key that is not known (any more), was punished already, or is too old."""

    consensus: Indexed[ConsensusAddress]
    time: Timestamp


class SeedRevealed(Event, frozen=True):
    """A validator added to the next epoch's seed."""

    node: Indexed[NodeId]
    epoch: Indexed[Epoch]
    preimage: Hash


class OnionCommitted(Event, frozen=True):
    """A validator committed to what it will reveal."""

    node: Indexed[NodeId]
    onion: Hash
    reveals: U32
    starts_in: Epoch


@dataclass(eq=False)
class NotValidator(Revert):
    """Node {node} is not a validator; opt in with `flux validator on`."""

    node: NodeId


@dataclass(eq=False)
class AlreadyValidator(Revert):
    """Node {node} is a validator already; to change its key, opt out first."""

    node: NodeId


@dataclass(eq=False)
class NodeLeaves(Revert):
    """Node {node} leaves the network and cannot be a validator."""

    node: NodeId


@dataclass(eq=False)
class NotActiveAgent(Revert):
    """{caller} is not the agent of any node."""

    caller: Address


@dataclass(eq=False)
class KeyTaken(Revert):
    """Consensus key {consensus} answers for node {node}; every validator needs a key of its own."""

    consensus: ConsensusAddress
    node: NodeId


@dataclass(eq=False)
class Tombstoned(Revert):
    """Consensus key {consensus} or its node signed twice and can never be a validator again."""

    consensus: ConsensusAddress


@dataclass(eq=False)
class InvalidProof(Revert):
    """The signature does not prove that the node's operator has the key {public_key}."""

    public_key: Hash


@dataclass(eq=False)
class InvalidOnion(Revert):
    """An onion has between 1 and {most} reveals and a head that is not blank; {reveals} were given."""

    reveals: U32
    most: U32


@dataclass(eq=False)
class OnionNotUsedUp(Revert):
    """Node {node} has {left} reveals left; only its operator may change the onion before it is used up."""

    node: NodeId
    left: U32


@dataclass(eq=False)
class NotSeated(Revert):
    """Node {node} is not in the validator set, so its reveal would not count."""

    node: NodeId


@dataclass(eq=False)
class RevealNotDue(Revert):
    """Node {node} may reveal again in epoch {epoch}."""

    node: NodeId
    epoch: Epoch


@dataclass(eq=False)
class WrongPreimage(Revert):
    """What node {node} revealed does not hash to {expected}; was the agent's folder restored from an old backup?"""

    node: NodeId
    expected: Hash


@dataclass(eq=False)
class OnionExhausted(Revert):
    """Node {node} has revealed its whole onion; commit to a new one."""

    node: NodeId


@dataclass(eq=False)
class NotJailed(Revert):
    """Node {node} is not jailed; its status is {status}."""

    node: NodeId
    status: U8


@dataclass(eq=False)
class StillJailed(Revert):
    """Node {node} is jailed until protocol time {until}."""

    node: NodeId
    until: ChainTime

"""Slashing: faults with their penalties, cases against nodes, appeals, and the juries that decide them."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch
from flux.contracts.staking.types import PartsPerMillion
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, Hash, Seconds, Wei

FaultId = NewType("FaultId", U64)
"""A fault that the chain itself saw; dense, never reused; 0 is none."""
CaseId = NewType("CaseId", U64)
"""Dense, never reused; the first case is 1, so 0 means none."""


class FaultKind(IntEnum):
    """What a node can be slashed for here. Double signing and downtime of validators are the validators' own."""

    FALSE_BENCHMARK = 1
    """It signed a processor answer one step of which does not follow."""
    FALSE_SUSPICION = 2
    """Once too often it reported nodes whose second committee reached them."""
    ABANDONED_LEASES = 3
    """Once too often it vanished while it held leases."""


class CaseState(IntEnum):
    """open → slashed | appealed → committing → revealing → slashed | dismissed."""

    OPEN = 1
    """The operator may appeal."""
    APPEALED = 2
    """The jury is drawn with the next epoch's seed."""
    COMMITTING = 3
    REVEALING = 4
    SLASHED = 5
    DISMISSED = 6


class SlashingParams(Record, frozen=True):
    """Governance parameters of slashing."""

    false_benchmark: PartsPerMillion
    false_suspicion: PartsPerMillion
    abandoned_leases: PartsPerMillion
    silent_juror: PartsPerMillion
    """Of the stake of a juror's node, when it does not reveal a vote."""
    reward: PartsPerMillion
    """The reporter's share of what is taken; the rest is burned."""
    strikes: U16
    """Contradicted suspicions, or outages with leases, that are notices within the window; the next is a fault."""
    strike_window: Seconds
    evidence_age: Seconds
    """Older faults are not prosecuted."""
    evidence_epochs: U16
    """A signed answer of an earlier epoch is too old."""
    deposit: Wei
    """Of the reporter and of whoever appeals; the loser's pays the jury."""
    appeal_window: Seconds
    commit_window: Seconds
    reveal_window: Seconds
    jury: U16
    """Seats."""
    min_jury: U16
    """With fewer jurors an appeal is granted: nobody is slashed where nobody could have judged."""


class Strikes(Record, frozen=True):
    """Notices that a node has had."""

    count: U16
    since: ChainTime


class Fault(Record, frozen=True):
    """A fault that the chain saw and that anybody may prosecute."""

    id: FaultId
    kind: FaultKind
    node: NodeId
    at: ChainTime


class Case(Record, frozen=True):
    """One prosecution."""

    id: CaseId
    kind: FaultKind
    node: NodeId
    reporter: Address
    infraction_at: ChainTime
    opened_at: ChainTime
    state: CaseState
    until: ChainTime
    """When the present state ends; when the case ended, in the last two."""
    deposit: Wei
    """That each side paid."""
    jury: tuple[NodeId, ...]
    """Nodes whose operators judge; empty without an appeal."""
    burned: Wei


class Vote(Record, frozen=True):
    """One juror's vote."""

    commitment: Hash
    revealed: bool
    guilty: bool


class StrikeNoted(Event, frozen=True):
    """Notice: the node did something that is a fault when it is repeated."""

    node: Indexed[NodeId]
    kind: Indexed[U8]
    count: U16


class FaultSeen(Event, frozen=True):
    """The chain saw a fault; whoever prosecutes it first has the reporter's share."""

    fault: Indexed[FaultId]
    node: Indexed[NodeId]
    kind: U8


class CaseOpened(Event, frozen=True):
    """Notice: the node is slashed at `until` unless its operator appeals."""

    case: Indexed[CaseId]
    node: Indexed[NodeId]
    kind: U8
    reporter: Address
    until: ChainTime


class CaseAppealed(Event, frozen=True):
    """The operator appealed; why, in its own words."""

    case: Indexed[CaseId]
    reason: str


class JuryDrawn(Event, frozen=True):
    """Operators of these nodes commit to a vote until then."""

    case: Indexed[CaseId]
    jury: tuple[NodeId, ...]
    until: ChainTime


class VoteCommitted(Event, frozen=True):
    """A juror has voted, nobody knows how."""

    case: Indexed[CaseId]
    juror: Indexed[NodeId]


class VoteRevealed(Event, frozen=True):
    """A juror's vote is known."""

    case: Indexed[CaseId]
    juror: Indexed[NodeId]
    guilty: bool


class CaseClosed(Event, frozen=True):
    """The case is over."""

    case: Indexed[CaseId]
    node: Indexed[NodeId]
    slashed: bool
    burned: Wei


@dataclass(eq=False)
class UnknownFault(Revert):
    """There is no fault {fault}, or it is prosecuted already, or too old; see `flux node faults`."""

    fault: FaultId


@dataclass(eq=False)
class UnknownCase(Revert):
    """There is no case {case}; see `flux jury ls`."""

    case: CaseId


@dataclass(eq=False)
class EvidenceTooOld(Revert):
    """The answer is of epoch {epoch}; only those since epoch {oldest} and before the end of this one count."""

    epoch: Epoch
    oldest: Epoch


@dataclass(eq=False)
class EvidenceKnown(Revert):
    """Node {node} is prosecuted for epoch {epoch} already, in case {case}: the same fault counts once."""

    node: NodeId
    epoch: Epoch
    case: CaseId


@dataclass(eq=False)
class EvidenceForged(Revert):
    """The evidence against node {node} does not hold: {reason}."""

    node: NodeId
    reason: str


@dataclass(eq=False)
class WrongDeposit(Revert):
    """{provided} wei were sent; the deposit is {required} wei."""

    required: Wei
    provided: Wei


@dataclass(eq=False)
class WrongCaseState(Revert):
    """Case {case} is in state {state}, which does not allow this."""

    case: CaseId
    state: U8


@dataclass(eq=False)
class NotJuror(Revert):
    """{caller} operates no node of the jury of case {case}."""

    case: CaseId
    caller: Address


@dataclass(eq=False)
class AlreadyVoted(Revert):
    """Node {juror} has done this in case {case} already."""

    case: CaseId
    juror: NodeId


@dataclass(eq=False)
class WrongReveal(Revert):
    """What node {juror} reveals in case {case} is not what it committed to; use the same vote and salt."""

    case: CaseId
    juror: NodeId


@dataclass(eq=False)
class ReasonTooLong(Revert):
    """A reason has at most {limit} characters; put the rest behind a link."""

    limit: U32


def commitment(case: CaseId, juror: Address, salt: Hash, *, guilty: bool) -> Hash:
    """What a juror commits to: its own address is part of it, so that nobody can copy another's vote."""
    verdict = b"\x01" if guilty else b"\x00"
    return keccak256(b"flux verdict" + case.to_bytes(8, "big") + juror + verdict + salt)

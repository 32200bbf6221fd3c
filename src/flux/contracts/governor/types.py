"""Governor: proposals, votes and their execution. Names, states and errors are those of OpenZeppelin's Governor 5."""

from dataclasses import dataclass
from enum import IntEnum

from flux.kernel.abi_types import Outputs
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U48, U64, U256, Address, Bytes1, ChainTime, Hash, Seconds, Wei


class GovernorParams(Record, frozen=True):
    """Governance parameters of governance."""

    voting_delay: Seconds
    """From a proposal to the moment whose voting power counts."""
    voting_period: Seconds
    timelock: Seconds
    """From the end of a successful vote to its execution, for those who disagree to leave."""
    execution_grace: Seconds
    """A proposal whose execution fails may be tried again for so long."""
    proposal_threshold: Wei
    """Voting power that a proposer needs."""
    deposit: Wei
    """Locked FLUX of the proposer that stands for the proposal; the treasury's when it is voted down as abuse."""
    quorum_basis_points: U16
    """Part of all voting power at the snapshot that must vote for or abstain."""
    min_quorum: Wei
    """Least quorum, so that the first few who lock FLUX do not own the network."""
    max_open_proposals: U16
    """Of one proposer at a time."""
    max_actions: U8
    """Of one proposal."""
    max_description_bytes: U32
    max_calldata_bytes: U32
    """Of all actions of a proposal together."""


class ProposalState(IntEnum):
    """As in OpenZeppelin's IGovernor."""

    PENDING = 0
    ACTIVE = 1
    CANCELED = 2
    DEFEATED = 3
    SUCCEEDED = 4
    QUEUED = 5
    EXPIRED = 6
    EXECUTED = 7


class Support(IntEnum):
    """As in OpenZeppelin's GovernorCountingSimple."""

    AGAINST = 0
    FOR = 1
    ABSTAIN = 2


class ProposalVotes(Record, frozen=True):
    """What was voted so far, in votes."""

    against_votes: U256
    for_votes: U256
    abstain_votes: U256


class SigningDomain(Outputs, frozen=True):
    """What ballots are signed for, as ERC-5267 has it."""

    fields: Bytes1
    """Bits of the members that the domain has, the lowest is the name."""
    name: str
    version: str
    chain_id: U256
    verifying_contract: Address
    salt: Hash
    extensions: tuple[U256, ...]


class Proposal(Record, frozen=True):
    """A proposal as stored."""

    id: U256
    number: U64
    """Counted from 1."""
    proposer: Address
    targets: tuple[Address, ...]
    calldatas: tuple[bytes, ...]
    description_hash: Hash
    snapshot: ChainTime
    """Power at this time votes."""
    deadline: ChainTime
    """Last second to vote."""
    quorum_basis_points: U16
    """As they were when it was proposed."""
    min_quorum: Wei
    deposit: Wei
    """Still held; 0 once it was settled."""
    votes: ProposalVotes
    eta: ChainTime
    """When it executes by itself; 0 before it is queued."""
    expires: ChainTime
    """No execution from here on; 0 before it is queued."""
    canceled: bool
    executed: bool


class ProposalInfo(Record, frozen=True):
    """A proposal for people."""

    proposal: Proposal
    state: ProposalState
    quorum: U256
    """Votes for and abstaining that it needs; 0 until its snapshot is past."""
    description: str


class ProposalDetails(Record, frozen=True):
    """What a proposal does."""

    targets: tuple[Address, ...]
    values: tuple[U256, ...]
    calldatas: tuple[bytes, ...]
    description_hash: Hash


class Ballot(Record, frozen=True):
    """One vote."""

    support: Support
    weight: U256


class ProposalCreated(Event, frozen=True):
    """A proposal was made."""

    proposal_id: U256
    proposer: Address
    targets: tuple[Address, ...]
    values: tuple[U256, ...]
    signatures: tuple[str, ...]
    """Empty texts; there for tools that expect them."""
    calldatas: tuple[bytes, ...]
    vote_start: U256
    vote_end: U256
    description: str


class ProposalQueued(Event, frozen=True):
    """It passed and executes at `eta_seconds`."""

    proposal_id: U256
    eta_seconds: U256


class ProposalExecuted(Event, frozen=True):
    """It was carried out."""

    proposal_id: U256


class ProposalExecutionFailed(Event, frozen=True):
    """It could not be carried out by itself; anybody may try again until it expires."""

    proposal_id: U256
    error: bytes


class ProposalCanceled(Event, frozen=True):
    """Its proposer took it back."""

    proposal_id: U256


class VoteCast(Event, frozen=True):
    """Somebody voted."""

    voter: Indexed[Address]
    proposal_id: U256
    support: U8
    weight: U256
    reason: str


@dataclass(eq=False)
class GovernorNonexistentProposal(Revert):
    """There is no proposal {proposal_id}; `flux dao ls` lists them."""

    proposal_id: U256


@dataclass(eq=False)
class GovernorUnexpectedProposalState(Revert):
    """Proposal {proposal_id} is in state {current}, in which this cannot be done; see `flux dao show`."""

    proposal_id: U256
    current: U8
    expected_states: Hash


@dataclass(eq=False)
class GovernorInsufficientProposerVotes(Revert):
    """{proposer} has {votes} votes and a proposal needs {threshold}; lock FLUX, or find delegators."""

    proposer: Address
    votes: U256
    threshold: U256


@dataclass(eq=False)
class GovernorInsufficientDeposit(Revert):
    """A proposal needs {deposit} wei of FLUX locked by {proposer} itself and not yet held for another one."""

    proposer: Address
    deposit: Wei


@dataclass(eq=False)
class GovernorTooManyProposals(Revert):
    """{proposer} has {open} open proposals; at most {limit} at a time."""

    proposer: Address
    open: U16
    limit: U16


@dataclass(eq=False)
class GovernorInvalidProposalLength(Revert):
    """A proposal has as many targets ({targets}) as calldatas ({calldatas}) and values ({values}): 1 or more."""

    targets: U256
    calldatas: U256
    values: U256


@dataclass(eq=False)
class GovernorProposalTooLarge(Revert):
    """The proposal's {part} has {size} and may have {limit}."""

    part: str
    size: U32
    limit: U32


@dataclass(eq=False)
class GovernorForbiddenAction(Revert):
    """Governance cannot call {target} with selector {selector} and {value} wei; only methods made for it."""

    target: Address
    selector: bytes
    value: U256


@dataclass(eq=False)
class GovernorRestrictedProposer(Revert):
    """The description names another proposer than {proposer}."""

    proposer: Address


@dataclass(eq=False)
class GovernorAlreadyCastVote(Revert):
    """{voter} has voted on this proposal already."""

    voter: Address


@dataclass(eq=False)
class GovernorInvalidVoteType(Revert):
    """A vote is 0 (against), 1 (for) or 2 (abstain)."""


@dataclass(eq=False)
class GovernorInvalidSignature(Revert):
    """The signature is not {voter}'s for this vote and its next nonce."""

    voter: Address


@dataclass(eq=False)
class GovernorInvalidVoteParams(Revert):
    """Votes are counted without parameters; leave them empty."""


@dataclass(eq=False)
class GovernorUnableToCancel(Revert):
    """{account} cannot cancel proposal {proposal_id}; its proposer can, before voting begins."""

    proposal_id: U256
    account: Address


@dataclass(eq=False)
class GovernorNotReady(Revert):
    """Proposal {proposal_id} waits in the timelock until {eta}."""

    proposal_id: U256
    eta: U48

"""Pure decisions of the governor."""

import re
from collections.abc import Sequence
from functools import reduce
from operator import xor
from typing import Final

from flux.contracts.governor.types import (
    Ballot,
    GovernorInvalidProposalLength,
    GovernorInvalidVoteParams,
    GovernorInvalidVoteType,
    GovernorParams,
    GovernorProposalTooLarge,
    Proposal,
    ProposalState,
    ProposalVotes,
    Support,
)
from flux.primitives import abi
from flux.primitives.keccak import keccak256
from flux.primitives.types import U32, U256, Address, Bytes1, Bytes4, ChainTime, Hash

NAME: Final = "Flux Governor"
VERSION: Final = "1"
COUNTING_MODE: Final = "support=bravo&quorum=for,abstain"
MAX_PAGE: Final = 100
MAX_REASON_BYTES: Final = 1_024
BASIS_POINTS: Final = 10_000
GOVERNOR_INTERFACE: Final = (
    "name()", "version()", "COUNTING_MODE()", "hashProposal(address[],uint256[],bytes[],bytes32)", "state(uint256)",
    "proposalThreshold()", "proposalSnapshot(uint256)", "proposalDeadline(uint256)", "proposalProposer(uint256)",
    "proposalEta(uint256)", "proposalNeedsQueuing(uint256)", "votingDelay()", "votingPeriod()", "quorum(uint256)",
    "getVotes(address,uint256)", "getVotesWithParams(address,uint256,bytes)", "hasVoted(uint256,address)",
    "propose(address[],uint256[],bytes[],string)", "queue(address[],uint256[],bytes[],bytes32)",
    "execute(address[],uint256[],bytes[],bytes32)", "cancel(address[],uint256[],bytes[],bytes32)",
    "castVote(uint256,uint8)", "castVoteWithReason(uint256,uint8,string)",
    "castVoteWithReasonAndParams(uint256,uint8,string,bytes)", "castVoteBySig(uint256,uint8,address,bytes)",
    "castVoteWithReasonAndParamsBySig(uint256,uint8,address,string,bytes,bytes)",
)  # fmt: skip
"""OpenZeppelin's IGovernor 5.0: every method is there, which a test says."""
CLOCK_INTERFACE: Final = ("clock()", "CLOCK_MODE()")
"""IERC6372."""
ONLY_FIELDS: Final = Bytes1(b"\x0f")
"""ERC-5267: name, version, chain id and contract; no salt."""
NO_VOTES: Final = ProposalVotes(U256(0), U256(0), U256(0))
_PROPOSER = re.compile(r"#proposer=0x([0-9a-f]{40})$", re.ASCII | re.IGNORECASE)
_PROPOSAL = abi.codec(("address[]", "uint256[]", "bytes[]", "bytes32"))


def interface_id(signatures: Sequence[str]) -> Bytes4:
    """ERC-165: the selectors of an interface's methods, by exclusive or."""
    selectors = [int.from_bytes(abi.selector(signature), "big") for signature in signatures]
    return Bytes4(reduce(xor, selectors).to_bytes(4, "big"))


INTERFACES: Final = tuple(
    interface_id(signatures)
    for signatures in (("supportsInterface(bytes4)",), GOVERNOR_INTERFACE, CLOCK_INTERFACE, ("eip712Domain()",))
)
"""What supportsInterface says yes to."""


def check_vote_params(params: bytes) -> None:
    """Raises GovernorInvalidVoteParams."""
    if params:
        raise GovernorInvalidVoteParams()


def proposal_id(
    targets: Sequence[Address], values: Sequence[U256], calldatas: Sequence[bytes], description_hash: Hash
) -> U256:
    """OpenZeppelin's hashProposal."""
    data = _PROPOSAL.encode([list(targets), list(values), list(calldatas), description_hash])
    return U256(int.from_bytes(keccak256(data), "big"))


def check_size(
    targets: Sequence[Address],
    values: Sequence[U256],
    calldatas: Sequence[bytes],
    description: str,
    params: GovernorParams,
) -> None:
    """Raise GovernorInvalidProposalLength or GovernorProposalTooLarge: every loop over a proposal is bounded."""
    if not targets or len(targets) != len(values) or len(targets) != len(calldatas):
        raise GovernorInvalidProposalLength(U256(len(targets)), U256(len(calldatas)), U256(len(values)))
    for part, size, limit in (
        ("list of actions", len(targets), U32(params.max_actions)),
        ("description", len(description.encode()), params.max_description_bytes),
        ("call data", sum(len(data) for data in calldatas), params.max_calldata_bytes),
    ):
        if size > limit:
            raise GovernorProposalTooLarge(part, U32(size), limit)


def is_restricted(description: str, proposer: Address) -> bool:
    """Whether the description ends with `#proposer=0x…` of somebody else, so that it cannot be copied ahead of them."""
    found = _PROPOSER.search(description)
    return found is not None and bytes.fromhex(found[1]) != proposer


def state_of(proposal: Proposal, now: ChainTime, quorum: U256) -> ProposalState:
    """Where a proposal stands; `quorum` matters only after its deadline."""
    if proposal.canceled:
        return ProposalState.CANCELED
    if proposal.executed:
        return ProposalState.EXECUTED
    if now <= proposal.snapshot:
        return ProposalState.PENDING
    if now <= proposal.deadline:
        return ProposalState.ACTIVE
    if not _is_won(proposal.votes, quorum):
        return ProposalState.DEFEATED
    if not proposal.eta:
        return ProposalState.SUCCEEDED
    return ProposalState.QUEUED if now < proposal.expires else ProposalState.EXPIRED


def quorum_of(total: U256, basis_points: int, least: int) -> U256:
    """Votes for or abstaining that are needed when all power is `total`."""
    return U256(max(least, total * basis_points // BASIS_POINTS))


def is_abuse(votes: ProposalVotes, quorum: U256) -> bool:
    """Whether at least half a quorum voted against, and twice as many as all others: its deposit is lost."""
    others = votes.for_votes + votes.abstain_votes
    return 2 * votes.against_votes >= quorum and votes.against_votes > 2 * others


def check_support(support: int) -> Support:
    """The kind of a vote. Raises GovernorInvalidVoteType."""
    if support > max(Support):
        raise GovernorInvalidVoteType()
    return Support(support)


def count(votes: ProposalVotes, ballot: Ballot) -> ProposalVotes:
    """The tally with one more ballot."""
    against, favour, abstain = votes.against_votes, votes.for_votes, votes.abstain_votes
    match ballot.support:
        case Support.AGAINST:
            against = U256(against + ballot.weight)
        case Support.FOR:
            favour = U256(favour + ballot.weight)
        case Support.ABSTAIN:
            abstain = U256(abstain + ballot.weight)
    return ProposalVotes(against, favour, abstain)


def bitmap(*states: ProposalState) -> Hash:
    """States as OpenZeppelin's errors name them."""
    return Hash(sum(1 << state for state in states).to_bytes(32, "big"))


def _is_won(votes: ProposalVotes, quorum: U256) -> bool:
    return votes.for_votes > votes.against_votes and votes.for_votes + votes.abstain_votes >= quorum

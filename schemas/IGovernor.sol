// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// The holders of FLUX decide; what they decide happens by itself. Address: 0x000000000000000000000000000000000000f10b
interface IGovernor {
    /// What was voted so far, in votes.
    struct ProposalVotes { uint256 againstVotes; uint256 forVotes; uint256 abstainVotes; }

    /// A proposal as stored.
    struct Proposal { uint256 id; uint64 number; address proposer; address[] targets; bytes[] calldatas; bytes32 descriptionHash; uint64 snapshot; uint64 deadline; uint16 quorumBasisPoints; uint256 minQuorum; uint256 deposit; ProposalVotes votes; uint64 eta; uint64 expires; bool canceled; bool executed; }

    /// A proposal for people.
    struct ProposalInfo { Proposal proposal; uint8 state; uint256 quorum; string description; }

    /// What a proposal does.
    struct ProposalDetails { address[] targets; uint256[] values; bytes[] calldatas; bytes32 descriptionHash; }

    /// A proposal was made.
    event ProposalCreated(uint256 proposalId, address proposer, address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, uint256 voteStart, uint256 voteEnd, string description);

    /// It passed and executes at `eta_seconds`.
    event ProposalQueued(uint256 proposalId, uint256 etaSeconds);

    /// It was carried out.
    event ProposalExecuted(uint256 proposalId);

    /// It could not be carried out by itself; anybody may try again until it expires.
    event ProposalExecutionFailed(uint256 proposalId, bytes error);

    /// Its proposer took it back.
    event ProposalCanceled(uint256 proposalId);

    /// Somebody voted.
    event VoteCast(address indexed voter, uint256 proposalId, uint8 support, uint256 weight, string reason);

    /// There is no proposal {proposal_id}; `flux dao ls` lists them.
    error GovernorNonexistentProposal(uint256 proposalId);

    /// Proposal {proposal_id} is in state {current}, in which this cannot be done; see `flux dao show`.
    error GovernorUnexpectedProposalState(uint256 proposalId, uint8 current, bytes32 expectedStates);

    /// {proposer} has {votes} votes and a proposal needs {threshold}; lock FLUX, or find delegators.
    error GovernorInsufficientProposerVotes(address proposer, uint256 votes, uint256 threshold);

    /// A proposal needs {deposit} wei of FLUX locked by {proposer} itself and not yet held for another one.
    error GovernorInsufficientDeposit(address proposer, uint256 deposit);

    /// {proposer} has {open} open proposals; at most {limit} at a time.
    error GovernorTooManyProposals(address proposer, uint16 open, uint16 limit);

    /// A proposal has as many targets ({targets}) as calldatas ({calldatas}) and values ({values}): 1 or more.
    error GovernorInvalidProposalLength(uint256 targets, uint256 calldatas, uint256 values);

    /// The proposal's {part} has {size} and may have {limit}.
    error GovernorProposalTooLarge(string part, uint32 size, uint32 limit);

    /// Governance cannot call {target} with selector {selector} and {value} wei; only methods made for it.
    error GovernorForbiddenAction(address target, bytes selector, uint256 value);

    /// The description names another proposer than {proposer}.
    error GovernorRestrictedProposer(address proposer);

    /// {voter} has voted on this proposal already.
    error GovernorAlreadyCastVote(address voter);

    /// A vote is 0 (against), 1 (for) or 2 (abstain).
    error GovernorInvalidVoteType();

    /// Votes are counted without parameters; leave them empty.
    error GovernorInvalidVoteParams();

    /// The signature is not {voter}'s for this vote and its next nonce.
    error GovernorInvalidSignature(address voter);

    /// {account} cannot cancel proposal {proposal_id}; its proposer can, before voting begins.
    error GovernorUnableToCancel(uint256 proposalId, address account);

    /// Proposal {proposal_id} waits in the timelock until {eta}.
    error GovernorNotReady(uint256 proposalId, uint48 eta);

    /// ERC-6372.
    function CLOCK_MODE() external view returns (string memory);

    /// How votes are counted, for tools.
    function COUNTING_MODE() external view returns (string memory);

    /// Take the caller's own proposal back before voting begins.
    function cancel(address[] calldata targets, uint256[] calldata values, bytes[] calldata calldatas, bytes32 descriptionHash) external returns (uint256);

    /// Vote with the power at the snapshot; the weight.
    function castVote(uint256 proposalId, uint8 support) external returns (uint256);

    /// Vote for whoever signed the ballot (EIP-712). Raises what castVote raises, GovernorInvalidSignature.
    function castVoteBySig(uint256 proposalId, uint8 support, address voter, bytes calldata signature) external returns (uint256);

    /// Vote and say why. Raises what castVote raises, GovernorProposalTooLarge for a reason above 1,024 bytes.
    function castVoteWithReason(uint256 proposalId, uint8 support, string calldata reason) external returns (uint256);

    /// For tools: castVoteWithReason. Raises GovernorInvalidVoteParams for parameters, which mean nothing here.
    function castVoteWithReasonAndParams(uint256 proposalId, uint8 support, string calldata reason, bytes calldata params) external returns (uint256);

    /// For tools: castVoteBySig with a signed reason. Raises GovernorInvalidVoteParams too.
    function castVoteWithReasonAndParamsBySig(uint256 proposalId, uint8 support, address voter, string calldata reason, bytes calldata params, bytes calldata signature) external returns (uint256);

    /// ERC-6372: protocol time in seconds.
    function clock() external view returns (uint48);

    /// ERC-5267: what ballots are signed for.
    function eip712Domain() external view returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory);

    /// Carry out a proposal whose timelock is over.
    function execute(address[] calldata targets, uint256[] calldata values, bytes[] calldata calldatas, bytes32 descriptionHash) external returns (uint256);

    /// Voting power at a time that is past.
    function getVotes(address account, uint256 timepoint) external view returns (uint256);

    /// For tools: getVotes. Raises GovernorInvalidVoteParams for parameters, which mean nothing here.
    function getVotesWithParams(address account, uint256 timepoint, bytes calldata params) external view returns (uint256);

    /// Whether an account has voted on it.
    function hasVoted(uint256 proposalId, address account) external view returns (bool);

    /// The id that a proposal has or would have.
    function hashProposal(address[] calldata targets, uint256[] calldata values, bytes[] calldata calldatas, bytes32 descriptionHash) external view returns (uint256);

    /// `name()` on the wire.
    function name() external view returns (string memory);

    /// Next nonce of a signed vote.
    function nonces(address owner) external view returns (uint256);

    /// One proposal. Raises GovernorNonexistentProposal.
    function proposal(uint256 proposalId) external view returns (ProposalInfo memory);

    /// How many proposals were ever made.
    function proposalCount() external view returns (uint256);

    /// Last second to vote.
    function proposalDeadline(uint256 proposalId) external view returns (uint256);

    /// What it does.
    function proposalDetails(uint256 proposalId) external view returns (ProposalDetails memory);

    /// When it executes; 0 before it is queued.
    function proposalEta(uint256 proposalId) external view returns (uint256);

    /// Every proposal goes through the timelock.
    function proposalNeedsQueuing(uint256 proposalId) external view returns (bool);

    /// Who proposed it.
    function proposalProposer(uint256 proposalId) external view returns (address);

    /// Power at this time votes.
    function proposalSnapshot(uint256 proposalId) external view returns (uint256);

    /// Votes that a proposer needs.
    function proposalThreshold() external view returns (uint256);

    /// Against, for, abstaining.
    function proposalVotes(uint256 proposalId) external view returns (ProposalVotes memory);

    /// Proposals by number from `start` on, at most 100.
    function proposals(uint64 start, uint16 limit) external view returns (ProposalInfo[] memory);

    /// Propose calls of governed methods; they are rehearsed, so that what could not execute is refused at once.
    function propose(address[] calldata targets, uint256[] calldata values, bytes[] calldata calldatas, string calldata description) external returns (uint256);

    /// Send a proposal that passed into the timelock; the protocol does it by itself at the end of the vote.
    function queue(address[] calldata targets, uint256[] calldata values, bytes[] calldata calldatas, bytes32 descriptionHash) external returns (uint256);

    /// Votes that a proposal with this snapshot would need under the present parameters.
    function quorum(uint256 timepoint) external view returns (uint256);

    /// Where a proposal stands. Raises GovernorNonexistentProposal.
    function state(uint256 proposalId) external view returns (uint8);

    /// ERC-165: whether the contract has all methods of an interface.
    function supportsInterface(bytes4 interfaceId) external view returns (bool);

    /// Who makes the calls: the governor itself.
    function timelock() external view returns (address);

    /// The contract that counts voting power.
    function token() external view returns (address);

    /// Of the signing domain.
    function version() external view returns (string memory);

    /// Seconds from a proposal to its snapshot.
    function votingDelay() external view returns (uint256);

    /// Seconds of voting.
    function votingPeriod() external view returns (uint256);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Faults, cases, appeals, juries. Address: 0x000000000000000000000000000000000000f10a
interface ISlashing {
    /// One prosecution.
    struct Case { uint64 id; uint8 kind; uint32 node; address reporter; uint64 infractionAt; uint64 openedAt; uint8 state; uint64 until; uint256 deposit; uint32[] jury; uint256 burned; }

    /// A fault that the chain saw and that anybody may prosecute.
    struct Fault { uint64 id; uint8 kind; uint32 node; uint64 at; }

    /// Governance parameters of slashing.
    struct SlashingParams { uint32 falseBenchmark; uint32 falseSuspicion; uint32 abandonedLeases; uint32 silentJuror; uint32 reward; uint16 strikes; uint64 strikeWindow; uint64 evidenceAge; uint16 evidenceEpochs; uint256 deposit; uint64 appealWindow; uint64 commitWindow; uint64 revealWindow; uint16 jury; uint16 minJury; }

    /// One juror's vote.
    struct Vote { bytes32 commitment; bool revealed; bool guilty; }

    /// Notice: the node did something that is a fault when it is repeated.
    event StrikeNoted(uint32 indexed node, uint8 indexed kind, uint16 count);

    /// The chain saw a fault; whoever prosecutes it first has the reporter's share.
    event FaultSeen(uint64 indexed fault, uint32 indexed node, uint8 kind);

    /// Notice: the node is slashed at `until` unless its operator appeals.
    event CaseOpened(uint64 indexed case, uint32 indexed node, uint8 kind, address reporter, uint64 until);

    /// The operator appealed; why, in its own words.
    event CaseAppealed(uint64 indexed case, string reason);

    /// Operators of these nodes commit to a vote until then.
    event JuryDrawn(uint64 indexed case, uint32[] jury, uint64 until);

    /// A juror has voted, nobody knows how.
    event VoteCommitted(uint64 indexed case, uint32 indexed juror);

    /// A juror's vote is known.
    event VoteRevealed(uint64 indexed case, uint32 indexed juror, bool guilty);

    /// The case is over.
    event CaseClosed(uint64 indexed case, uint32 indexed node, bool slashed, uint256 burned);

    /// There is no fault {fault}, or it is prosecuted already, or too old; see `flux node faults`.
    error UnknownFault(uint64 fault);

    /// There is no case {case}; see `flux jury ls`.
    error UnknownCase(uint64 case);

    /// There is no node {node}.
    error UnknownNode(uint32 node);

    /// The answer is of epoch {epoch}; only those since epoch {oldest} and before the end of this one count.
    error EvidenceTooOld(uint64 epoch, uint64 oldest);

    /// Node {node} is prosecuted for epoch {epoch} already, in case {case}: the same fault counts once.
    error EvidenceKnown(uint32 node, uint64 epoch, uint64 case);

    /// The evidence against node {node} does not hold: {reason}.
    error EvidenceForged(uint32 node, string reason);

    /// {provided} wei were sent; the deposit is {required} wei.
    error WrongDeposit(uint256 required, uint256 provided);

    /// Case {case} is in state {state}, which does not allow this.
    error WrongCaseState(uint64 case, uint8 state);

    /// {caller} operates no node of the jury of case {case}.
    error NotJuror(uint64 case, address caller);

    /// Node {juror} has done this in case {case} already.
    error AlreadyVoted(uint64 case, uint32 juror);

    /// What node {juror} reveals in case {case} is not what it committed to; use the same vote and salt.
    error WrongReveal(uint64 case, uint32 juror);

    /// A reason has at most {limit} characters; put the rest behind a link.
    error ReasonTooLong(uint32 limit);

    /// Let a jury decide; for the node's operator, with the same deposit as the reporter's.
    function appeal(uint64 case, string calldata reason) external payable;

    /// A case. Raises UnknownCase.
    function case(uint64 case) external view returns (Case memory);

    /// Cases by number from `start` on; at most 200.
    function cases(uint64 start, uint16 limit) external view returns (Case[] memory);

    /// A juror votes without saying how. Raises UnknownCase, WrongCaseState, NotJuror, AlreadyVoted.
    function commit(uint64 case, bytes32 hidden) external;

    /// Faults that wait to be prosecuted, by number from `start` on; at most 200.
    function faults(uint64 start, uint16 limit) external view returns (Fault[] memory);

    /// Penalties, deposits and windows.
    function parameters() external view returns (SlashingParams memory);

    /// Open a case for a fault that the chain saw. Raises WrongDeposit, UnknownFault.
    function prosecute(uint64 fault) external payable returns (uint64);

    /// Open a case with a processor answer that the node's agent signed and one step of which does not follow.
    function proveFalseAnswer(uint32 node, uint64 epoch, bytes32 seed, uint32 length, bytes calldata results, uint32 position, bytes calldata signature) external payable returns (uint64);

    /// A juror says how it voted. Raises UnknownCase, WrongCaseState, NotJuror, WrongReveal, AlreadyVoted.
    function reveal(uint64 case, bool guilty, bytes32 salt) external;

    /// A juror's vote; a blank one when there is none.
    function vote(uint64 case, uint32 juror) external view returns (Vote memory);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Opting in and out, the set, its seed, its faults. Address: 0x000000000000000000000000000000000000f107
interface IValidators {
    /// What a key did lately.
    struct Count { address consensus; uint32 missed; uint32 signed; uint32 proposed; }

    /// Counts of all keys that were in a commit of the present epoch or window, by consensus address.
    struct Tally { uint64 window; Count[] counts; }

    /// What one key did for the chain in one epoch; what the producers' share of rewards is divided by.
    struct ProducerWork { uint32 node; address operator; uint32 signed; uint32 proposed; bool revealed; }

    /// A node that opted in.
    struct Validator { uint32 node; address consensus; uint8 status; uint64 since; uint64 jailedUntil; bytes32 onion; uint32 revealsLeft; uint64 revealsFrom; uint64 revealedNext; }

    /// A place in the validator set, with who fills it.
    struct SeatInfo { address consensus; bytes32 publicKey; uint64 power; uint32 node; address operator; }

    /// A node opted in.
    event ValidatorEnabled(uint32 indexed node, address indexed consensus, bytes32 publicKey);

    /// A node opted out, by itself or by leaving the network.
    event ValidatorDisabled(uint32 indexed node, address indexed consensus);

    /// The consensus engine is told a validator's new power; 0 means out.
    event PowerChanged(address indexed consensus, uint64 before, uint64 after);

    /// A validator missed too many blocks.
    event ValidatorJailed(uint32 indexed node, uint64 until, uint256 burned);

    /// A validator is a candidate again from the next epoch on.
    event ValidatorUnjailed(uint32 indexed node);

    /// A key signed twice.
    event ValidatorTombstoned(uint32 indexed node, address indexed consensus, uint64 height, uint256 burned);

    /// Evidence against a key that is not known (any more), was punished already, or is too old.
    event EvidenceIgnored(address indexed consensus, uint64 time);

    /// A validator added to the next epoch's seed.
    event SeedRevealed(uint32 indexed node, uint64 indexed epoch, bytes32 preimage);

    /// A validator committed to what it will reveal.
    event OnionCommitted(uint32 indexed node, bytes32 onion, uint32 reveals, uint64 startsIn);

    /// Node {node} is not a validator; opt in with `flux validator on`.
    error NotValidator(uint32 node);

    /// Node {node} is a validator already; to change its key, opt out first.
    error AlreadyValidator(uint32 node);

    /// Node {node} leaves the network and cannot be a validator.
    error NodeLeaves(uint32 node);

    /// {caller} is not the agent of any node.
    error NotActiveAgent(address caller);

    /// Consensus key {consensus} answers for node {node}; every validator needs a key of its own.
    error KeyTaken(address consensus, uint32 node);

    /// Consensus key {consensus} or its node signed twice and can never be a validator again.
    error Tombstoned(address consensus);

    /// The signature does not prove that the node's operator has the key {public_key}.
    error InvalidProof(bytes32 publicKey);

    /// An onion has between 1 and {most} reveals and a head that is not blank; {reveals} were given.
    error InvalidOnion(uint32 reveals, uint32 most);

    /// Node {node} has {left} reveals left; only its operator may change the onion before it is used up.
    error OnionNotUsedUp(uint32 node, uint32 left);

    /// Node {node} has revealed its whole onion; commit to a new one.
    error OnionExhausted(uint32 node);

    /// Node {node} is not in the validator set, so its reveal would not count.
    error NotSeated(uint32 node);

    /// Node {node} may reveal again in epoch {epoch}.
    error RevealNotDue(uint32 node, uint64 epoch);

    /// What node {node} revealed does not hash to {expected}; was the agent's folder restored from an old backup?
    error WrongPreimage(uint32 node, bytes32 expected);

    /// Node {node} is not jailed; its status is {status}.
    error NotJailed(uint32 node, uint8 status);

    /// Node {node} is jailed until protocol time {until}.
    error StillJailed(uint32 node, uint64 until);

    /// Opt the caller's node out. Go on signing until it has no seat; its stake answers for what it signed.
    function disable(uint32 node) external;

    /// Opt the caller's node in; it becomes a candidate at the end of this epoch.
    function enable(uint32 node, bytes32 publicKey, bytes calldata proof, bytes32 onion, uint32 reveals) external;

    /// Who answers for a consensus key and receives the tips of its blocks; the zero address for an unknown one.
    function operatorOf(address proposer) external view returns (address);

    /// Counts of the present window and epoch.
    function presentWork() external view returns (Tally memory);

    /// The agent of a node whose onion is used up commits to the next one.
    function renewOnion(bytes32 onion, uint32 reveals) external;

    /// The agent of a node in the set adds to the seed of the next epoch; once in each epoch.
    function reveal(bytes32 preimage) external;

    /// Commit the caller's node to another onion, which it may use from the next epoch on.
    function setOnion(uint32 node, bytes32 onion, uint32 reveals) external;

    /// What each key did in an epoch that is over; empty for one that is no longer kept.
    function signedBlocks(uint64 epoch) external view returns (ProducerWork[] memory);

    /// Make the caller's jailed node a candidate again. Raises NotValidator, NotJailed, StillJailed.
    function unjail(uint32 node) external;

    /// The record of a node that opted in. Raises NotValidator.
    function validator(uint32 node) external view returns (Validator memory);

    /// Who is in the set now, as the consensus engine was told; it follows two blocks later.
    function validatorSet() external view returns (SeatInfo[] memory);

    /// Nodes that opted in, from the id `start` on, in order; at most 1,000.
    function validators(uint32 start, uint16 limit) external view returns (Validator[] memory);
}

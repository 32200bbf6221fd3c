// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Pools of stake behind nodes, with shares for everybody in them. Address: 0x000000000000000000000000000000000000f108
interface IStaking {
    /// A position as people want to see it.
    struct Delegation { uint32 node; address account; uint256 shares; uint256 value; uint256 power; uint256 locked; uint64 lockedUntil; }

    /// All stake that is bonded to one node, its operator's and others'.
    struct Pool { uint32 node; address operator; uint256 stake; uint256 shares; uint256 ownShares; uint16 commission; uint64 commissionSince; }

    /// Stake on its way out.
    struct Unbonding { uint32 node; uint256 amount; uint64 begins; uint64 ends; }

    /// Stake was bonded to a node.
    event Delegated(uint32 indexed node, address indexed account, uint256 amount, uint256 shares);

    /// Stake began to leave a node.
    event Undelegated(uint32 indexed node, address indexed account, uint256 amount, uint64 ends);

    /// Stake moved from one node to another.
    event Redelegated(uint32 indexed source, uint32 indexed target, address indexed account, uint256 amount, uint64 until);

    /// Stake that had left was paid out.
    event StakeWithdrawn(uint32 indexed node, address indexed account, uint256 amount);

    /// An operator changed its commission.
    event CommissionChanged(uint32 indexed node, uint16 commission);

    /// Stake of a node was destroyed for a fault.
    event Slashed(uint32 indexed node, uint256 bonded, uint256 unbonding, uint256 rewarded, uint64 infraction, string reason);

    /// Redelegated stake lost its part of a slash of the node that it had left.
    event MoveSlashed(uint32 indexed node, address indexed account, uint32 source, uint256 burned);

    /// There is no node {node}.
    error UnknownNode(uint32 node);

    /// {provided} wei are less than the {required} wei that a delegation, or what is left of one, must be.
    error BelowMinimum(uint256 required, uint256 provided);

    /// {amount} wei are too little for a single share of node {node}.
    error ZeroShares(uint32 node, uint256 amount);

    /// {account} has {available} wei that could leave node {node} now, and {required} wei were asked for.
    error NotEnoughStaked(uint32 node, address account, uint256 available, uint256 required);

    /// The operator of node {node} keeps {required} wei of its own until the node is gone; {left} wei would be left.
    error OwnStakeTooLow(uint32 node, uint256 required, uint256 left);

    /// Slashing has made the shares of node {node} all but worthless; it takes no more stake.
    error PoolExhausted(uint32 node);

    /// Node {node} leaves the network and takes no stake; see `flux node ls`.
    error NotDelegable(uint32 node);

    /// Stake cannot move from node {node} to itself.
    error SameNode(uint32 node);

    /// Stake that {account} moved to node {node} stays there until protocol time {until}.
    error RedelegationCoolingDown(uint32 node, address account, uint64 until);

    /// {account} has nothing of node {node} that is through with unbonding; the next is at protocol time {next_at}.
    error NothingToWithdraw(uint32 node, address account, uint64 nextAt);

    /// A commission of {commission} is above the maximum of {maximum} ten-thousandths.
    error CommissionTooHigh(uint16 commission, uint16 maximum);

    /// The commission may change by {maximum} ten-thousandths at once, not by {change}.
    error CommissionChangeTooLarge(uint16 change, uint16 maximum);

    /// The commission of node {node} can change again from protocol time {allowed_from} on.
    error CommissionChangedRecently(uint32 node, uint64 allowedFrom);

    /// {parts} millionths are not a part that can be slashed, or the reporter's {reward} are not.
    error InvalidSlash(uint32 parts, uint32 reward);

    /// A fault at {infraction} cannot be punished now: it must lie between {earliest} and {latest}.
    error InvalidInfraction(uint64 infraction, uint64 earliest, uint64 latest);

    /// Bond the value to a node; by its operator it is own stake. The node's tier follows.
    function delegate(uint32 node) external payable;

    /// An account's part of a pool; all zero when it has none. Raises UnknownNode.
    function delegation(uint32 node, address account) external view returns (Delegation memory);

    /// An account's parts of pools from a node's id on, by node; at most 128.
    function delegations(address account, uint32 start) external view returns (Delegation[] memory);

    /// All stake bonded to a node. Raises UnknownNode.
    function pool(uint32 node) external view returns (Pool memory);

    /// Pools from a node's id on, in order; at most 1,000.
    function pools(uint32 start, uint16 limit) external view returns (Pool[] memory);

    /// Bonded FLUX that counts as the account's voting power.
    function powerOf(address account) external view returns (uint256);

    /// Move stake to another node at once; it answers for the first, and stays, until unbonding would have ended.
    function redelegate(uint32 source, uint32 target, uint256 amount) external;

    /// Bring a position up to date: what it owes to slashes of the node it came from, and its voting power.
    function refresh(uint32 node, address account) external;

    /// What the operator keeps of its delegators' rewards; free to choose while nobody else has delegated.
    function setCommission(uint32 node, uint16 commission) external;

    /// What is bonded to a node, own and delegated; 0 for one that never was.
    function stakeOf(uint32 node) external view returns (uint256);

    /// What an account has on its way out, by node and time; at most 128.
    function unbondings(address account) external view returns (Unbonding[] memory);

    /// Begin to take wei out of a node, with 2²⁵⁶ − 1 everything; `unbondings` says when it can be withdrawn.
    function undelegate(uint32 node, uint256 amount) external;

    /// Take what is through with unbonding; returns how much. Raises NothingToWithdraw.
    function withdraw(uint32 node) external returns (uint256);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// The emission budget, its division, and what is owed to whom. Address: 0x000000000000000000000000000000000000f109
interface IRewards {
    /// The budget and what became of it.
    struct Emission { uint256 pool; uint64 began; uint64 until; uint256 budget; uint256 unearned; uint256 minted; }

    /// A node's rewards as people want to see them.
    struct NodeIncome { uint32 node; uint256 earned; uint64 availabilityEpoch; uint32 availability; uint256 day; }

    /// An epoch is over: this is what it may pay.
    event EpochFunded(uint64 indexed epoch, uint256 producers, uint256 hosts);

    /// The availability of an epoch is known.
    event EpochSettled(uint64 indexed epoch, uint256[] rates, uint256 unearned);

    /// FLUX was minted for a node.
    event NodeRewarded(uint32 indexed node, uint64 indexed epoch, uint256 amount, uint256 commission);

    /// An account took its rewards.
    event RewardsClaimed(uint32 indexed node, address indexed account, uint256 amount, bool compounded);

    /// {account} has no rewards of node {node} to take yet.
    error NothingToClaim(uint32 node, address account);

    /// There is no node {node}.
    error UnknownNode(uint32 node);

    /// {provided} wei are less than the {required} wei that a delegation, or what is left of one, must be.
    error BelowMinimum(uint256 required, uint256 provided);

    /// Node {node} leaves the network and takes no stake; see `flux node ls`.
    error NotDelegable(uint32 node);

    /// Slashing has made the shares of node {node} all but worthless; it takes no more stake.
    error PoolExhausted(uint32 node);

    /// Take what the caller earned with its stake on a node, and an operator its commission.
    function claim(uint32 node) external returns (uint256);

    /// What `claim` would pay now. Raises UnknownNode.
    function claimable(uint32 node, address account) external view returns (uint256);

    /// Bond what the caller earned to the same node. Returns how much.
    function compound(uint32 node) external returns (uint256);

    /// What a node with full availability got in the last settled epoch, extended to a day, by tier.
    function daily() external view returns (uint256[] memory);

    /// The budget and what became of it.
    function emission() external view returns (Emission memory);

    /// What a node has earned, and what full availability is worth in its tier now. Raises UnknownNode.
    function income(uint32 node) external view returns (NodeIncome memory);

    /// Mint what a node earned in the last epoch whose availability is known; anybody may. Raises UnknownNode.
    function settle(uint32 node) external;
}

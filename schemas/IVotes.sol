// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Power to vote: one vote per wei that is locked here, staked or delegated to a node. Address: 0x000000000000000000000000000000000000f10f
interface IVotes {
    /// What gives an account its power.
    struct Holding { uint256 locked; uint256 bonded; uint256 held; uint16 unlocks; }

    /// FLUX was locked to vote.
    event Locked(address indexed account, uint256 amount);

    /// Power was given up; the FLUX follows.
    event UnlockStarted(address indexed account, uint256 amount, uint64 due);

    /// FLUX came back.
    event Unlocked(address indexed account, uint256 amount);

    /// The deposit of a proposal that was voted down as abuse went to the treasury.
    event DepositForfeited(address indexed account, uint256 amount);

    /// ERC-5805: an account's power is voted by another from now on.
    event DelegateChanged(address indexed delegator, address indexed fromDelegate, address indexed toDelegate);

    /// ERC-5805: what a delegate may vote with changed.
    event DelegateVotesChanged(address indexed delegate, uint256 previousVotes, uint256 newVotes);

    /// No FLUX was sent; send the amount to lock as the value.
    error NothingToLock();

    /// {account} can unlock {available} wei and not {amount}; deposits of open proposals stay locked.
    error NotLocked(address account, uint256 available, uint256 amount);

    /// {account} has {limit} amounts on their way back already; wait for one, or unlock more at once.
    error TooManyUnlocks(address account, uint16 limit);

    /// The zero address cannot vote; to vote yourself, delegate to yourself.
    error InvalidDelegate();

    /// Votes at {timepoint} are not settled before it is past; the clock says {clock}.
    error ERC5805FutureLookup(uint256 timepoint, uint48 clock);

    /// The signature was good until {expiry} only.
    error VotesExpiredSignature(uint256 expiry);

    /// The signature's nonce is not {current_nonce}, which is next for {account}.
    error InvalidAccountNonce(address account, uint256 currentNonce);

    /// No key can have made this signature.
    error ECDSAInvalidSignature();

    /// ERC-6372.
    function CLOCK_MODE() external view returns (string memory);

    /// EIP-712 domain of signed delegations.
    function DOMAIN_SEPARATOR() external view returns (bytes32);

    /// An account's power before delegation, as token tools show it.
    function balanceOf(address account) external view returns (uint256);

    /// ERC-6372: protocol time in seconds.
    function clock() external view returns (uint48);

    /// One vote per wei.
    function decimals() external view returns (uint8);

    /// Let another account vote with the caller's power, all of it, from now on. Raises InvalidDelegate.
    function delegate(address delegatee) external;

    /// Delegate for whoever signed it (EIP-712).
    function delegateBySig(address delegatee, uint256 nonce, uint256 expiry, uint8 v, bytes32 r, bytes32 s) external;

    /// Who votes with an account's power: itself until it delegates.
    function delegates(address account) external view returns (address);

    /// All power there was at a time that is past. Raises ERC5805FutureLookup.
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256);

    /// What it was at a time that is past. Raises ERC5805FutureLookup.
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256);

    /// What an account may vote with now, its own and what was delegated to it.
    function getVotes(address account) external view returns (uint256);

    /// What gives an account its power.
    function holding(address account) external view returns (Holding memory);

    /// Lock the value: it votes until it is unlocked. Raises NothingToLock.
    function lock() external payable;

    /// `name()` on the wire: what tools call the votes.
    function name() external view returns (string memory);

    /// Next nonce of a signed delegation.
    function nonces(address owner) external view returns (uint256);

    /// What tools write behind numbers of votes.
    function symbol() external view returns (string memory);

    /// All power.
    function totalSupply() external view returns (uint256);

    /// Give up power at once and get the FLUX back by itself after `unlock_delay`, at the time returned.
    function unlock(uint256 amount) external returns (uint64);
}

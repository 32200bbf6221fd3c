// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Counts what is minted and burned; moves native FLUX for tools that speak ERC-20. Address: 0x000000000000000000000000000000000000f100
interface IAccounts {
    /// Counters since genesis.
    struct Supply { uint256 minted; uint256 burned; }

    /// ERC-20: FLUX moved by a call of this contract.
    event Transfer(address indexed sender, address indexed recipient, uint256 value);

    /// ERC-20: an allowance was set.
    event Approval(address indexed owner, address indexed spender, uint256 value);

    /// {sender} holds {balance} wei and {needed} wei are needed.
    error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);

    /// {spender} may spend {allowance} wei and {needed} wei are needed.
    error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed);

    /// {receiver} cannot receive FLUX.
    error ERC20InvalidReceiver(address receiver);

    /// {spender} cannot be given an allowance.
    error ERC20InvalidSpender(address spender);

    /// Minting {amount} wei would pass the cap of {cap} wei.
    error SupplyCapExceeded(uint256 cap, uint256 amount);

    /// What `spender` may still move of the owner's FLUX.
    function allowance(address owner, address spender) external view returns (uint256);

    /// Let `spender` move up to `value` of the caller's FLUX; replaces the earlier allowance.
    function approve(address spender, uint256 value) external returns (bool);

    /// What the account holds.
    function balanceOf(address account) external view returns (uint256);

    /// ERC-20 metadata.
    function decimals() external view returns (uint8);

    /// Pay from the treasury. Raises ERC20InsufficientBalance, ERC20InvalidReceiver.
    function grant(address recipient, uint256 value) external;

    /// ERC-20 metadata: `name()` on the wire; the underscore keeps it apart from the contract's own name.
    function name() external view returns (string memory);

    /// Counters since genesis.
    function supply() external view returns (Supply memory);

    /// ERC-20 metadata.
    function symbol() external view returns (string memory);

    /// Minted − burned.
    function totalSupply() external view returns (uint256);

    /// Move the caller's FLUX. Raises ERC20InsufficientBalance, ERC20InvalidReceiver.
    function transfer(address recipient, uint256 value) external returns (bool);

    /// Move an owner's FLUX within the caller's allowance.
    function transferFrom(address sender, address recipient, uint256 value) external returns (bool);
}

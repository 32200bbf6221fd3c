// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Deposits, accrual per second, payment of hosts, refunds. Address: 0x000000000000000000000000000000000000f104
interface IEscrow {
    /// One payer's money, spent oldest first and refunded newest first.
    struct Deposit { address payer; uint256 remaining; }

    /// The account of one app as of `settled_at`.
    struct EscrowAccount { uint64 app; Deposit[] deposits; uint256 rate; uint256 owed; uint64 settledAt; uint256 spent; uint64 depletesAt; uint256 usdRate; uint256 usdOwed; uint256 settledIndex; uint256 depletesIndex; }

    /// The account at the block asked about, accrual up to it counted.
    struct EscrowBalance { uint64 app; uint256 balance; uint256 rate; uint256 spent; uint64 depletesAt; uint256 usdRate; bool frozen; }

    /// Money came in.
    event Deposited(uint64 indexed app, address indexed payer, uint256 amount);

    /// A node's operator was paid for what an app used.
    event HostPaid(uint64 indexed app, uint32 indexed node, address indexed operator, uint256 amount, uint256 fee, uint64 seconds, uint64 lease);

    /// The account is empty; the app stops.
    event Depleted(uint64 indexed app);

    /// Unused money went back to who paid it.
    event Refunded(uint64 indexed app, address indexed payer, uint256 amount);

    /// {provided} wei is less than the {required} wei that this deposit must have.
    error DepositTooSmall(uint256 required, uint256 provided);

    /// App {app} has {available} wei left and {required} wei are needed to run this; top it up first.
    error BalanceTooLow(uint64 app, uint256 required, uint256 available);

    /// App {app} already has money from {limit} payers; let one of them top it up.
    error TooManyPayers(uint64 app, uint16 limit);

    /// App {app} has no open escrow account.
    error NoAccount(uint64 app);

    /// There is no app {app}.
    error UnknownApp(uint64 app);

    /// The spec is not valid: {reason}.
    error InvalidSpec(string reason);

    /// Nobody has reported a price of FLUX in dollars yet; give prices in FLUX.
    error NoPrice();

    /// The account as stored. Raises NoAccount.
    function account(uint64 app) external view returns (EscrowAccount memory);

    /// The account with accrual up to this block. Raises NoAccount.
    function balance(uint64 app) external view returns (EscrowBalance memory);

    /// What the node's operator was paid so far, fee excluded; what has accrued since is not in it.
    function earned(uint32 node) external view returns (uint256);

    /// The smallest first deposit of an app. Raises InvalidSpec, NoPrice.
    function quote(bytes calldata spec, uint16 instances) external view returns (uint256);

    /// Pay the hosts of an app now what is due up to `settlement_lag` ago; anybody may. Raises NoAccount.
    function settle(uint64 app) external;

    /// Add the value to an app's account; anybody may. An app that had run dry starts again.
    function topUp(uint64 app) external payable;
}

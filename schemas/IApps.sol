// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Deploys, changes and removes apps; only the owner changes one. Address: 0x000000000000000000000000000000000000f102
interface IApps {
    /// The chain's record of an app.
    struct App { uint64 id; address owner; string name; uint8 status; uint32 revision; uint16 instances; uint64 createdAt; bytes32 specHash; uint32 highest; }

    /// A revision whose spec is still on chain.
    struct KeptRevision { uint32 revision; uint64 createdAt; bytes32 specHash; }

    /// An app was created.
    event AppDeployed(uint64 indexed app, address indexed owner, string name, uint16 instances);

    /// An app has another revision or instance count; a revision lower than the last one means that it went back.
    event AppUpdated(uint64 indexed app, uint32 revision, uint16 instances);

    /// An app was paused, resumed, depleted or closed.
    event AppStatusChanged(uint64 indexed app, uint8 status);

    /// There is no app {app}.
    error UnknownApp(uint64 app);

    /// The spec of app {app} revision {revision} is not (or no longer) on chain.
    error UnknownRevision(uint64 app, uint32 revision);

    /// App {app} is on revision {revision} already.
    error RevisionIsCurrent(uint64 app, uint32 revision);

    /// The name {name} belongs to app {app}; choose another with --name.
    error NameTaken(string name, uint64 app);

    /// {name} is not a valid app name: 1–63 of a–z, 0–9 and inner hyphens, beginning with a letter.
    error InvalidName(string name);

    /// The spec is not valid: {reason}.
    error InvalidSpec(string reason);

    /// {instances} instances were asked for; between 1 and {limit} are allowed.
    error InvalidInstances(uint16 instances, uint16 limit);

    /// App {app} belongs to {owner}; {caller} may not change it.
    error NotOwner(uint64 app, address owner, address caller);

    /// App {app} is in status {status}, which does not allow this.
    error WrongAppStatus(uint64 app, uint8 status);

    /// {provided} wei is less than the {required} wei that this deposit must have.
    error DepositTooSmall(uint256 required, uint256 provided);

    /// App {app} has {available} wei left and {required} wei are needed to run this; top it up first.
    error BalanceTooLow(uint64 app, uint256 required, uint256 available);

    /// Nobody has reported a price of FLUX in dollars yet; give prices in FLUX.
    error NoPrice();

    /// The record of an app. Raises UnknownApp.
    function app(uint64 app) external view returns (App memory);

    /// Records from the id `start` on, closed ones included, in order; at most 1,000.
    function apps(uint64 start, uint16 limit) external view returns (App[] memory);

    /// Open apps of an owner from the id `start` on, in order; at most 1,000.
    function appsOf(address owner, uint64 start, uint16 limit) external view returns (App[] memory);

    /// Deploy a new app; the caller owns it and the value is its first deposit.
    function deploy(string calldata name, uint16 instances, bytes calldata spec, bytes calldata ciphertext) external payable returns (uint64);

    /// The open app of this name; 0 for none.
    function find(string calldata name) external view returns (uint64);

    /// Stop all instances and the bill; volumes stay where they are for a while.
    function pause(uint64 app) external;

    /// End the app for good: its leases close, unused deposits go back, its name is free again.
    function remove(uint64 app) external;

    /// Run a paused app again. Raises BalanceTooLow when its balance does not even pay for placing it.
    function resume(uint64 app) external;

    /// The revisions whose specs are kept, the oldest first; none of a closed app.
    function revisions(uint64 app) external view returns (KeptRevision[] memory);

    /// Go back (or forward) to a revision that is kept; the market brings the instances to it step by step.
    function rollback(uint64 app, uint32 revision) external;

    /// Run more or fewer instances of the same revision. Raises InvalidInstances, BalanceTooLow.
    function scale(uint64 app, uint16 instances) external;

    /// The canonical spec of a revision. Raises UnknownRevision.
    function spec(uint64 app, uint32 revision) external view returns (bytes memory);

    /// A new revision; the market brings the instances to it step by step, and back if a step fails.
    function update(uint64 app, uint16 instances, bytes calldata spec, bytes calldata ciphertext) external returns (uint32);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Numbers and upgrades that governance set; they apply from the next block on. Address: 0x000000000000000000000000000000000000f10e
interface IParameters {
    /// A number that governance may change.
    struct Parameter { string path; uint256 value; uint256 lowest; uint256 highest; }

    /// A change of rules by name.
    struct Upgrade { string name; uint64 since; }

    /// The next block uses another number.
    event ParameterChanged(string path, uint256 value, uint256 before);

    /// Nodes need software that knows this upgrade before its time.
    event UpgradeScheduled(string name, uint64 since);

    /// A scheduled upgrade does not come.
    event UpgradeCancelled(string name);

    /// There is no parameter {path} that governance may change; `flux chain params` lists them.
    error UnknownParameter(string path);

    /// {path} must lie between {lowest} and {highest}, and {value} does not.
    error ParameterOutOfBounds(string path, uint256 value, uint256 lowest, uint256 highest);

    /// With {path} at {value} the parameters contradict each other: {reason}.
    error ParametersDisagree(string path, uint256 value, string reason);

    /// "{name}" is no name for an upgrade: 1 to 32 lower-case letters, digits and hyphens, never used before.
    error InvalidUpgradeName(string name);

    /// An upgrade at {since} leaves too little time to install it; the earliest is {earliest}.
    error UpgradeTooSoon(uint64 since, uint64 earliest);

    /// An upgrade at {since} would come before {name}, which is scheduled at {later}.
    error UpgradeOutOfOrder(uint64 since, string name, uint64 later);

    /// No upgrade named {name} lies ahead.
    error NoSuchUpgrade(string name);

    /// Drop the last scheduled upgrade while its time lies ahead. Raises NoSuchUpgrade.
    function cancelUpgrade(string calldata name) external;

    /// Identity of all changes since genesis; zero while there is none.
    function digest() external view returns (bytes32);

    /// A number with its bounds. Raises UnknownParameter.
    function parameter(string calldata path) external view returns (Parameter memory);

    /// Every number that governance may change, with its bounds.
    function parameters() external view returns (Parameter[] memory);

    /// Have blocks from a protocol time on follow an upgrade; nodes that do not know it stop before.
    function scheduleUpgrade(string calldata name, uint64 since) external;

    /// Change a number from the next block on.
    function setParameter(string calldata path, uint256 value) external;

    /// All upgrades that were ever scheduled and not cancelled, in order.
    function upgrades() external view returns (Upgrade[] memory);
}

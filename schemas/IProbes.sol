// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Committees, suspicion in two stages, restoration. Address: 0x000000000000000000000000000000000000f106
interface IProbes {
    /// What one committee member saw of a node.
    struct Seen { uint32 reporter; uint32 availability; }

    /// What the committee says of a node in the last epoch that was reported.
    struct Availability { uint64 epoch; Seen[] seen; uint32[] committee; }

    /// Whether so many nodes are lost at once that the fault is taken to be the observer's.
    struct Brake { uint64 since; uint32 fleet; uint32 perMinute; uint64 releasedAt; }

    /// The brake, with what it is about.
    struct BrakeInfo { Brake brake; uint32 doubted; uint32 waiting; }

    /// How a node lately did what it owes to others: moving averages over `conduct_window` events, parts per million.
    struct Conduct { uint32 duty; uint32 starts; }

    /// The current epoch.
    struct EpochInfo { uint64 epoch; uint64 startedAt; uint64 endsAt; bytes32 seed; }

    /// How often a node was asked in an epoch, and how often it answered with its signature.
    struct TargetCount { uint32 node; uint32 asked; uint32 answered; }

    /// An open suspicion against a node.
    struct Suspicion { uint32 node; uint32[] votes; uint64 firstVoteAt; uint64 suspectedAt; uint64 closesAt; uint64 aliveAt; uint32[] confirmations; }

    /// A committee member said what it saw in an epoch.
    event AvailabilityReported(uint32 indexed reporter, uint64 indexed epoch, bytes32 digest);

    /// Nodes of a report that count for nothing, since the reporter is not in their committees of that epoch.
    event TargetsLeftOut(uint32 indexed reporter, uint64 indexed epoch, uint32[] nodes);

    /// A committee member could not reach a node.
    event SuspicionReported(uint32 indexed node, uint32 indexed reporter);

    /// More than half of the committee could not reach the node.
    event NodeSuspected(uint32 indexed node, uint16 votes);

    /// The second committee reached the node again.
    event NodeRestored(uint32 indexed node, uint16 confirmations);

    /// The bound passed; the node's leases were closed.
    event NodeUnreachable(uint32 indexed node);

    /// A new epoch with its seed.
    event EpochStarted(uint64 indexed epoch, bytes32 seed);

    /// Too many nodes are lost at once: from now on they are re-placed at a limited rate.
    event BrakeSet(uint32 fleet, uint32 doubted, uint32 perMinute);

    /// No suspect node waits any more, and few are doubted.
    event BrakeReleased(uint64 since);

    /// {caller} is not the agent of an active node.
    error NotAgent(address caller);

    /// Node {reporter} is not in the committee of node {node} in epoch {epoch}.
    error NotInCommittee(uint32 reporter, uint32 node, uint64 epoch);

    /// Node {reporter} has already reported this about node {node}.
    error AlreadyReported(uint32 reporter, uint32 node);

    /// Node {node} is not under suspicion.
    error NotSuspected(uint32 node);

    /// Node {reporter} has reported node {node} as often as it may in this epoch.
    error TooManyReports(uint32 reporter, uint32 node);

    /// There is no node {node}.
    error UnknownNode(uint32 node);

    /// Epoch {epoch} is not the one that can be reported on now, which is {reportable}.
    error WrongEpoch(uint64 epoch, uint64 reportable);

    /// The counts of answered probes are not in order: {reason}.
    error InvalidCounts(string reason);

    /// The suspect node itself says that it is alive. Raises NotAgent, NotSuspected, AlreadyReported.
    function alive() external;

    /// What the committee says of a node; empty when nobody ever reported on it.
    function availability(uint32 node) external view returns (Availability memory);

    /// Whether so much is lost at once that little is re-placed, and at what rate.
    function brake() external view returns (BrakeInfo memory);

    /// Who watches the node now, in drawn order. Raises UnknownNode.
    function committee(uint32 node) external view returns (uint32[] memory);

    /// How the node lately did what it owes to others; zero where nothing is against it.
    function conduct(uint32 node) external view returns (Conduct memory);

    /// The current epoch.
    function epoch() external view returns (EpochInfo memory);

    /// Whom the node can report on for the epoch before the current one. Walks all nodes, as `targets` does.
    function pastTargets(uint32 node) external view returns (uint32[] memory);

    /// The epoch that can be reported on now; its seed says whose targets were whose.
    function previousEpoch() external view returns (EpochInfo memory);

    /// A member of the second committee reached the suspect node.
    function reached(uint32 node) external;

    /// What a committee member saw of its targets in the epoch before the current one; once.
    function report(uint64 epoch, bytes32 digest, TargetCount[] calldata counts) external;

    /// Who confirms that a suspect node is alive after all. Raises UnknownNode.
    function secondCommittee(uint32 node) external view returns (uint32[] memory);

    /// A committee member could not reach the node twice in a row.
    function suspect(uint32 node) external;

    /// What is open against the node; all zero when nothing is.
    function suspicion(uint32 node) external view returns (Suspicion memory);

    /// Nodes in stage two: their second committee should probe them now.
    function suspicions() external view returns (uint32[] memory);

    /// Whom the node watches. Walks all nodes: for agents, once an epoch and after changes.
    function targets(uint32 node) external view returns (uint32[] memory);
}

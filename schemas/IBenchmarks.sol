// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Measured hardware and geography. Address: 0x000000000000000000000000000000000000f10d
interface IBenchmarks {
    /// What one member saw of one node; 0 where it gave no answer or a wrong one.
    struct Measurement { uint32 cpuEvents; uint32 memoryMib; uint32 diskMib; uint32 diskLatencyUs; uint32 networkMbit; uint32 roundTripUs; }

    /// The last time that more than half of a committee measured the node.
    struct Benchmark { uint32 node; uint64 epoch; uint64 measuredAt; uint16 seats; uint16 reports; Measurement median; uint8 reached; uint64 due; }

    /// What a tier asks of measured speed (the Flux network's own benchmark constants).
    struct TierBenchmark { uint32 cpuEvents; uint32 diskMib; uint32 networkMbit; }

    /// How much work one challenge is. All of one challenge takes a node a second or two.
    struct TaskSizes { uint16 eventsPerChain; uint16 maxChains; uint8 memoryTasks; uint16 memoryMib; uint16 plotBlocks; uint16 plotKeyKib; uint16 diskReads; uint32 transferKib; }

    /// Governance parameters of measuring.
    struct BenchmarksParams { TierBenchmark[] tiers; TaskSizes tasks; uint16 sampledBasisPoints; uint16 committee; uint16 minCommittee; uint16 recoveryEpochs; uint32 kilometresPerSecond; }

    /// One report of a round.
    struct MemberReport { uint32 reporter; Measurement measurement; bool refutes; }

    /// The reports on a node in one epoch, until the epoch ends.
    struct Round { uint32 node; uint64 epoch; uint16 seats; MemberReport[] reports; }

    /// A member measured a node.
    event BenchmarkReported(uint32 indexed node, uint32 indexed reporter, Measurement measurement);

    /// The median of a committee is on record.
    event NodeMeasured(uint32 indexed node, uint64 indexed epoch, uint16 reports, uint8 reached, Measurement median);

    /// Notice: the node measures below its tier and is lowered in epoch `due` unless it recovers.
    event BelowTier(uint32 indexed node, uint8 tier, uint8 reached, uint64 due);

    /// Measured speed now allows at most this tier.
    event TierLimited(uint32 indexed node, uint8 limit);

    /// More than half of the committee had answers faster than light could bring them from the claimed country.
    event LocationRefuted(uint32 indexed node, string country, uint16 votes);

    /// A later committee found the claimed country possible again.
    event LocationAccepted(uint32 indexed node, string country);

    /// {caller} is not the agent of an active node.
    error NotAgent(address caller);

    /// Node {reporter} is not in the committee of node {node} in epoch {epoch}.
    error NotInCommittee(uint32 reporter, uint32 node, uint64 epoch);

    /// Node {reporter} has already reported this about node {node}.
    error AlreadyReported(uint32 reporter, uint32 node);

    /// Node {node} is not to be measured in epoch {epoch}.
    error NotMeasured(uint32 node, uint64 epoch);

    /// There is no node {node}.
    error UnknownNode(uint32 node);

    /// What was last measured; all zero for a node that never was. Raises UnknownNode.
    function benchmark(uint32 node) external view returns (Benchmark memory);

    /// Who measures the node in this epoch; nobody when it is not to be measured. Raises UnknownNode.
    function committee(uint32 node) external view returns (uint32[] memory);

    /// Thresholds and sizes, for agents.
    function parameters() external view returns (BenchmarksParams memory);

    /// What a committee member measured, once a node and epoch.
    function report(uint32 node, Measurement calldata measurement) external;

    /// What members have reported in this epoch so far. Raises UnknownNode.
    function reports(uint32 node) external view returns (Round memory);

    /// Whom the node measures in this epoch. Walks all nodes: for agents, a few times an epoch.
    function targets(uint32 node) external view returns (uint32[] memory);
}

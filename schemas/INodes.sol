// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Machines, what they declare, and their lifecycle. Address: 0x000000000000000000000000000000000000f101
interface INodes {
    /// How to reach the node's agent.
    struct Endpoint { string host; uint16 port; bytes32 certificate; bytes32 sealKey; bool residential; bool staticIp; }

    /// Where the machine is, in the terms of Flux geolocation rules.
    struct Location { string continent; string country; string region; }

    /// What the machine offers to apps.
    struct Hardware { uint32 cpuMilli; uint32 memoryMib; uint32 diskMib; uint8 architecture; uint8 gpuCount; string gpuModel; }

    /// Prices per hour in billionths of a FLUX (gwei) or of a US dollar.
    struct Ask { uint64 cpu; uint64 memory; uint64 disk; uint64 gpu; uint8 currency; }

    /// The chain's record of a node.
    struct Node { uint32 id; address operator; address agent; uint8 status; uint8 tier; Endpoint endpoint; Location location; Hardware hardware; Ask ask; uint64 registeredAt; uint64 statusSince; string statusReason; uint8 measured; bool located; uint64 drainsUntil; }

    /// A machine joined.
    event NodeRegistered(uint32 indexed node, address indexed operator, address indexed agent, uint8 tier);

    /// A node entered a status.
    event NodeStatusChanged(uint32 indexed node, uint8 status, string reason);

    /// A node's ask, endpoint, hardware or tier changed.
    event NodeUpdated(uint32 indexed node, uint8 tier);

    /// There is no node {node}.
    error UnknownNode(uint32 node);

    /// {agent} is not the agent key of any node; register the node first.
    error UnknownAgent(address agent);

    /// Agent key {agent} already belongs to node {node}; make a new one with `flux node init`.
    error AgentTaken(address agent, uint32 node);

    /// A stake of {provided} wei stands where {required} wei are needed for any tier.
    error InsufficientStake(uint256 required, uint256 provided);

    /// No tier takes {cpu_milli} milli-cores, {memory_mib} MiB of memory and {disk_mib} MiB of disk.
    error InsufficientHardware(uint32 cpuMilli, uint32 memoryMib, uint32 diskMib);

    /// The node's {field} is not valid: {reason}.
    error InvalidDeclaration(string field, string reason);

    /// Node {node} is in status {status}, which does not allow this.
    error WrongNodeStatus(uint32 node, uint8 status);

    /// This is possible again from protocol time {allowed_from} on.
    error TooEarly(uint64 allowedFrom);

    /// Node {node} was measured below the lowest tier; see `flux node benchmark`. It is measured again each epoch.
    error MeasuredTooSlow(uint32 node);

    /// The agent says that it is up. After a suspension this is possible once the rejoin delay has passed.
    function activate() external;

    /// How many nodes are active.
    function activeCount() external view returns (uint32);

    /// How many nodes ever registered; also the highest id.
    function count() external view returns (uint32);

    /// Take nothing new and have what runs here moved away, start-first; the node stays registered and watched.
    function drain(uint32 node) external;

    /// Drain: the market places the node's instances elsewhere; without open leases the node is gone at once.
    function leave(uint32 node) external;

    /// The record of a node. Raises UnknownNode.
    function node(uint32 node) external view returns (Node memory);

    /// The node that reports with this key; 0 for none.
    function nodeOfAgent(address agent) external view returns (uint32);

    /// Records from the id `start` on, in order; at most 1,000.
    function nodes(uint32 start, uint16 limit) external view returns (Node[] memory);

    /// Join with a machine; the caller becomes its operator and the value its own stake. Others may add to it.
    function register(address agent, Endpoint calldata endpoint, Location calldata location, Hardware calldata hardware, Ask calldata ask) external payable returns (uint32);

    /// Change the price of future leases, in FLUX or in dollars; open leases keep theirs.
    function setAsk(uint32 node, Ask calldata ask) external;

    /// Change how the node's agent is reached.
    function setEndpoint(uint32 node, Endpoint calldata endpoint) external;

    /// Declare other hardware; the tier follows, down as well as up.
    function setHardware(uint32 node, Hardware calldata hardware) external;

    /// Take instances again; what has not moved yet stays.
    function undrain(uint32 node) external;
}

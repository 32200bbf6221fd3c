// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Leases: placed in the block, confirmed by nodes, closed with a reason. Address: 0x000000000000000000000000000000000000f103
interface IMarket {
    /// Where a component's port is reachable on its node.
    struct PortBinding { string component; uint16 container; uint16 host; uint8 protocol; }

    /// What the market says of one node for one spec.
    struct Verdict { uint32 node; uint8 rejection; uint256 rate; uint256 usdRate; }

    /// The chain's record that a node hosts an instance of an app at a rate.
    struct Lease { uint64 id; uint64 app; uint32 revision; uint16 ordinal; uint32 node; uint8 state; uint256 rate; uint64 assignedAt; uint64 runningAt; uint64 closedAt; uint64 replaces; uint8 reason; string detail; PortBinding[] bindings; uint256 usdRate; }

    /// An instance that waits for a node.
    struct PendingInstance { uint64 app; uint16 ordinal; uint64 since; uint64 replaces; }

    /// An instance that would be cheaper on another node.
    struct Relocation { uint16 ordinal; uint64 lease; uint32 node; uint32 to; uint256 rate; uint256 newRate; }

    /// How the last change of an app's revision went, or goes.
    struct Rollout { uint8 state; uint32 source; uint32 target; uint32 steps; uint32 failures; uint64 startedAt; uint64 turnedAt; uint64 movedAt; uint64 endedAt; string reason; uint32[] failedOn; }

    /// Where one running instance answers.
    struct Upstream { uint64 lease; uint16 ordinal; uint32 node; string host; uint16 port; }

    /// What an ingress serves for one app; no upstreams means nothing runs yet.
    struct Route { uint64 app; string name; bool sticky; Upstream[] upstreams; }

    /// What a node is to hold ready.
    struct StandbyDuty { uint64 app; uint32 revision; bytes32 images; bool ready; }

    /// Prices per hour in billionths of a FLUX (gwei) or of a US dollar.
    struct Ask { uint64 cpu; uint64 memory; uint64 disk; uint64 gpu; uint8 currency; }

    /// A node that holds an app's images, or is about to.
    struct Standby { uint64 number; uint32 node; uint32 revision; bytes32 images; uint64 since; uint64 readyAt; uint256 rate; uint256 usdRate; Ask ask; }

    /// What open leases take of a node.
    struct Usage { uint32 cpuMilli; uint32 memoryMib; uint32 diskMib; uint8 gpuCount; }

    /// The chain placed an instance.
    event LeaseAssigned(uint64 indexed lease, uint64 indexed app, uint32 indexed node, uint16 ordinal, uint32 revision, uint256 rate, uint64 replaces, uint256 usdRate);

    /// The node confirmed the instance; accrual starts.
    event LeaseRunning(uint64 indexed lease, uint64 indexed app, uint32 indexed node);

    /// The node's committee lost it; accrual stops.
    event LeaseSuspect(uint64 indexed lease, uint64 indexed app, uint32 indexed node);

    /// A suspect lease is running again.
    event LeaseRestored(uint64 indexed lease, uint64 indexed app, uint32 indexed node);

    /// Nothing of the instance runs for now, says its node; accrual stops.
    event LeaseStalled(uint64 indexed lease, uint64 indexed app, uint32 indexed node);

    /// A stalled lease is running again.
    event LeaseResumed(uint64 indexed lease, uint64 indexed app, uint32 indexed node);

    /// A lease ended.
    event LeaseClosed(uint64 indexed lease, uint64 indexed app, uint32 indexed node, uint8 reason, string detail);

    /// An instance found no node; each count says how many nodes were rejected for that reason (index = Rejection).
    event InstancePending(uint64 indexed app, uint16 ordinal, uint32[] rejections);

    /// An instance that must not run twice waits until its last node has stopped it for sure.
    event InstanceFenced(uint64 indexed lease, uint64 indexed app, uint16 ordinal, uint64 until);

    /// The instance was placed where its volumes are, whatever other nodes ask.
    event VolumesKept(uint64 indexed lease, uint64 indexed app, uint32 indexed node);

    /// A change of revision began, ended, failed or turned back.
    event RolloutChanged(uint64 indexed app, uint8 state, uint32 source, uint32 target, string reason);

    /// A node failed a revision that comes in; nodes of other operators try it before it has failed.
    event RolloutDoubted(uint64 indexed app, uint32 indexed node, uint32 revision, string reason);

    /// A node is next in line for an app, and may fetch its images.
    event StandbyChosen(uint64 indexed number, uint64 indexed app, uint32 indexed node, uint32 revision, uint256 rate, uint256 usdRate);

    /// A node says that it holds the images; it is paid from now on.
    event StandbyReady(uint64 indexed number, uint64 indexed app, uint32 indexed node);

    /// Its committee lost a node that was ready; it is not paid until it says again that it holds the images.
    event StandbyDoubted(uint64 indexed number, uint64 indexed app, uint32 indexed node);

    /// The app changed: a node that stands by has other images to fetch, or gets another rate.
    event StandbyRenewed(uint64 indexed number, uint64 indexed app, uint32 indexed node, uint32 revision, uint256 rate, uint256 usdRate, bool ready);

    /// A node stands by no longer.
    event StandbyEnded(uint64 indexed number, uint64 indexed app, uint32 indexed node, uint8 reason);

    /// The instance was placed where its images are, whatever other nodes ask.
    event StandbyUsed(uint64 indexed lease, uint64 indexed app, uint32 indexed node);

    /// There is no lease {lease}.
    error UnknownLease(uint64 lease);

    /// Lease {lease} belongs to node {node}; {caller} is not its agent.
    error NotLeaseHolder(uint64 lease, uint32 node, address caller);

    /// Lease {lease} is in state {state}, which does not allow this.
    error WrongLeaseState(uint64 lease, uint8 state);

    /// The report on lease {lease} is not valid: {reason}.
    error InvalidReport(uint64 lease, string reason);

    /// App {app} has no open instance {ordinal}.
    error UnknownInstance(uint64 app, uint16 ordinal);

    /// App {app} belongs to {owner}; {caller} may not move its instances.
    error NotAppOwner(uint64 app, address owner, address caller);

    /// An instance of app {app} starts, waits or is in doubt; move others when all run.
    error NotSettled(uint64 app);

    /// Instance {ordinal} of app {app} would not be cheaper on another node.
    error NothingSaved(uint64 app, uint16 ordinal);

    /// There is no node {node}.
    error UnknownNode(uint32 node);

    /// There is no app {app}.
    error UnknownApp(uint64 app);

    /// The spec of app {app} revision {revision} is not (or no longer) on chain.
    error UnknownRevision(uint64 app, uint32 revision);

    /// The spec is not valid: {reason}.
    error InvalidSpec(string reason);

    /// Node {node} does not stand by for app {app}.
    error NotStandby(uint64 app, uint32 node);

    /// The report on the images of app {app} is not valid: {reason}.
    error InvalidStandbyReport(uint64 app, string reason);

    /// The node runs the instance. Raises UnknownLease, NotLeaseHolder, WrongLeaseState, InvalidReport.
    function confirm(uint64 lease, PortBinding[] calldata bindings) external;

    /// What each node from `start` on would say to one more instance of a deployed app.
    function explain(uint64 app, uint32 start, uint16 limit) external view returns (Verdict[] memory);

    /// The node cannot run the instance. Raises UnknownLease, NotLeaseHolder, WrongLeaseState, InvalidReport.
    function fail(uint64 lease, uint8 reason, string calldata detail) external;

    /// The caller's node stands by for the app and holds its images: it is paid from now on.
    function hold(uint64 app, bytes32 images) external;

    /// A lease. Raises UnknownLease, also for one closed so long ago that it is not kept.
    function lease(uint64 lease) external view returns (Lease memory);

    /// Open leases, oldest first, then the closed ones that are kept, newest first.
    function leasesOfApp(uint64 app) external view returns (Lease[] memory);

    /// Open leases of a node, oldest first.
    function leasesOfNode(uint32 node) external view returns (Lease[] memory);

    /// The caller's node cannot hold the app's images (any longer); another one is chosen. Raises NotStandby.
    function letGo(uint64 app) external;

    /// Move an instance to another node; the app avoids its old one a while.
    function move(uint64 app, uint16 ordinal) external;

    /// Instances of the app that wait for a node.
    function pending(uint64 app) external view returns (PendingInstance[] memory);

    /// What each node from `start` on would say to an instance of a spec. Raises InvalidSpec.
    function plan(bytes calldata spec, uint32 start, uint16 limit) external view returns (Verdict[] memory);

    /// Start an instance on the cheaper node that placement would choose today; the old one ends when it runs.
    function rebalance(uint64 app, uint16 ordinal) external returns (uint32);

    /// Instances that would be cheaper elsewhere, each as if those before it had moved. Raises UnknownApp.
    function relocations(uint64 app) external view returns (Relocation[] memory);

    /// A stalled lease runs again. Raises UnknownLease, NotLeaseHolder, WrongLeaseState.
    function resume(uint64 lease) external;

    /// How the last change of the app's revision went, or goes.
    function rollout(uint64 app) external view returns (Rollout memory);

    /// What an ingress serves, from the app `start` on; apps without an HTTP port are left out.
    function routes(uint64 start, uint16 limit) external view returns (Route[] memory);

    /// Nothing of a running lease runs for now, and its node will start it again: nothing accrues meanwhile.
    function stall(uint64 lease) external;

    /// Whose images a node is to hold ready, by app.
    function standbyDuties(uint32 node) external view returns (StandbyDuty[] memory);

    /// Wei per second of a node that stands by, where an instance costs `rate`.
    function standbyRate(uint256 rate) external view returns (uint256);

    /// The nodes that stand by for an app, the preferred one first.
    function standbys(uint64 app) external view returns (Standby[] memory);

    /// Nothing of a closed lease runs any more: what must not run twice need not wait longer.
    function stopped(uint64 lease) external;

    /// What open leases take of a node.
    function usage(uint32 node) external view returns (Usage memory);

    /// The node that holds the volumes of an instance and is preferred for it; 0 for none.
    function volumeHolder(uint64 app, uint16 ordinal) external view returns (uint32);
}

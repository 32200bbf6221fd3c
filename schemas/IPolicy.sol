// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// The denylist of the network, kept by votes. Address: 0x000000000000000000000000000000000000f1fe
interface IPolicy {
    /// Why and from when something may not run.
    struct Denial { uint64 since; uint64 enforcedFrom; bool appealed; string reason; }

    /// No app may start with this image.
    event ImageDenied(bytes32 indexed digest, uint64 enforcedFrom, string reason);

    /// This app may not run.
    event AppDenied(uint64 indexed app, uint64 enforcedFrom, string reason);

    /// The denial of an image was lifted.
    event ImageAllowed(bytes32 indexed digest);

    /// The denial of an app was lifted.
    event AppAllowed(uint64 indexed app);

    /// A tenant asked the voters to think again; enforcement waits.
    event DenialAppealed(uint64 indexed app, uint64 enforcedFrom, string statement);

    /// A denied app was closed; its deposits went back.
    event AppClosedByPolicy(uint64 indexed app, string reason);

    /// The network voted not to run the image sha256 {digest}: {reason}.
    error ImageIsDenied(bytes32 digest, string reason);

    /// The network voted not to run app {app}: {reason}.
    error AppIsDenied(uint64 app, string reason);

    /// Nothing is denied here that could be lifted, appealed or enforced.
    error NotDenied();

    /// It is denied already.
    error AlreadyDenied();

    /// App {app} may run until {enforced_from}.
    error NotYetEnforced(uint64 app, uint64 enforcedFrom);

    /// There was an appeal against this denial; a proposal can still lift it.
    error AlreadyAppealed();

    /// A reason or statement has 1 to {limit} bytes.
    error ReasonTooLong(uint16 limit);

    /// Only {owner}, the owner of app {app}, may appeal.
    error NotAppOwner(uint64 app, address owner);

    /// Lift the denial of an app that has not been closed. Raises NotDenied.
    function allowApp(uint64 app) external;

    /// Lift the denial of an image. Raises NotDenied.
    function allowImage(bytes32 digest) external;

    /// The denial of an app; `since` is 0 when there is none.
    function appDenial(uint64 app) external view returns (Denial memory);

    /// Ask the voters to think again, once per denial of the app or of one of its images; enforcement waits.
    function appeal(uint64 app, string calldata statement) external;

    /// Apps that are denied, in order from `start` on; at most 1,000.
    function deniedApps(uint64 start) external view returns (uint64[] memory);

    /// Digests that are denied, in order from `start` on; at most 1,000.
    function deniedImages(bytes32 start) external view returns (bytes32[] memory);

    /// An app may not run; it closes by itself after the notice. Raises UnknownApp, AlreadyDenied, ReasonTooLong.
    function denyApp(uint64 app, string calldata reason) external;

    /// No app starts with this image any more. Raises AlreadyDenied, ReasonTooLong.
    function denyImage(bytes32 digest, string calldata reason) external;

    /// Close an app that is denied, or runs a denied image, once its notice is over; anybody may.
    function enforce(uint64 app) external;

    /// The denial of an image; `since` is 0 when there is none.
    function imageDenial(bytes32 digest) external view returns (Denial memory);
}

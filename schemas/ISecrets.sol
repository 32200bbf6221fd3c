// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Keeps ciphertexts and sealed seeds; nothing in it can be read without a lease holder's key. Address: 0x000000000000000000000000000000000000f105
interface ISecrets {
    /// A seed sealed to one lease holder's X25519 key (libsodium sealed box: 16-byte seed → 64 bytes).
    struct SealedSeed { uint64 lease; bytes box; }

    /// One node's share of a seed. Its place in the list, from 1, is the share's index.
    struct Keeper { uint32 node; bytes32 key; bytes32 share; bytes box; }

    /// What one generation of sharing puts on chain.
    struct SharedSeed { uint32 generation; uint8 threshold; Keeper[] keepers; }

    /// The sharing that holds for a revision; generation 0 is empty room, paid for with the revision.
    struct Keeping { SharedSeed shared; uint64 since; bool low; }

    /// A place among the keepers, and the X25519 key that its share is sealed to.
    struct Seat { uint32 node; bytes32 key; }

    /// How a revision's keepers stand, and what the next generation would be.
    struct Sharing { uint32 generation; uint8 threshold; uint8 keepers; uint8 left; bool isDue; uint64 opensAt; bool isOpen; uint8 nextThreshold; Seat[] seats; uint32[] voted; }

    /// The ciphertext of a revision is on chain.
    event PrivateHalfPublished(uint64 indexed app, uint32 revision, bytes32 digest);

    /// A lease holder can open the private half.
    event SeedSealed(uint64 indexed app, uint64 indexed lease);

    /// A generation of keepers holds the seed of a revision.
    event SeedShared(uint64 indexed app, uint32 revision, uint32 generation, uint8 keepers, uint8 threshold);

    /// One more loss, and no keepers could open the seed: `left` is at most the threshold.
    event KeepersLow(uint64 indexed app, uint32 revision, uint8 left, uint8 threshold);

    /// App {app} revision {revision} has no private half.
    error NoPrivateHalf(uint64 app, uint32 revision);

    /// The sealed box for lease {lease} has {size} bytes; a sealed seed has 64.
    error InvalidBox(uint64 lease, uint16 size);

    /// Lease {lease} cannot be given this seed: {reason}.
    error InvalidSeal(uint64 lease, string reason);

    /// Only the owner of app {app}, or the agent of a node that runs it, may give its seed.
    error MaySealNot(uint64 app);

    /// App {app} belongs to {owner}; {caller} may not change it.
    error NotOwner(uint64 app, address owner, address caller);

    /// There is no app {app}.
    error UnknownApp(uint64 app);

    /// There is no lease {lease}.
    error UnknownLease(uint64 lease);

    /// Only the agent of a node that runs this revision of app {app} may share its seed; its owner does by keep.
    error MayShareNot(uint64 app);

    /// The next sharing of app {app} revision {revision} is generation {expected}.
    error WrongGeneration(uint64 app, uint32 revision, uint32 expected);

    /// Enough keepers are left; nodes may share the seed anew from protocol time {allowed_from} on.
    error SharedTooSoon(uint64 allowedFrom);

    /// The seed of app {app} cannot be shared like this: {reason}.
    error InvalidSharing(uint64 app, string reason);

    /// Node {node} has said what generation {generation} of app {app} is.
    error AlreadyShared(uint32 node, uint64 app, uint32 generation);

    /// What was sealed to the lease, the owner's box first; the holder tries one after the other.
    function boxes(uint64 lease) external view returns (bytes[] memory);

    /// The encrypted private half of a revision. Raises NoPrivateHalf.
    function ciphertext(uint64 app, uint32 revision) external view returns (bytes memory);

    /// The agent of a node that runs the app, in any revision, gives a seed to another lease holder, once each.
    function handOver(uint64 app, SealedSeed calldata seed) external;

    /// The owner shares the seed of a revision among the keepers drawn now; it holds at once.
    function keep(uint64 app, uint32 revision, SharedSeed calldata shared) external;

    /// Who holds shares of a revision's seed; generation 0 while nobody does. Raises NoPrivateHalf.
    function keepers(uint64 app, uint32 revision) external view returns (Keeping memory);

    /// The owner gives the seed to lease holders; a second box for a lease replaces the owner's first.
    function seal(uint64 app, SealedSeed[] calldata seeds) external;

    /// The agent of a node that runs the revision says what the next sharing is, once for each draw.
    function share(uint64 app, uint32 revision, SharedSeed calldata shared) external;

    /// How a revision's keepers stand, and what the next generation would be. Raises NoPrivateHalf.
    function sharing(uint64 app, uint32 revision) external view returns (Sharing memory);
}

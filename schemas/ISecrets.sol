// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Keeps ciphertexts and sealed seeds; nothing in it can be read without a lease holder's key. Address: 0x000000000000000000000000000000000000f105
interface ISecrets {
    /// A seed sealed to one lease holder's X25519 key (libsodium sealed box: 16-byte seed → 64 bytes).
    struct SealedSeed { uint64 lease; bytes box; }

    /// The ciphertext of a revision is on chain.
    event PrivateHalfPublished(uint64 indexed app, uint32 revision, bytes32 digest);

    /// A lease holder can open the private half.
    event SeedSealed(uint64 indexed app, uint64 indexed lease);

    /// App {app} revision {revision} has no private half.
    error NoPrivateHalf(uint64 app, uint32 revision);

    /// The sealed box for lease {lease} has {size} bytes; a sealed seed has 64.
    error InvalidBox(uint64 lease, uint16 size);

    /// Lease {lease} cannot be given this seed: {reason}.
    error InvalidSeal(uint64 lease, string reason);

    /// Only the owner of app {app}, or the agent of a node that runs this revision of it, may give its seed.
    error MaySealNot(uint64 app);

    /// App {app} belongs to {owner}; {caller} may not change it.
    error NotOwner(uint64 app, address owner, address caller);

    /// There is no app {app}.
    error UnknownApp(uint64 app);

    /// There is no lease {lease}.
    error UnknownLease(uint64 lease);

    /// What was sealed to the lease, the owner's box first; the holder tries one after the other.
    function boxes(uint64 lease) external view returns (bytes[] memory);

    /// The encrypted private half of a revision. Raises NoPrivateHalf.
    function ciphertext(uint64 app, uint32 revision) external view returns (bytes memory);

    /// The agent of a node that runs the same revision gives the seed to another lease holder, once per lease.
    function handOver(uint64 app, SealedSeed calldata seed) external;

    /// The owner gives the seed to lease holders; a second box for a lease replaces the owner's first.
    function seal(uint64 app, SealedSeed[] calldata seeds) external;
}

"""Light blocks: a header, the commit that signed it, and the validators who could (CometBFT specification, core types).

Times are nanoseconds since 1970, UTC; hashes are SHA-256, addresses the first 20 bytes of a key's SHA-256.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

SECOND = 1_000_000_000


class Flag(IntEnum):
    """What a validator did."""

    ABSENT = 1
    COMMIT = 2
    NIL = 3
    """Voted for no block."""


@dataclass(frozen=True, slots=True)
class BlockId:
    """Which block, and how it was cut into parts for gossip. All empty before the first block."""

    hash: bytes
    parts_total: int
    parts_hash: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """CometBFT's header; not ours, whose hash is in the next header's `app_hash`."""

    version_block: int
    version_app: int
    chain_id: str
    height: int
    time: int
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer_address: bytes


@dataclass(frozen=True, slots=True)
class CommitSignature:
    """One validator's vote, at its place in the validator set."""

    flag: Flag
    address: bytes
    time: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """The votes that made a block final."""

    height: int
    round: int
    block_id: BlockId
    signatures: tuple[CommitSignature, ...]


@dataclass(frozen=True, slots=True)
class Validator:
    """A key and its power."""

    public_key: bytes
    """Ed25519, 32 bytes."""
    power: int

    @property
    def address(self) -> bytes:
        """By which votes name it."""
        return sha256(self.public_key).digest()[:20]


@dataclass(frozen=True, slots=True)
class LightBlock:
    """Everything that one height's verification takes."""

    header: Header
    commit: Commit
    validators: tuple[Validator, ...]
    """In CometBFT's order: by power, the greatest first, then by address."""

    @property
    def height(self) -> int:
        """The header's."""
        return self.header.height

"""State sync as ABCI's four snapshot calls need it, in terms of no engine. `consensus.state_sync` implements it.

Every call may read or write megabytes and take seconds: engines make them in a thread that nothing else waits for, one
at a time.
"""

from enum import IntEnum
from typing import NamedTuple, Protocol


class SnapshotInfo(NamedTuple):
    """A snapshot as peers advertise it; members and their order are ABCI's `Snapshot`."""

    height: int
    format: int
    chunks: int
    hash: bytes
    metadata: bytes


class Offer(IntEnum):
    """What to do with a snapshot that was offered; values are ABCI's `OfferSnapshotResult`."""

    ACCEPT = 1
    ABORT = 2
    REJECT = 3
    REJECT_FORMAT = 4
    REJECT_SENDER = 5


class ChunkResult(IntEnum):
    """What became of a chunk; values are ABCI's `ApplySnapshotChunkResult`."""

    ACCEPT = 1
    ABORT = 2
    RETRY = 3
    RETRY_SNAPSHOT = 4
    REJECT_SNAPSHOT = 5


class AppliedChunk(NamedTuple):
    """The answer to a chunk."""

    result: ChunkResult
    refetch: tuple[int, ...] = ()
    """Chunks to be fetched again, this one included."""
    reject_senders: tuple[str, ...] = ()
    """Peers that sent what cannot be right; the engine takes nothing more from them."""


class StateSync(Protocol):
    """What an engine delegates ListSnapshots, LoadSnapshotChunk, OfferSnapshot and ApplySnapshotChunk to."""

    def list_snapshots(self) -> list[SnapshotInfo]:
        """The snapshots that this node can serve, the newest first."""
        ...

    def load_chunk(self, height: int, format: int, index: int) -> bytes:
        """A chunk of one of them; empty when there is no such chunk (any more)."""
        ...

    def offer_snapshot(self, snapshot: SnapshotInfo, app_hash: bytes) -> Offer:
        """Begin to restore a snapshot. `app_hash` is what the engine verified for its height; only it is trusted."""
        ...

    def apply_chunk(self, index: int, chunk: bytes, sender: str) -> AppliedChunk:
        """Take the next chunk. ACCEPT for the last one means that the application now stands at the height."""
        ...

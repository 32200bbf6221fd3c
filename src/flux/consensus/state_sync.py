"""ABCI's four snapshot calls over the files of a node and its application, in terms of no engine."""

import structlog

from flux.chain.application import Application
from flux.chain.ledger import LedgerError
from flux.chain.snapshot import FORMAT, BadChunk, BadSnapshot, ChunkOutOfOrder, decode_metadata, snapshot_hash
from flux.consensus.snapshot_port import AppliedChunk, ChunkResult, Offer, SnapshotInfo
from flux.database.snapshot_files import SnapshotFiles
from flux.primitives.types import Hash

log = structlog.get_logger(__name__)


class FileStateSync:
    """Implements `snapshot_port.StateSync`."""

    def __init__(self, application: Application, files: SnapshotFiles) -> None:
        self._application = application
        self._files = files

    def list_snapshots(self) -> list[SnapshotInfo]:
        """What is in the files, the newest first."""
        found = []
        for height in self._files.heights():
            encoded = self._files.metadata(height)
            if encoded is not None:
                count = len(decode_metadata(encoded).chunk_hashes)
                found.append(SnapshotInfo(height, FORMAT, count, snapshot_hash(encoded), encoded))
        return found

    def load_chunk(self, height: int, format: int, index: int) -> bytes:
        """A chunk; empty when it is not here."""
        return (self._files.chunk(height, index) or b"") if format == FORMAT else b""

    def offer_snapshot(self, snapshot: SnapshotInfo, app_hash: bytes) -> Offer:
        """Begin to restore, if what was offered is of the trusted block."""
        if snapshot.format != FORMAT:
            return Offer.REJECT_FORMAT
        try:
            metadata = decode_metadata(snapshot.metadata)
            claimed = (metadata.header.number, len(metadata.chunk_hashes), snapshot_hash(snapshot.metadata))
            if claimed != (snapshot.height, snapshot.chunks, snapshot.hash):
                raise BadSnapshot("what was advertised and the metadata contradict each other")
            self._application.begin_restore(metadata, Hash(app_hash))
        except BadSnapshot as error:
            log.warning("snapshot refused", height=snapshot.height, reason=str(error))
            return Offer.REJECT_SENDER
        except LedgerError as error:
            log.error("snapshot not restored", height=snapshot.height, reason=str(error))
            return Offer.ABORT
        log.info("restoring a snapshot", height=snapshot.height, chunks=snapshot.chunks)
        return Offer.ACCEPT

    def apply_chunk(self, index: int, chunk: bytes, sender: str) -> AppliedChunk:
        """Take a chunk. Who sent a damaged one is named; who advertised a wrong snapshot is found only at its end."""
        try:
            finished = self._application.restore_chunk(index, chunk)
        except BadChunk as error:
            log.warning("chunk refused", index=index, sender=sender, reason=str(error))
            return AppliedChunk(ChunkResult.RETRY, (index,), (sender,))
        except ChunkOutOfOrder as error:
            log.warning("chunk out of order", index=index, expected=error.expected, sender=sender)
            if index < error.expected:
                # It was applied before: the engine repeats itself after a retry, which is harmless.
                return AppliedChunk(ChunkResult.ACCEPT)
            return AppliedChunk(ChunkResult.RETRY, (error.expected, index), (sender,))
        except BadSnapshot as error:
            log.warning("snapshot is wrong", sender=sender, reason=str(error))
            return AppliedChunk(ChunkResult.REJECT_SNAPSHOT, (), (sender,))
        if finished:
            head = self._application.ledger.head()
            log.info("snapshot restored", height=head.number, state_root=head.header.state_root.hex())
        return AppliedChunk(ChunkResult.ACCEPT)

"""The snapshot calls, translated to the port of state sync; a node without state sync has none and takes none."""

from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.consensus.snapshot_port import AppliedChunk, ChunkResult, Offer, SnapshotInfo, StateSync


class NoStateSync:
    """Of a node that only plays blocks back."""

    def list_snapshots(self) -> list[SnapshotInfo]:
        return []

    def load_chunk(self, height: int, format: int, index: int) -> bytes:
        return b""

    def offer_snapshot(self, snapshot: SnapshotInfo, app_hash: bytes) -> Offer:
        return Offer.REJECT

    def apply_chunk(self, index: int, chunk: bytes, sender: str) -> AppliedChunk:
        return AppliedChunk(ChunkResult.ABORT)


class SnapshotCalls:
    """Called in a thread that may take its time."""

    def __init__(self, state_sync: StateSync) -> None:
        self._state_sync = state_sync

    def list(self, request: abci.Request) -> abci.Response:
        """ListSnapshots."""
        snapshots = [abci.Snapshot(**item._asdict()) for item in self._state_sync.list_snapshots()]
        return abci.Response(list_snapshots=abci.ResponseListSnapshots(snapshots=snapshots))

    def load(self, request: abci.Request) -> abci.Response:
        """LoadSnapshotChunk."""
        asked = request.load_snapshot_chunk
        chunk = self._state_sync.load_chunk(asked.height, asked.format, asked.chunk)
        return abci.Response(load_snapshot_chunk=abci.ResponseLoadSnapshotChunk(chunk=chunk))

    def offer(self, request: abci.Request) -> abci.Response:
        """OfferSnapshot."""
        asked = request.offer_snapshot
        offered = SnapshotInfo(
            asked.snapshot.height,
            asked.snapshot.format,
            asked.snapshot.chunks,
            asked.snapshot.hash,
            asked.snapshot.metadata,
        )
        answer = self._state_sync.offer_snapshot(offered, asked.app_hash)
        result = abci.ResponseOfferSnapshot.Result.Name(answer)
        return abci.Response(offer_snapshot=abci.ResponseOfferSnapshot(result=result))

    def apply(self, request: abci.Request) -> abci.Response:
        """ApplySnapshotChunk."""
        asked = request.apply_snapshot_chunk
        applied = self._state_sync.apply_chunk(asked.index, asked.chunk, asked.sender)
        return abci.Response(
            apply_snapshot_chunk=abci.ResponseApplySnapshotChunk(
                result=abci.ResponseApplySnapshotChunk.Result.Name(applied.result),
                refetch_chunks=applied.refetch,
                reject_senders=applied.reject_senders,
            )
        )

"""Taking snapshots while blocks go on: at every interval the store's state as of that block is read in another thread.

The thread reads an LMDB snapshot, which commits neither wait for nor change, and rests as long as it worked after each
chunk, so that executing threads keep at least half of the interpreter.
"""

import threading
import time
from collections.abc import Callable, Iterator

import structlog

from flux.chain.application import Application
from flux.chain.block import Block
from flux.chain.receipt import Receipt
from flux.chain.snapshot import CHUNK_SIZE, Metadata, chunks
from flux.chain.store import Snapshot, StoreError
from flux.database.snapshot_files import SnapshotFiles
from flux.primitives.keccak import keccak256
from flux.primitives.types import Hash

log = structlog.get_logger(__name__)


class SnapshotTaker:
    """Takes a snapshot at each height that `interval` divides; one at a time, a height that comes meanwhile is left
    out."""

    def __init__(
        self, application: Application, files: SnapshotFiles, interval: int, chunk_size: int = CHUNK_SIZE
    ) -> None:
        """Begin to listen for blocks. `interval` is in blocks and at least 1. Nodes with different chunk sizes cannot
        serve each other's snapshots."""
        self._application = application
        self._files = files
        self._interval = interval
        self._chunk_size = chunk_size
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] = application.subscribe(self._committed)

    def close(self) -> None:
        """Give up a snapshot in the making."""
        self._unsubscribe()
        self._stopping.set()
        self.wait()

    def wait(self) -> None:
        """Until no snapshot is being taken."""
        if self._thread is not None:
            self._thread.join()

    def _committed(self, block: Block, receipts: list[Receipt]) -> None:
        """In the committing thread: only hold on to the state."""
        if block.number % self._interval or (self._thread is not None and self._thread.is_alive()):
            return
        snapshot = self._application.ledger.snapshot()
        self._thread = threading.Thread(target=self._take, args=(block, snapshot), name="flux-snapshot")
        self._thread.start()

    def _take(self, block: Block, snapshot: Snapshot) -> None:
        started = time.monotonic()
        writer = None
        try:
            with snapshot:
                writer = self._files.begin(block.number)
                hashes: list[Hash] = []
                writer.write_chunks(self._paced(chunks(snapshot, block, self._chunk_size), hashes))
            if self._stopping.is_set():
                writer.discard()
                return
            writer.finish(Metadata(block.header, tuple(hashes)).encode())
            self._files.drop_old()
        except (OSError, StoreError) as error:
            log.warning("snapshot not taken", height=block.number, reason=str(error))
            if writer is not None:
                writer.discard()
            return
        seconds = round(time.monotonic() - started, 3)
        log.info("snapshot taken", height=block.number, chunks=len(hashes), seconds=seconds)

    def _paced(self, made: Iterator[bytes], hashes: list[Hash]) -> Iterator[bytes]:
        """The chunks, with a rest after each; ends early when stopping."""
        begun = time.monotonic()
        for chunk in made:
            hashes.append(keccak256(chunk))
            yield chunk
            if self._stopping.wait(time.monotonic() - begun):
                return
            begun = time.monotonic()

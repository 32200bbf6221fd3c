"""Restores a snapshot into a store until it is killed; prints a line after each chunk, and one when it has begun.

Usage: restore_child.py FOLDER SNAPSHOTS HEIGHT.
"""

import os
import sys
from pathlib import Path

from flux.consensus.snapshot_port import ChunkResult, Offer
from flux.consensus.state_sync import FileStateSync
from flux.database.lmdb_store import LmdbStore
from flux.database.snapshot_files import SnapshotFiles
from support.chain_lab import Lab


def main(folder: str, snapshots: str, height: str) -> None:
    files = SnapshotFiles(Path(snapshots), keep=9)
    with LmdbStore(Path(folder)) as store:
        sync = FileStateSync(Lab(store).application, files)
        (snapshot,) = (item for item in sync.list_snapshots() if item.height == int(height))
        app_hash = bytes.fromhex((Path(snapshots) / "app_hash").read_text())
        assert sync.offer_snapshot(snapshot, app_hash) is Offer.ACCEPT
        os.write(1, b"begun\n")
        for index in range(snapshot.chunks):
            chunk = sync.load_chunk(snapshot.height, snapshot.format, index)
            assert sync.apply_chunk(index, chunk, "peer").result is ChunkResult.ACCEPT
            os.write(1, b"chunk\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

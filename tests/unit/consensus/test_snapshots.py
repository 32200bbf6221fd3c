"""Snapshots on disk, and ABCI's four calls over them, between two nodes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux.chain.snapshot import FORMAT
from flux.consensus.snapshot_port import ChunkResult, Offer, SnapshotInfo
from flux.consensus.snapshots import SnapshotTaker
from flux.consensus.state_sync import FileStateSync
from flux.database.lmdb_store import LmdbStore
from flux.database.snapshot_files import SnapshotFiles
from support.chain_lab import Lab, address

CHUNK = 200


@dataclass
class Node:
    """A chain with snapshots at each third block."""

    lab: Lab
    taker: SnapshotTaker
    sync: FileStateSync
    files: SnapshotFiles

    def block(self) -> None:
        self.lab.block(self.lab.call(0, "add(uint64)", 1), self.lab.call(1, "note(string)", "n" * 150))
        self.taker.wait()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with LmdbStore(tmp_path / "data") as store:
        lab = Lab(store)
        files = SnapshotFiles(tmp_path / "snapshots", keep=2)
        taker = SnapshotTaker(lab.application, files, 3, CHUNK)
        node = Node(lab, taker, FileStateSync(lab.application, files), files)
        for _ in range(10):
            node.block()
        yield node
        taker.close()
        lab.application.close()


def newcomer(tmp_path: Path) -> tuple[Lab, FileStateSync]:
    lab = Lab()
    return lab, FileStateSync(lab.application, SnapshotFiles(tmp_path / "new", keep=2))


def app_hash(node: Node, snapshot: SnapshotInfo) -> bytes:
    block = node.lab.application.ledger.find_block(snapshot.height)  # type: ignore[arg-type]
    assert block is not None
    return block.hash


def test_snapshots_are_taken_at_the_interval_and_the_newest_are_kept(node: Node) -> None:
    assert [snapshot.height for snapshot in node.sync.list_snapshots()] == [9, 6]


def test_a_newcomer_stands_where_the_snapshot_was_taken(node: Node, tmp_path: Path) -> None:
    snapshot = node.sync.list_snapshots()[0]
    lab, sync = newcomer(tmp_path)
    assert sync.offer_snapshot(snapshot, app_hash(node, snapshot)) is Offer.ACCEPT
    for index in range(snapshot.chunks):
        chunk = node.sync.load_chunk(snapshot.height, snapshot.format, index)
        assert 0 < len(chunk) <= CHUNK
        assert sync.apply_chunk(index, chunk, "peer").result is ChunkResult.ACCEPT
    assert lab.application.ledger.head().hash == app_hash(node, snapshot)
    assert lab.balance(address(1)) > 0


def test_who_sends_a_damaged_chunk_is_named_and_the_chunk_is_fetched_again(node: Node, tmp_path: Path) -> None:
    snapshot = node.sync.list_snapshots()[0]
    _, sync = newcomer(tmp_path)
    sync.offer_snapshot(snapshot, app_hash(node, snapshot))
    chunk = node.sync.load_chunk(snapshot.height, snapshot.format, 0)
    answer = sync.apply_chunk(0, chunk[:-1] + b"!", "liar")
    assert answer == (ChunkResult.RETRY, (0,), ("liar",))
    assert sync.apply_chunk(0, chunk, "honest") == (ChunkResult.ACCEPT, (), ())
    assert sync.apply_chunk(0, chunk, "honest").result is ChunkResult.ACCEPT
    assert sync.apply_chunk(2, b"", "eager") == (ChunkResult.RETRY, (1, 2), ("eager",))


def test_wrong_offers_are_refused_for_what_is_wrong_with_them(node: Node, tmp_path: Path) -> None:
    snapshot = node.sync.list_snapshots()[0]
    trusted = app_hash(node, snapshot)
    lab, sync = newcomer(tmp_path)
    assert sync.offer_snapshot(snapshot._replace(format=FORMAT + 1), trusted) is Offer.REJECT_FORMAT
    assert sync.offer_snapshot(snapshot, b"\1" * 32) is Offer.REJECT_SENDER
    for wrong in (
        snapshot._replace(metadata=b"junk"),
        snapshot._replace(height=8),
        snapshot._replace(chunks=snapshot.chunks + 1),
        snapshot._replace(hash=b"\1" * 32),
    ):
        assert sync.offer_snapshot(wrong, trusted) is Offer.REJECT_SENDER
    assert node.sync.offer_snapshot(snapshot, trusted) is Offer.ABORT
    assert lab.application.ledger.head().number == 0
    assert sync.apply_chunk(0, b"", "peer").result is ChunkResult.REJECT_SNAPSHOT


def test_chunks_that_are_not_there_are_empty(node: Node) -> None:
    assert node.sync.load_chunk(9, FORMAT, 10_000) == b""
    assert node.sync.load_chunk(7, FORMAT, 0) == b""
    assert node.sync.load_chunk(9, FORMAT + 1, 0) == b""


def test_an_unfinished_snapshot_is_removed_at_the_next_start(tmp_path: Path) -> None:
    files = SnapshotFiles(tmp_path, keep=2)
    writer = files.begin(5)
    writer.write_chunks([b"a", b"b"])
    assert files.heights() == []
    again = SnapshotFiles(tmp_path, keep=2)
    assert list(tmp_path.iterdir()) == []
    writer = again.begin(5)
    writer.write_chunks([b"a"])
    writer.finish(b"metadata")
    assert again.heights() == [5]
    assert (again.metadata(5), again.chunk(5, 0), again.chunk(5, 1)) == (b"metadata", b"a", None)


def test_blocks_go_on_while_a_snapshot_is_taken(node: Node) -> None:
    """The reader keeps its state while later blocks change it."""
    before = node.lab.application.ledger.head().number
    while before % 3 != 2:
        node.block()
        before += 1
    node.lab.block(node.lab.call(0, "add(uint64)", 5))
    for _ in range(3):
        node.lab.block(node.lab.call(0, "add(uint64)", 6))
    node.taker.wait()
    assert node.sync.list_snapshots()[0].height in (before + 1, before + 4)
    snapshot = next(item for item in node.sync.list_snapshots() if item.height == before + 1)
    lab = Lab()
    sync = FileStateSync(lab.application, node.files)
    assert sync.offer_snapshot(snapshot, app_hash(node, snapshot)) is Offer.ACCEPT
    for index in range(snapshot.chunks):
        sync.apply_chunk(index, node.sync.load_chunk(snapshot.height, FORMAT, index), "peer")
    assert lab.application.ledger.head().number == before + 1

"""What LMDB adds to the port: durability under kill -9, one writer, readers elsewhere, growth, a full disk."""

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flux.chain.store import StoreError, StoreFull, StoreLocked
from flux.database.lmdb_store import MAX_READERS, LmdbStore

WRITER = """
import sys
from flux.database.lmdb_store import LmdbStore

store = LmdbStore(sys.argv[1])
with store.snapshot() as snapshot:
    height = int.from_bytes(snapshot.get(b"height") or b"", "big")
while True:
    height += 1
    writes = {b"height": height.to_bytes(8, "big"), b"block" + height.to_bytes(8, "big"): b"x" * (height % 5000)}
    for slot in range(50):
        writes[b"state%03d" % slot] = height.to_bytes(8, "big")
    if height > 10:
        writes[b"block" + (height - 10).to_bytes(8, "big")] = None
    store.commit(writes)
    print(height, flush=True)
"""

READER = """
import sys
from flux.database.lmdb_store import LmdbStore

with LmdbStore.open_read_only(sys.argv[1]) as reader:
    for line in sys.stdin:
        with reader.snapshot() as snapshot:
            print((snapshot.get(b"a") or b"none").decode(), len(snapshot.get(b"big") or b""), flush=True)
"""

FULL = """
import resource, sys
from flux.chain.store import StoreFull
from flux.database.lmdb_store import LmdbStore

store = LmdbStore(sys.argv[1])
store.commit({b"before": b"kept"})
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
try:
    store.commit({b"after": b"x" * (4 << 20)})
except StoreFull as error:
    print("full:", error)
with store.snapshot() as snapshot:
    print(snapshot.get(b"before"), snapshot.get(b"after"))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.commit({b"after": b"room again"})
with store.snapshot() as snapshot:
    print(snapshot.get(b"before"), snapshot.get(b"after"))
"""


def test_a_killed_writer_leaves_every_acknowledged_commit_and_no_half_of_one(tmp_path: Path) -> None:
    chance = random.Random(19167)
    acknowledged = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            target = acknowledged + chance.randrange(1, 60)
            for line in writer.stdout:
                acknowledged = int(line)
                if acknowledged >= target:
                    break
            for _ in range(chance.randrange(20_000)):
                pass
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        assert writer.returncode == -signal.SIGKILL
        with LmdbStore(tmp_path) as store, store.snapshot() as snapshot:
            stored = snapshot.get(b"height")
            assert stored is not None
            height = int.from_bytes(stored, "big")
            assert acknowledged <= height <= acknowledged + 1
            assert {value for _, value in snapshot.range(b"state", b"statf")} == {stored}
            blocks = {int.from_bytes(key[5:], "big"): value for key, value in snapshot.range(b"block", b"blocl")}
            assert blocks == {number: b"x" * (number % 5000) for number in range(max(1, height - 9), height + 1)}


def test_a_second_writer_is_refused_with_the_process_that_has_the_store(tmp_path: Path) -> None:
    with LmdbStore(tmp_path) as store:
        store.commit({b"a": b"1"})
        with pytest.raises(StoreLocked, match=r"in use by another process \(pid \d+\); stop it first"):
            LmdbStore(tmp_path)
        second = subprocess.run(
            [sys.executable, "-c", WRITER, str(tmp_path)], capture_output=True, text=True, timeout=30, check=False
        )
        assert "StoreLocked" in second.stderr
    with LmdbStore(tmp_path) as store, store.snapshot() as snapshot:
        assert snapshot.get(b"a") == b"1"


def test_a_reader_in_another_process_sees_each_commit_even_when_the_map_has_grown(tmp_path: Path) -> None:
    with LmdbStore(tmp_path, map_size=1 << 20) as store:
        store.commit({b"a": b"1"})
        with subprocess.Popen(
            [sys.executable, "-c", READER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None

            def ask() -> str:
                assert reader.stdin is not None
                assert reader.stdout is not None
                reader.stdin.write("\n")
                reader.stdin.flush()
                return reader.stdout.readline().strip()

            assert ask() == "1 0"
            store.commit({b"a": b"2", b"big": b"x" * (3 << 20)})
            assert ask() == f"2 {3 << 20}"
            reader.stdin.close()
            assert reader.wait(30) == 0


def test_a_reader_refuses_commits_and_a_folder_without_a_store(tmp_path: Path) -> None:
    LmdbStore(tmp_path / "store").close()
    with LmdbStore.open_read_only(tmp_path / "store") as reader, pytest.raises(StoreError, match="reading only"):
        reader.commit({b"a": b"1"})
    with pytest.raises(StoreError, match="there is no store"):
        LmdbStore.open_read_only(tmp_path / "elsewhere")


def test_the_map_grows_when_it_is_full(tmp_path: Path) -> None:
    with LmdbStore(tmp_path, map_size=1 << 17) as store:
        for number in range(20):
            store.commit({b"%d" % number: b"x" * (1 << 16)})
        with store.snapshot() as snapshot:
            assert sum(len(value) for _, value in snapshot.range(b"0", b":")) == 20 << 16


def test_growing_waits_for_snapshots_of_other_threads(tmp_path: Path) -> None:
    with LmdbStore(tmp_path, map_size=1 << 17) as store:
        store.commit({b"a": b"1"})
        snapshot = store.snapshot()
        committed = threading.Event()

        def commit() -> None:
            store.commit({b"b": b"x" * (1 << 18)})
            committed.set()

        writer = threading.Thread(target=commit)
        writer.start()
        assert not committed.wait(0.05)
        assert snapshot.get(b"a") == b"1"
        snapshot.close()
        assert committed.wait(20)
        writer.join()
        with store.snapshot() as after:
            assert len(after.get(b"b") or b"") == 1 << 18


def test_a_snapshot_that_is_never_closed_refuses_growth_and_nothing_is_lost(tmp_path: Path) -> None:
    with LmdbStore(tmp_path, map_size=1 << 17, grow_timeout=0.01) as store:
        store.commit({b"a": b"1"})
        with store.snapshot(), pytest.raises(StoreFull, match="1 snapshots kept open"):
            store.commit({b"b": b"x" * (1 << 18)})
        store.commit({b"c": b"3"})
        with store.snapshot() as snapshot:
            assert [key for key, _ in snapshot.range(b"a", b"z")] == [b"a", b"c"]


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    lines = run.stdout.splitlines()
    assert lines[0].startswith("full: no room on the disk of")
    assert lines[1:] == ["b'kept' None", "b'kept' b'room again'"]


def test_snapshots_work_in_other_threads(tmp_path: Path) -> None:
    with LmdbStore(tmp_path) as store:
        store.commit({b"a": b"1"})
        snapshot = store.snapshot()
        results: list[bytes | None] = []

        def read() -> None:
            results.append(snapshot.get(b"a"))
            with store.snapshot() as own:
                results.append(own.get(b"a"))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
            thread.join()
        snapshot.close()
        assert results == [b"1"] * 8


def test_too_many_open_snapshots_are_refused_with_a_sentence_and_closing_one_helps(tmp_path: Path) -> None:
    with LmdbStore(tmp_path) as store:
        snapshots = [store.snapshot() for _ in range(MAX_READERS)]
        with pytest.raises(StoreError, match="1024 snapshots are open"):
            store.snapshot()
        snapshots.pop().close()
        snapshots.append(store.snapshot())
        for snapshot in snapshots:
            snapshot.close()


@pytest.mark.parametrize("content", [b"", b"not a database", b"\x00" * 8192])
def test_a_folder_with_something_else_in_it_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    if not content:
        LmdbStore(tmp_path).close()
        return
    with pytest.raises(StoreError, match="cannot be opened"):
        LmdbStore(tmp_path)


def test_a_path_that_is_no_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the folder"):
        LmdbStore(tmp_path / "file")

"""kill -9 in the middle of restoring a snapshot: the next start finds genesis, whole, or the restored state, whole."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flux.consensus.snapshots import SnapshotTaker
from flux.database.lmdb_store import LmdbStore
from flux.database.snapshot_files import SnapshotFiles
from flux.primitives.types import Address
from support.chain_lab import Lab
from support.recompute import recomputed_root

pytestmark = pytest.mark.e2e
TESTS = Path(__file__).parents[1]
CHILD = [sys.executable, str(TESTS / "support" / "restore_child.py")]
KILLS = 5
CHUNK = 2_000


def taken(folder: Path) -> tuple[Lab, int]:
    """A chain of which a snapshot of many small chunks lies in the folder; how many."""
    lab = Lab()
    files = SnapshotFiles(folder, keep=9)
    taker = SnapshotTaker(lab.application, files, 5, CHUNK)
    for turn in range(5):
        receivers = [Address((turn * 200 + number + 1).to_bytes(20, "big")) for number in range(200)]
        lab.block(*(lab.transaction(number % 4, to, value=turn + 1) for number, to in enumerate(receivers)))
    taker.wait()
    taker.close()
    (folder / "app_hash").write_text(lab.application.ledger.head().hash.hex())
    return lab, len(list((folder / "5").glob("[0-9]*")))


def run(folder: Path, snapshots: Path, lines: int, delay: float) -> bool:
    """Restore, and kill when so many lines and then some time have passed; whether it came to its end before."""
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    command = [*CHILD, str(folder), str(snapshots), "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        for _ in range(lines):
            assert child.stdout.readline(), child.stderr.read()
        try:
            child.wait(delay)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        return child.wait() == 0


def test_a_killed_restore_leaves_genesis_or_the_restored_state(tmp_path: Path) -> None:
    source, chunks = taken(tmp_path / "snapshots")
    assert chunks > 10
    chance = random.Random(5)
    head = source.application.ledger.head()
    found = set()
    for kill in range(KILLS):
        folder = tmp_path / f"data{kill}"
        run(folder, tmp_path / "snapshots", chance.randint(1, chunks + 1), chance.random() * 0.02)
        with LmdbStore(folder) as store:
            application = Lab(store).application
            reached = application.ledger.head()
            found.add(reached.number)
            with application.ledger.snapshot() as snapshot:
                assert recomputed_root(snapshot, application.contract_names) == reached.header.state_root
            assert reached.hash == head.hash if reached.number else reached.number == 0
            application.close()
        if reached.number == 0:
            assert run(folder, tmp_path / "snapshots", chunks + 1, 60)
            with LmdbStore(folder) as store:
                application = Lab(store).application
                assert application.ledger.head().hash == head.hash
                application.close()
    assert 0 in found

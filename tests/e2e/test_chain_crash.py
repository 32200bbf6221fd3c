"""kill -9 of a chain under load, again and again: nothing acknowledged is lost, and every block reached the disk.

"Acknowledged" is a line that the chain's process wrote after a commit, when a client could have read the receipts.
"""

import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flux.chain.history import KEPT_HEIGHTS
from flux.database.lmdb_store import LmdbStore
from flux.primitives.types import U64, Hash, Height
from support.chain_lab import Lab, funded
from support.crash_child import ACCOUNTS
from support.recompute import recomputed_root

pytestmark = pytest.mark.e2e

TESTS = Path(__file__).parents[1]
CHILD = [sys.executable, str(TESTS / "support" / "crash_child.py")]
KILLS = 20
PATIENCE = 60.0


def start(folder: Path, *before: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    return subprocess.Popen(
        [*before, *CHILD, str(folder)], stdout=subprocess.PIPE, env=environment, start_new_session=True
    )


def acknowledged(child: subprocess.Popen[bytes], seconds: float, least: int = 1) -> list[list[str]]:
    """Lines until so long after the first one, and until there are so many at least; then the child is killed and what
    it still had written is read.
    """
    with child:
        assert child.stdout is not None
        pipe = child.stdout.fileno()
        assert select.select([pipe], [], [], PATIENCE)[0], "the chain made no block"
        read, deadline = b"", time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 or read.count(b"\n") < least:
            assert left > -PATIENCE, f"no {least} blocks came"
            if select.select([pipe], [], [], max(left, 1))[0]:
                chunk = os.read(pipe, 1 << 16)
                assert chunk, f"the chain ended by itself with {child.wait()}"
                read += chunk
        os.killpg(child.pid, signal.SIGKILL)
        read += child.stdout.read()
    whole, _, _ = read.rpartition(b"\n")
    return [line.split() for line in whole.decode().splitlines()]


def check(folder: Path, seen: dict[int, list[str]]) -> None:
    """The chain in the folder holds everything that was seen, and its state is what its newest header says."""
    with LmdbStore(folder) as store:
        application = Lab(store, start=funded(ACCOUNTS)).application
        ledger = application.ledger
        head = ledger.head()
        assert head.number >= max(seen)
        for number, (_, block_hash, root, *hashes) in seen.items():
            block = ledger.find_block(Height(U64(number)))
            assert block is not None
            assert (block.hash.hex(), block.header.state_root.hex()) == (block_hash, root)
            assert [transaction.hash.hex() for transaction in block.transactions] == hashes
        for line in list(seen.values())[-5:]:
            assert all(ledger.find_receipt(Hash(bytes.fromhex(text))) is not None for text in line[3:])
        with ledger.snapshot() as snapshot:
            assert recomputed_root(snapshot, application.contract_names) == head.header.state_root
        for number in {max(0, head.number - KEPT_HEIGHTS), max(0, head.number - 1), head.number}:
            with ledger.state_at(Height(U64(number))) as view:
                assert view.state_root() == view.header.state_root
        application.close()


def test_a_chain_killed_twenty_times_under_load_has_every_block_that_anybody_saw(tmp_path: Path) -> None:
    draw = random.Random(19)
    seen: dict[int, list[str]] = {}
    for _ in range(KILLS):
        lines = acknowledged(start(tmp_path), draw.uniform(0, 0.4))
        assert not seen or int(lines[0][0]) > max(seen)
        seen |= {int(line[0]): line for line in lines}
        check(tmp_path, seen)
    assert sum(len(line) - 3 for line in seen.values()) > 20 * KILLS


def test_each_block_is_synced_to_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Observed from outside, in the order of the system calls."""
    trace = tmp_path / "trace"
    lines = acknowledged(
        start(tmp_path / "chain", "strace", "-f", "-qq", "-e", "trace=fdatasync,fsync,msync,write", "-o", str(trace)),
        1.0,
        least=3,
    )
    calls = re.findall(r"(?:(fdatasync|msync|fsync)\b.*= 0|write\(1, \"(\d+) )", trace.read_text())
    synced, checked = False, 0
    for sync, number in calls:
        if sync:
            synced = True
        elif number:
            assert synced, f"block {number} was acknowledged before its sync"
            synced, checked = False, checked + 1
    assert checked >= len(lines)

"""The same random blocks give the same roots under two hash seeds, on both stores, and after export and import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BLOCKS = 500
SCENARIOS = ["support.scenario:CounterScenario", "support.protocol_scenario:ProtocolScenario"]


def start(scenario: str, folder: Path, kind: str, hash_seed: str) -> subprocess.Popen[str]:
    folder.mkdir()
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-W", "error", str(TESTS / "support" / "determinism_child.py")]
    return subprocess.Popen(
        [*command, scenario, str(folder), str(BLOCKS), "20260", kind],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_random_blocks_give_the_same_roots_whatever_the_hash_seed_and_the_store(scenario: str, tmp_path: Path) -> None:
    children = [
        start(scenario, tmp_path / "one", "lmdb", "1"),
        start(scenario, tmp_path / "two", "memory", "77"),
    ]
    printed = [child.communicate()[0].splitlines() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    one, two = printed
    assert len(one) == 2 * (BLOCKS + 1)
    assert one[: BLOCKS + 1] == one[BLOCKS + 1 :] == two[: BLOCKS + 1] == two[BLOCKS + 1 :]
    hashes, roots, sizes = zip(*(line.split() for line in one[: BLOCKS + 1]), strict=True)
    assert len(set(hashes)) == BLOCKS + 1
    assert len(set(roots)) > BLOCKS // 2
    assert sum(map(int, sizes)) > 3 * BLOCKS

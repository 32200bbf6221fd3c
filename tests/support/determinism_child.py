"""Plays a random chain and prints the hash of each block; started by test_determinism under different hash seeds.

Usage: determinism_child.py SCENARIO FOLDER BLOCKS SEED lmdb|memory; SCENARIO is module:class.
"""

import sys
from importlib import import_module
from pathlib import Path

from flux.chain.application import Application
from flux.chain.export import export_chain, import_chain
from flux.database.lmdb_store import LmdbStore
from flux.database.memory_store import MemoryStore
from flux.primitives.types import U64, Height
from support.recompute import recomputed_root
from support.scenario import Scenario, play


def main(name: str, folder: str, blocks: str, seed: str, kind: str) -> None:
    """Play on the store, check the root, export, import into the other kind of store; print every block twice."""
    module, _, attribute = name.partition(":")
    scenario: Scenario = getattr(import_module(module), attribute)()
    stores = [LmdbStore(Path(folder) / "chain"), MemoryStore()]
    first, second = stores if kind == "lmdb" else stores[::-1]
    played = play(scenario, first, int(blocks), int(seed))
    copied = Application(second, scenario.machine, scenario.genesis())
    import_chain(copied, export_chain(played.ledger))
    for application in (played, copied):
        with application.ledger.snapshot() as snapshot:
            assert recomputed_root(snapshot, application.contract_names) == application.ledger.head().header.state_root
        for number in range(int(blocks) + 1):
            block = application.ledger.find_block(Height(U64(number)))
            assert block is not None
            print(block.hash.hex(), block.header.state_root.hex(), len(block.transactions))
        application.close()
    for store in stores:
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A chain written to a file and executed again from it, by the command line."""

import shutil
from pathlib import Path
from typing import Any

from flux.chain.application import Application
from flux.database.lmdb_store import LmdbStore
from flux.primitives.types import U64, Address, Timestamp
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.registry import ProtocolFactory
from flux.services.chain_home import DATA_FOLDER, GENESIS_FILE, ensure_genesis


def made_chain(home: Path, blocks: int) -> str:
    """The hash of the newest block."""
    genesis = ensure_genesis(home)
    factory = ProtocolFactory(genesis.params)
    with LmdbStore(home / DATA_FOLDER) as store:
        application = Application(store, factory, chain_genesis(genesis, factory))
        for number in range(blocks):
            at = Timestamp(U64(genesis.timestamp + 90 * number))
            application.commit(application.finalize([], at, Address(b"\x01" * 20)))
        application.close()
        return application.ledger.head().hash.hex()


def test_an_exported_chain_comes_out_the_same_when_it_is_executed_again(tmp_path: Path, offline: Any) -> None:
    one, two, file = tmp_path / "one", tmp_path / "two", str(tmp_path / "chain.flux")
    newest = made_chain(one, 4)
    assert offline.json("chain", "export", file, "--data", str(one))["blocks"] == 4
    assert "genesis.json" in offline.json("chain", "import", file, "--data", str(two), code=1)["error"]["message"]
    two.mkdir()
    shutil.copy(one / GENESIS_FILE, two)
    for _ in range(2):
        imported = offline.json("chain", "import", file, "--data", str(two))
        assert imported == {"height": 4, "hash": f"0x{newest}"}


def test_a_file_of_another_chain_is_refused(tmp_path: Path, offline: Any) -> None:
    one, two, file = tmp_path / "one", tmp_path / "two", str(tmp_path / "chain.flux")
    made_chain(one, 1)
    made_chain(two, 0)
    offline.ok("chain", "export", file, "--data", str(one))
    error = offline.json("chain", "import", file, "--data", str(two), code=1)["error"]
    assert (error["kind"], "another genesis" in error["message"]) == ("ImportFailed", True)

"""`flux chain import`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from flux.chain.application import Application
from flux.chain.export import import_chain
from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.database.lmdb_store import LmdbStore
from flux.protocol import genesis as genesis_file
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.registry import ProtocolFactory
from flux.services.chain_home import DATA_FOLDER, GENESIS_FILE
from flux.services.home import FluxHome

_PIECE = 1 << 20


def run(
    context: CommandContext,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="What export wrote.")],
    folder: Annotated[
        Path | None, typer.Option("--data", help="Folder with the chain's genesis.json [FLUX_HOME/chain].")
    ] = None,
) -> None:
    """Execute every block of an exported chain again; each must come out as it was. Blocks that are there are skipped.

    For a chain that one process makes (solo). The folder needs the chain's genesis.json.
    """
    home = folder or FluxHome(context.home).chain
    genesis_path = home / GENESIS_FILE
    if not genesis_path.exists():
        raise CliError(f"there is no {GENESIS_FILE} in {home}", "copy the chain's genesis file there first")
    genesis = genesis_file.decode(genesis_path.read_text(), genesis_path)
    if genesis.validators:
        raise CliError("validators make the blocks of this chain", "join it: flux chain join RPC")
    factory = ProtocolFactory(genesis.params)
    with LmdbStore(home / DATA_FOLDER) as store:
        application = Application(store, factory, chain_genesis(genesis, factory))
        try:
            height = import_chain(application, _pieces(file))
            head = application.ledger.head()
        finally:
            application.close()
    context.output.line(f"The chain stands at block {height}, hash 0x{head.hash.hex()}.")
    context.output.document({"height": height, "hash": f"0x{head.hash.hex()}"})


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            yield piece

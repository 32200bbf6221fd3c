"""`flux chain export`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.chain.export import export_chain
from flux.chain.ledger import Ledger
from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.named_files import named_file
from flux.database.lmdb_store import LmdbStore
from flux.protocol import genesis as genesis_file
from flux.services.chain_home import DATA_FOLDER, GENESIS_FILE
from flux.services.home import FluxHome


def run(
    context: CommandContext,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write to.")],
    folder: Annotated[
        Path | None, typer.Option("--data", help="Folder with genesis.json and the chain's data [FLUX_HOME/chain].")
    ] = None,
) -> None:
    """Write all blocks of a chain on this machine to a file. Another one executes them again on import."""
    home = folder or FluxHome(context.home).chain
    genesis_path = home / GENESIS_FILE
    if not genesis_path.exists() or not (home / DATA_FOLDER).exists():
        raise CliError(f"there is no chain in {home}", "name its folder with --data")
    genesis = genesis_file.decode(genesis_path.read_text(), genesis_path)
    store = LmdbStore.open_read_only(home / DATA_FOLDER)
    unfinished = file.with_suffix(file.suffix + ".unfinished")
    try:
        ledger = Ledger(store, genesis.chain_id, genesis.digest())
        size = 0
        with named_file(file, "written", "choose a folder that you may write to"):
            output = unfinished.open("wb")
        with output:
            for piece in export_chain(ledger):
                size += output.write(piece)
        unfinished.replace(file)
        height = ledger.head().number
    finally:
        unfinished.unlink(missing_ok=True)
        store.close()
    context.output.line(f"{show.count(height, 'block')} written to {file} ({show.size(size)}).")
    context.output.document({"file": str(file), "blocks": height, "bytes": size})

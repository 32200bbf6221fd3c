"""`flux chain start`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from flux.chain.pruning import KEEP_ALL, check_window
from flux.cli.accounts import find_address
from flux.cli.context import CommandContext
from flux.cli.errors import WRONG_USAGE, CliError, UsageError
from flux.cli.options import EngineName, MetricsOption
from flux.consensus.cometbft.config import NodeSettings
from flux.services.chain import DEFAULT_PRODUCER, ChainConfig, run_chain
from flux.services.chain_home import find_settings
from flux.services.home import FluxHome
from flux.services.logging import configure_logging
from flux.services.observe.server import parse_address
from flux.services.signals import run_until_signal


async def run(
    context: CommandContext,
    folder: Annotated[
        Path | None, typer.Option("--data", help="Folder with genesis.json and the chain's data [FLUX_HOME/chain].")
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option("--engine", help="Who makes the blocks [what the folder was made for].")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of JSON-RPC, HTTP and WebSocket.")] = 8545,
    producer: Annotated[
        str | None, typer.Option("--producer", metavar="ACCOUNT", help="Who gets the tips of a solo chain's blocks.")
    ] = None,
    peers: Annotated[
        list[str] | None, typer.Option("--peer", metavar="ID@HOST:PORT", help="Connect to this node too; repeatable.")
    ] = None,
    external: Annotated[
        str | None, typer.Option("--external", metavar="HOST:PORT", help="Where other nodes reach this one.")
    ] = None,
    keep_blocks: Annotated[
        int,
        typer.Option(
            "--keep-blocks", min=0, help="Newest blocks to keep with receipts and indices, at least 257; 0 keeps all."
        ),
    ] = KEEP_ALL,
    snapshots: Annotated[
        int,
        typer.Option("--snapshots", min=0, help="Take a snapshot for joining nodes each so many blocks; 0 takes none."),
    ] = 1000,
    metrics: MetricsOption = None,
) -> None:
    """Run a chain with JSON-RPC until stopped.

    By itself it makes its blocks alone; without a genesis.json in its folder, one for local development is made: chain
    id 19169, funded dev accounts. A folder made by `flux chain init` or `flux chain join` takes part in consensus with
    others: cometbft is started, supervised and stopped with it.
    """
    try:
        check_window(keep_blocks)
    except ValueError as error:
        raise UsageError(str(error)) from error
    configure_logging()
    home = folder or FluxHome(context.home).chain
    address = DEFAULT_PRODUCER if producer is None else find_address(context, producer)
    settings = None if engine is EngineName.SOLO else find_settings(home)
    if engine is EngineName.COMETBFT and settings is None:
        raise CliError(
            f"{home} has no keys and settings of a node",
            "make them: flux chain init, or flux chain join RPC",
            WRONG_USAGE,
        )
    if settings is not None:
        settings = _with_options(settings, peers or [], external)
    observe = parse_address(metrics, port + 1000)
    await run_until_signal(run_chain(ChainConfig(home, host, port, address, settings, keep_blocks, snapshots, observe)))


def _with_options(settings: NodeSettings, peers: list[str], external: str | None) -> NodeSettings:
    added = tuple(peer for peer in peers if peer not in settings.peers)
    return replace(
        settings,
        peers=settings.peers + added,
        external_address=settings.external_address if external is None else external,
    )

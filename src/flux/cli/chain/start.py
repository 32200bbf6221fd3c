"""`flux chain start`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.cli.accounts import find_address
from flux.cli.context import CommandContext
from flux.services.chain import DEFAULT_PRODUCER, ChainConfig, run_chain
from flux.services.home import FluxHome
from flux.services.logging import configure_logging
from flux.services.signals import run_until_signal


async def run(
    context: CommandContext,
    folder: Annotated[
        Path | None, typer.Option("--data", help="Folder with genesis.json and the chain's data [FLUX_HOME/chain].")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of JSON-RPC, HTTP and WebSocket.")] = 8545,
    producer: Annotated[
        str | None, typer.Option("--producer", metavar="ACCOUNT", help="Who gets the tips of its blocks.")
    ] = None,
) -> None:
    """Run a chain that makes its blocks by itself, with JSON-RPC, until stopped.

    Without a genesis.json in its folder, one for local development is made: chain id 19169, funded dev accounts.
    """
    configure_logging()
    address = DEFAULT_PRODUCER if producer is None else find_address(context, producer)
    config = ChainConfig(folder or FluxHome(context.home).chain, host, port, address)
    await run_until_signal(run_chain(config))

"""`flux chain join`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.consensus.cometbft.config import NodeSettings
from flux.services.home import FluxHome
from flux.services.joining import join
from flux.verification.trust import TrustStore


async def run(
    context: CommandContext,
    endpoint: Annotated[str, typer.Argument(metavar="RPC", help="Endpoint of any node of the network.")],
    folder: Annotated[Path | None, typer.Option("--data", help="The node's folder [FLUX_HOME/chain].")] = None,
    peers: Annotated[
        list[str] | None,
        typer.Option("--peer", metavar="ID@HOST:PORT", help="Whom to connect to [those that RPC names]; repeatable."),
    ] = None,
    from_genesis: Annotated[
        bool, typer.Option("--from-genesis", help="Play back every block instead of taking a snapshot of the state.")
    ] = False,
    name: Annotated[str, typer.Option("--name", help="What people call the node.")] = "flux",
    p2p_port: Annotated[int, typer.Option("--p2p-port", min=1, max=65535, help="Where nodes meet.")] = 26656,
    comet_port: Annotated[
        int, typer.Option("--comet-port", min=1, max=65535, help="CometBFT's own RPC, on loopback.")
    ] = 26657,
    private: Annotated[bool, typer.Option("--private", help="The nodes have private addresses.")] = False,
) -> None:
    """Make the folder of a node that joins a running network: keys, genesis, peers, and a block to trust.

    Genesis and block are verified first, as with --verify; `flux chain trust` says which block that begins with.
    """
    home = folder or FluxHome(context.home).chain
    settings = NodeSettings(
        name=name, p2p_port=p2p_port, rpc_port=comet_port, private_network=private, peers=tuple(peers or ())
    )
    store = TrustStore(context.home)
    async with context.wiring.open_transport(endpoint) as transport:
        keys = await join(
            transport,
            home,
            settings,
            store,
            clock=context.wiring.clock,
            notice=context.output.note,
            from_genesis=from_genesis,
        )
    context.output.facts(
        [("folder", str(home)), ("consensus key", keys.consensus.hex()), ("peer", f"{keys.node_id}@HOST:{p2p_port}")]
    )
    context.output.line()
    context.output.line(f"Next:  flux chain start --data {home}")
    context.output.document({"folder": str(home), "consensus_key": keys.consensus.hex(), "id": keys.node_id})

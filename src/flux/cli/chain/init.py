"""`flux chain init`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.cli.accounts import find_address
from flux.cli.context import CommandContext
from flux.cli.errors import WRONG_USAGE, CliError
from flux.consensus.cometbft.config import NodeSettings
from flux.contracts.validators.types import FirstValidator
from flux.primitives.types import U64, Hash
from flux.protocol import genesis as genesis_file
from flux.services.chain_home import ChainHome, make_node, new_local_genesis, write_genesis
from flux.services.home import FluxHome

_POWER = 1_000


async def run(
    context: CommandContext,
    folder: Annotated[Path | None, typer.Option("--data", help="The node's folder [FLUX_HOME/chain].")] = None,
    genesis: Annotated[
        Path | None, typer.Option("--genesis", exists=True, dir_okay=False, help="The genesis that others agreed on.")
    ] = None,
    operator: Annotated[
        str, typer.Option("--operator", metavar="ACCOUNT", help="Who gets the tips of this node's blocks.")
    ] = "dev9",
    validators: Annotated[
        list[str] | None,
        typer.Option(
            "--validator", metavar="KEY:ACCOUNT:POWER", help="Another validator of a new genesis; repeatable."
        ),
    ] = None,
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Make the keys and show them, nothing else.")] = False,
    name: Annotated[str, typer.Option("--name", help="What people call the node.")] = "flux",
    p2p_port: Annotated[int, typer.Option("--p2p-port", min=1, max=65535, help="Where nodes meet.")] = 26656,
    comet_port: Annotated[
        int, typer.Option("--comet-port", min=1, max=65535, help="CometBFT's own RPC, on loopback.")
    ] = 26657,
    private: Annotated[bool, typer.Option("--private", help="The nodes have private addresses.")] = False,
) -> None:
    """Make the folder of a node that takes part in consensus: keys, settings, genesis.

    Without --genesis a new local chain begins (id 19169), with this node and every --validator as its validators. Keys
    are never made anew.
    """
    home = folder or FluxHome(context.home).chain
    settings = NodeSettings(name=name, p2p_port=p2p_port, rpc_port=comet_port, private_network=private)
    keys = make_node(home, settings)
    if genesis is not None:
        write_genesis(home, genesis_file.decode(genesis.read_text(), genesis))
    elif not keys_only and not ChainHome(home).genesis.exists():
        own = FirstValidator(keys.consensus, find_address(context, operator), U64(_POWER))
        others = [_validator(context, text) for text in validators or []]
        write_genesis(home, new_local_genesis([own, *others]))
    context.output.facts(
        [
            ("folder", str(home)),
            ("consensus key", keys.consensus.hex()),
            ("address", keys.address.hex()),
            ("peer", f"{keys.node_id}@HOST:{p2p_port}"),
        ]
    )
    context.output.line()
    context.output.line(f"Back up {ChainHome(home).comet / 'config'}. Next:  flux chain start --data {home}")
    context.output.document(
        {"folder": str(home), "consensus_key": keys.consensus.hex(), "address": keys.address.hex(), "id": keys.node_id}
    )


def _validator(context: CommandContext, text: str) -> FirstValidator:
    try:
        key, account, power = text.split(":")
        if len(bytes.fromhex(key)) != 32:
            raise ValueError(key)
        return FirstValidator(Hash(bytes.fromhex(key)), find_address(context, account), U64(int(power)))
    except ValueError as error:
        raise CliError(
            f"{text} is not a validator", "write KEY:ACCOUNT:POWER, as 64 hexadecimal digits, dev1, 1000", WRONG_USAGE
        ) from error

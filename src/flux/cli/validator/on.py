"""`flux validator on`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.agent.onion import OnionStore
from flux.cli.context import CommandContext
from flux.cli.lookup import node_number
from flux.cli.options import NodeArgument
from flux.cli.validator.key_file import default_key_file, read_key
from flux.contracts.validators.rules import consensus_address, proof_message
from flux.primitives import ed25519
from flux.primitives.types import U32
from flux.sdk.bindings.validators import Validators
from flux.services.home import FluxHome

KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="CometBFT's priv_validator_key.json of this node.")
]
FolderOption = Annotated[
    Path | None, typer.Option("--node-home", metavar="DIR", help="The agent's folder; FLUX_HOME/node without it.")
]


async def run(
    context: CommandContext, node: NodeArgument, key: KeyOption = None, node_home: FolderOption = None
) -> None:
    """Opt a node in: with enough stake it gets a seat at the end of the epoch.

    Run it on the node's machine: the consensus key proves itself, and the agent's folder gets the secret from which the
    agent reveals a part of the network's randomness in each epoch.
    """
    number = node_number(node)
    consensus = read_key(key or default_key_file(context.home))
    onion = OnionStore(node_home or FluxHome(context.home).node).newest()
    async with context.client() as client:
        signer = await context.signer(client)
        message = proof_message(await client.chain_id(), number, signer.address, consensus.public)
        proof = ed25519.sign(consensus.seed, message)
        validators = Validators(client)
        receipt = await validators.enable(signer, number, consensus.public, proof, onion.head, U32(onion.reveals))
    address = consensus_address(consensus.public)
    context.output.line(f"Node {number} is a candidate with consensus key {address.hex().upper()}.")
    context.output.line("It gets a seat at the end of the epoch, if its stake suffices: flux validator ls")
    context.output.document(
        {
            "node": number,
            "consensus": address.hex(),
            "public_key": consensus.public.hex(),
            "transaction": f"0x{receipt.transaction.hex()}",
        }
    )

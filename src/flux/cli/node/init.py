"""`flux node init`."""

from typing import Annotated

import typer

from flux.agent.identity import create
from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.services.home import FluxHome


def run(
    context: CommandContext,
    host: Annotated[
        str, typer.Option("--host", help="Address or name under which clients and peers reach this machine.")
    ] = "127.0.0.1",
) -> None:
    """Make the keys of a node: the agent's key, the key that seeds are sealed to, a TLS certificate.

    They lie in FLUX_HOME/node; existing ones are kept. None of them can move stake.
    """
    identity = create(FluxHome(context.home).node, host)
    context.output.facts(
        [
            ("folder", str(identity.home)),
            ("agent", show.address(identity.signer.address)),
            ("certificate", identity.certificate.hex()),
            ("seal key", identity.seal_public.hex()),
        ]
    )
    context.output.line("Next: flux node register")
    context.output.document(
        {
            "folder": str(identity.home),
            "agent": show.address(identity.signer.address),
            "certificate": f"0x{identity.certificate.hex()}",
            "seal_key": f"0x{identity.seal_public.hex()}",
        }
    )

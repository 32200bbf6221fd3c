"""`flux wallet export`."""

import sys
from typing import Annotated

import typer

from flux.cli.accounts import read_password
from flux.cli.context import CommandContext
from flux.wallet.wallet import Wallet


def run(
    context: CommandContext,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's name or address.")],
    private_key: Annotated[
        bool, typer.Option("--private-key", help="Print the bare key; whoever sees it owns the account.")
    ] = False,
) -> None:
    """Print a key as a keystore file, still under its password; geth, MetaMask and others read it."""
    wallet = Wallet.open(context.home)
    if private_key:
        text = wallet.export_private_key(name, read_password(context, f"Password of {name}"))
        context.output.line(text)
        context.output.document({"name": name, "private_key": text})
    else:
        sys.stdout.write(wallet.export(name).decode() + "\n")

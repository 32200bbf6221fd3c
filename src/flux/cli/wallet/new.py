"""`flux wallet new`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import read_password
from flux.cli.context import CommandContext
from flux.wallet.wallet import Wallet


def run(
    context: CommandContext,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")] = "default",
    words: Annotated[int, typer.Option("--words", help="12 or 24.")] = 12,
) -> None:
    """Make a key. Its words are shown once and kept nowhere: who has them has the account.

    The key is kept encrypted in FLUX_HOME/keystore, in the form that every Ethereum wallet reads.
    """
    wallet = Wallet.open(context.home)
    created = wallet.create(name, read_password(context, f"Password for {name}", confirm=True), words=words)
    context.output.line(f"{name}: {show.address(created.address)}")
    context.output.line()
    context.output.line("Write these words down; they restore the key if this machine is lost:")
    context.output.line()
    context.output.line(f"  {created.mnemonic}")
    context.output.document({"name": name, "address": show.address(created.address), "mnemonic": created.mnemonic})

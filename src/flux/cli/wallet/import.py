"""`flux wallet import`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import read_password, read_secret
from flux.cli.context import CommandContext
from flux.cli.named_files import named_file
from flux.wallet.wallet import Wallet


def run(
    context: CommandContext,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    keystore: Annotated[Path | None, typer.Option("--keystore", help="A keystore file of another tool.")] = None,
    private_key: Annotated[bool, typer.Option("--private-key", help="Ask for a private key instead of words.")] = False,
    index: Annotated[int, typer.Option("--index", min=0, help="Which account of the words.")] = 0,
) -> None:
    """Take in a key: words, a private key, or a keystore file.

    Secrets are asked for on the terminal, or read from standard input; they are never arguments, which other users of
    the machine could see. With --keystore the file's password becomes the key's.
    """
    wallet = Wallet.open(context.home)
    if keystore is not None:
        with named_file(keystore):
            data = keystore.read_bytes()
        address = wallet.import_keystore(name, data, read_password(context, f"Password of {keystore.name}"))
    else:
        secret = read_secret("Private key" if private_key else "Words")
        password = read_password(context, f"Password for {name}", confirm=True)
        if private_key:
            address = wallet.import_private_key(name, secret, password)
        else:
            address = wallet.import_mnemonic(name, secret, password, index=index)
    context.output.line(f"{name}: {show.address(address)}")
    context.output.document({"name": name, "address": show.address(address)})

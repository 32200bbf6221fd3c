"""`flux wallet sign`."""

import sys
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.accounts import open_key
from flux.cli.context import CommandContext
from flux.primitives.hexadecimal import to_hex


def run(
    context: CommandContext,
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="What to sign; read from standard input without it.")
    ] = None,
) -> None:
    """Sign a message as wallets do (EIP-191, personal_sign). Nothing is sent."""
    text = sys.stdin.read() if message is None else message
    key = open_key(context)
    signature = to_hex(key.sign_message(text.encode()))
    context.output.line(signature)
    context.output.document({"address": show.address(key.address), "message": text, "signature": signature})

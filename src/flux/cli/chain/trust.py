"""`flux chain trust`."""

from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.primitives.hexadecimal import HexError, from_hex
from flux.primitives.types import Hash
from flux.protocol.genesis import chain_name
from flux.verification.trust import Trust, TrustStore, trust_block


async def run(
    context: CommandContext,
    height: Annotated[
        int | None, typer.Argument(metavar="HEIGHT", min=1, help="Of a block that somebody you believe told you.")
    ] = None,
    block_hash: Annotated[str | None, typer.Argument(metavar="HASH", help="CometBFT's hash of that block.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget what is trusted.")] = False,
) -> None:
    """Say which block --verify begins with: HEIGHT and HASH as CometBFT names them. Without them, show what is trusted.

    Without a block named, the first command with --verify trusts the genesis that the endpoint shows, and says so.
    """
    store = TrustStore(context.home)
    if forget:
        store.forget()
        context.output.line("Nothing is trusted any longer.")
        context.output.document({"trusted": None})
        return
    if (height is None) != (block_hash is None):
        raise UsageError("HEIGHT and HASH belong together", "for example: flux chain trust 1200 9F86D081…")
    if height is None or block_hash is None:
        _show(context, store.load())
        return
    async with context.wiring.open_transport(context.rpc) as transport:
        trust = await trust_block(transport, height, _hash(block_hash))
    store.save(trust)
    _show(context, trust)


def _show(context: CommandContext, trust: Trust | None) -> None:
    if trust is None:
        context.output.line("Nothing is trusted yet; the first command with --verify begins with the chain's genesis.")
        context.output.document({"trusted": None})
        return
    name, block = chain_name(trust.genesis), trust.block
    block_hash = block.commit.block_id.hash.hex().upper()
    context.output.facts([("chain", name), ("block", str(block.height)), ("hash", block_hash)], "Trusted")
    context.output.document({"trusted": {"chain": name, "height": block.height, "hash": block_hash}})


def _hash(text: str) -> Hash:
    try:
        return Hash(from_hex(text if text.startswith("0x") else "0x" + text.lower(), size=32))
    except HexError as error:
        raise UsageError(f"a block's hash has 64 hexadecimal digits: {error}") from error

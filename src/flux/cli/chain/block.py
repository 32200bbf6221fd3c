"""`flux chain block`."""

import time
from typing import Annotated, Any

import typer

from flux.cli.chain.calls import describe_call
from flux.cli.context import CommandContext
from flux.cli.errors import CliError, UsageError
from flux.cli.output import Column, right
from flux.primitives.hexadecimal import quantity
from flux.primitives.units import format_gwei


async def run(
    context: CommandContext,
    block: Annotated[str, typer.Argument(metavar="BLOCK", help="Number or hash; the newest without it.")] = "latest",
) -> None:
    """Show a block and its transactions. The last one is the system's: placement, settlement, what fell due."""
    method, selector = _selector(block)
    async with context.client() as client:
        found: dict[str, Any] | None = await client.transport.request(method, selector, True)
    if found is None:
        raise CliError(f"there is no block {block}", "see the newest with `flux chain block`")
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(int(found["timestamp"], 16)))
    context.output.facts(
        [
            ("hash", found["hash"]),
            ("time", moment),
            ("parent", found["parentHash"]),
            ("state root", found["stateRoot"]),
            ("producer", found["miner"]),
            ("gas", f"{int(found['gasUsed'], 16):,} of {int(found['gasLimit'], 16):,}"),
            ("base fee", f"{format_gwei(int(found['baseFeePerGas'], 16))} gwei"),
        ],
        f"block {int(found['number'], 16)}",
    )
    rows = [
        (str(number), transaction["hash"], transaction["from"], describe_call(transaction))
        for number, transaction in enumerate(found["transactions"])
    ]
    context.output.line()
    context.output.table([right("#"), "TRANSACTION", "FROM", Column("DOES", wrap=True)], rows, "No transactions.")
    context.output.document(found)


def _selector(text: str) -> tuple[str, str]:
    if text.startswith("0x") and len(text) == 66:
        return "eth_getBlockByHash", text
    if text == "latest":
        return "eth_getBlockByNumber", text
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return "eth_getBlockByNumber", quantity(int(text))
    raise UsageError(f"a block is a number, a hash, or latest; got {text}")

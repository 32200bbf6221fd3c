"""`flux node offer`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.lookup import node_number
from flux.cli.node.prices import ask_document, ask_of, ask_text
from flux.cli.options import NodeArgument
from flux.contracts.nodes.types import Currency
from flux.primitives.types import WEI_PER_GWEI
from flux.sdk.bindings.nodes import Nodes


async def run(
    context: CommandContext,
    node: NodeArgument,
    cpu: Annotated[str | None, typer.Option("--price-cpu", metavar="PRICE", help="A core an hour.")] = None,
    memory: Annotated[str | None, typer.Option("--price-memory", metavar="PRICE", help="A GiB an hour.")] = None,
    disk: Annotated[str | None, typer.Option("--price-disk", metavar="PRICE", help="A GiB an hour.")] = None,
    gpu: Annotated[str | None, typer.Option("--price-gpu", metavar="PRICE", help="A GPU an hour.")] = None,
) -> None:
    """Change a node's prices. Leases that run keep the price they were placed at.

    Prices that begin with $ are in dollars; they are compared in FLUX at the price of each block.
    """
    if cpu is None and memory is None and disk is None and gpu is None:
        raise UsageError("no price was given", "for example --price-cpu 0.03")
    number = node_number(node)
    async with context.client() as client:
        nodes = Nodes(client)
        before = (await nodes.node(number)).ask
        ask = ask_of(
            cpu or _text(before.cpu, before.currency),
            memory or _text(before.memory, before.currency),
            disk or _text(before.disk, before.currency),
            gpu or _text(before.gpu, before.currency),
        )
        receipt = await nodes.set_ask(await context.signer(client), number, ask)
    context.output.line(f"Node {number} now asks {ask_text(ask)} (an hour, {ask.currency.name}).")
    context.output.document(
        {"node": number, "prices": ask_document(ask), "transaction": f"0x{receipt.transaction.hex()}"}
    )


def _text(billionths: int, currency: Currency) -> str:
    return ("$" if currency is Currency.USD else "") + show.exact(billionths * WEI_PER_GWEI)

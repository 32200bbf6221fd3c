"""`flux node offer`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.dollars import in_flux, parse
from flux.cli.errors import UsageError
from flux.cli.lookup import node_number
from flux.cli.node.prices import ask_document, ask_of, price_text
from flux.cli.options import NodeArgument
from flux.contracts.nodes.types import Ask, NodeId
from flux.contracts.oracle.types import UsdAsk
from flux.primitives.types import U64, WEI_PER_GWEI
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.oracle import Oracle


async def run(
    context: CommandContext,
    node: NodeArgument,
    cpu: Annotated[str | None, typer.Option("--price-cpu", metavar="FLUX", help="A core an hour.")] = None,
    memory: Annotated[str | None, typer.Option("--price-memory", metavar="FLUX", help="A GiB an hour.")] = None,
    disk: Annotated[str | None, typer.Option("--price-disk", metavar="FLUX", help="A GiB an hour.")] = None,
    gpu: Annotated[str | None, typer.Option("--price-gpu", metavar="FLUX", help="A GPU an hour.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="All prices are in dollars and follow it.")] = False,
) -> None:
    """Change a node's prices. Leases that run keep the price they were placed at.

    A price that begins with $ is turned into FLUX at the present price of FLUX, once; with --follow all prices are in
    dollars and follow it.
    """
    if cpu is None and memory is None and disk is None and gpu is None:
        raise UsageError("no price was given", "for example --price-cpu 0.03")
    number = node_number(node)
    if follow:
        await _follow(context, number, (cpu, memory, disk, gpu))
        return
    cpu, memory, disk, gpu = [await in_flux(context, price) for price in (cpu, memory, disk, gpu)]
    async with context.client() as client:
        nodes = Nodes(client)
        before = (await nodes.node(number)).ask
        ask = ask_of(
            cpu or _text(before.cpu),
            memory or _text(before.memory),
            disk or _text(before.disk),
            gpu or _text(before.gpu),
        )
        receipt = await nodes.set_ask(await context.signer(client), number, ask)
    context.output.line(f"Node {number} now asks {_sentence(ask)} (FLUX per hour).")
    context.output.document(
        {"node": number, "prices": ask_document(ask), "transaction": f"0x{receipt.transaction.hex()}"}
    )


async def _follow(context: CommandContext, number: NodeId, prices: Sequence[str | None]) -> None:
    """Prices in dollars, which the chain turns into FLUX whenever the price of FLUX moves."""
    given = [price.removeprefix("$") for price in prices if price is not None and price.startswith("$")]
    if len(given) != len(prices):
        raise UsageError("--follow takes all four prices in dollars", "for example --price-cpu '$0.001'")
    cpu, memory, disk, gpu = [U64(0) if not price.strip("0.") else parse(price) for price in given]
    async with context.client() as client:
        signer = await context.signer(client)
        receipt = await Oracle(client).set_usd_ask(signer, number, UsdAsk(cpu, memory, disk, gpu))
        ask = (await Nodes(client).node(number)).ask
    context.output.line(f"Node {number} follows the dollar; now it asks {_sentence(ask)} (FLUX per hour).")
    context.output.document(
        {"node": number, "prices": ask_document(ask), "transaction": f"0x{receipt.transaction.hex()}"}
    )


def _text(gwei: int) -> str:
    return show.exact(gwei * WEI_PER_GWEI)


def _sentence(ask: Ask) -> str:
    parts = (
        f"{price_text(ask.cpu)} a core, {price_text(ask.memory)} a GiB of memory, {price_text(ask.disk)} a GiB of disk"
    )
    return f"{parts}, {price_text(ask.gpu)} a GPU"

"""`flux node offer`."""

from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.dollars import in_flux
from flux.cli.errors import UsageError
from flux.cli.lookup import node_number
from flux.cli.node.prices import ask_document, ask_of, price_text
from flux.cli.options import NodeArgument
from flux.contracts.nodes.types import Ask
from flux.primitives.types import WEI_PER_GWEI
from flux.sdk.bindings.nodes import Nodes


async def run(
    context: CommandContext,
    node: NodeArgument,
    cpu: Annotated[str | None, typer.Option("--price-cpu", metavar="FLUX", help="A core an hour.")] = None,
    memory: Annotated[str | None, typer.Option("--price-memory", metavar="FLUX", help="A GiB an hour.")] = None,
    disk: Annotated[str | None, typer.Option("--price-disk", metavar="FLUX", help="A GiB an hour.")] = None,
    gpu: Annotated[str | None, typer.Option("--price-gpu", metavar="FLUX", help="A GPU an hour.")] = None,
) -> None:
    """Change a node's prices. Leases that run keep the price they were placed at.

    A price that begins with $ is turned into FLUX at the present price of FLUX, once.
    """
    if cpu is None and memory is None and disk is None and gpu is None:
        raise UsageError("no price was given", "for example --price-cpu 0.03")
    number = node_number(node)
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


def _text(gwei: int) -> str:
    return show.exact(gwei * WEI_PER_GWEI)


def _sentence(ask: Ask) -> str:
    parts = (
        f"{price_text(ask.cpu)} a core, {price_text(ask.memory)} a GiB of memory, {price_text(ask.disk)} a GiB of disk"
    )
    return f"{parts}, {price_text(ask.gpu)} a GPU"

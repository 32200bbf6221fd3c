"""`flux node drain`."""

import asyncio
from contextlib import aclosing
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.errors import CliError
from flux.cli.lookup import node_number
from flux.cli.options import NodeArgument
from flux.contracts.nodes.types import NodeId
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.sdk.deployment import watch


async def run(
    context: CommandContext,
    node: NodeArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Take instances again; what has not moved stays.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when nothing runs there, or at once.")] = True,
    patience: Annotated[
        int, typer.Option("--timeout", min=1, metavar="SECONDS", help="How long to wait; moving goes on after it.")
    ] = 3_600,
) -> None:
    """Take a node out of use, for maintenance: it takes nothing new, and what runs moves away, start-first.

    It stays registered, watched and rewarded. Keep its agent running until it is empty. What is left at the deadline
    closes, replaced or not.
    """
    number = node_number(node)
    async with context.client() as client:
        nodes = Nodes(client)
        call = nodes.undrain if undo else nodes.drain
        receipt = await call(await context.signer(client), number)
        left = len(await Market(client).leases_of_node(number))
        if wait and not undo and left:
            context.output.note(f"  {show.count(left, 'instance')} to move away from node {number}")
            left = await _await_empty(context, client, number, patience)
    if undo:
        context.output.line(f"Node {number} takes instances again.")
    elif left:
        context.output.line(f"Node {number} drains, {show.count(left, 'instance')} left: `flux node show {number}`.")
    else:
        context.output.line(f"Node {number} is empty. Take it back into use with `flux node drain {number} --undo`.")
    context.output.document(
        {"node": number, "draining": not undo, "leases": left, "transaction": f"0x{receipt.transaction.hex()}"}
    )


async def _await_empty(context: CommandContext, client: FluxClient, node: NodeId, seconds: float) -> int:
    """Tell how it goes until nothing is left. Raises CliError when the time is over."""
    market, told = Market(client), -1
    try:
        async with (
            asyncio.timeout(seconds),
            aclosing(watch(client, lambda: market.leases_of_node(node))) as looks,
        ):
            async for leases in looks:
                if len(leases) != told:
                    told = len(leases)
                    context.output.note(f"  {show.count(told, 'instance')} left")
                if not leases:
                    break
    except TimeoutError as error:
        raise CliError(
            f"{show.count(told, 'instance')} are still on node {node} after {show.duration(seconds)}; it drains on",
            f"see which with `flux node show {node}`, and why one stays with `flux app why APP`",
        ) from error
    return 0

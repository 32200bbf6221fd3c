"""`flux app top`."""

import asyncio
import sys
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.dashboard import draw
from flux.cli.overview import Overview, Watcher, document


async def run(
    context: CommandContext,
    apps: Annotated[list[str] | None, typer.Argument(metavar="APP…", help="Only these; else all of yours.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end.")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.5, help="Seconds from one look to the next.")] = 2.0,
) -> None:
    """Watch your apps: instances, nodes, health, CPU, memory, cost, how long the balance lasts, what happened last.

    Ends with Ctrl-C. With --json, or where the output is no terminal, it is printed once.
    """
    async with context.client() as client, Watcher.open(client, await context.signer(client), apps or ()) as watcher:
        await watcher.look()
        await asyncio.sleep(1)  # rates need a second reading
        overview = await watcher.look()
        if context.output.json:
            context.output.document(document(overview))
        elif once or not sys.stdout.isatty():
            _print(overview)
        else:
            await _live(watcher, overview, interval)


def _print(overview: Overview) -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    Console(file=sys.stdout, width=width, highlight=False, emoji=False).print(draw(overview, None))


async def _live(watcher: Watcher, overview: Overview, interval: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False, emoji=False)
    with Live(draw(overview, console.height), console=console, screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(interval)
            live.update(draw(await watcher.look(), console.height), refresh=True)

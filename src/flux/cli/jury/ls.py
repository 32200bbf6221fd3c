"""`flux jury ls`."""

import asyncio
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.jury import cases
from flux.cli.lookup import protocol_now
from flux.cli.output import Column, right


async def run(
    context: CommandContext,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also cases that are over.")] = False,
) -> None:
    """List cases against nodes: what for, where they stand, and which nodes' operators judge."""
    async with context.client() as client:
        found, now = await asyncio.gather(cases.all_cases(client), protocol_now(client))
    shown = [case for case in found if everything or case.state not in cases.OVER]
    rows = [
        (
            str(case.id),
            str(case.node),
            cases.KINDS[case.kind],
            cases.state_text(case, now),
            ", ".join(str(juror) for juror in case.jury) or "-",
        )
        for case in shown
    ]
    columns: list[Column | str] = [right("CASE"), right("NODE"), Column("WHAT", wrap=True), "STATE", "JURY"]
    context.output.table(columns, rows, "No cases.")
    context.output.document([cases.document(case) for case in shown])

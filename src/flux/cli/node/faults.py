"""`flux node faults`."""

import asyncio

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.jury import cases
from flux.cli.lookup import protocol_now
from flux.cli.output import Column, right
from flux.contracts.slashing.types import FaultId
from flux.primitives.types import U16, U64
from flux.sdk.bindings.slashing import Slashing


async def run(context: CommandContext) -> None:
    """List faults that the chain saw and nobody has prosecuted yet."""
    async with context.client() as client:
        slashing = Slashing(client)
        found, params, now = await asyncio.gather(
            slashing.faults(FaultId(U64(1)), U16(cases.PAGE)), slashing.parameters(), protocol_now(client)
        )
    rows = [
        (
            str(fault.id),
            str(fault.node),
            cases.KINDS[fault.kind],
            f"{show.duration(now - fault.at)} ago",
            show.duration(fault.at + params.evidence_age - now),
        )
        for fault in found
    ]
    columns: list[Column | str] = [right("FAULT"), right("NODE"), Column("WHAT", wrap=True), "WHEN", "LAPSES IN"]
    context.output.table(columns, rows, "No faults.")
    context.output.document(
        [{"fault": item.id, "node": item.node, "kind": item.kind.name.lower(), "at": item.at} for item in found]
    )

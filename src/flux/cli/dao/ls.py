"""`flux dao ls`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.dao.lookup import document, next_step, title
from flux.cli.lookup import protocol_now
from flux.cli.output import Column, right
from flux.primitives.types import U16, U64
from flux.sdk.bindings.governor import Governor


async def run(
    context: CommandContext,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many of the newest.")] = 20,
) -> None:
    """List proposals, the newest first: state, votes, what happens next."""
    async with context.client() as client:
        governor = Governor(client)
        count, now = await asyncio.gather(governor.proposal_count(), protocol_now(client))
        first = max(1, count - limit + 1)
        found = (await governor.proposals(U64(first), U16(limit)))[::-1]
    rows = [
        (
            str(info.proposal.number),
            info.state.name.lower(),
            show.number(info.proposal.votes.for_votes),
            show.number(info.proposal.votes.against_votes),
            title(info),
            next_step(info, now),
        )
        for info in found
    ]
    columns: list[Column | str] = [
        right("#"),
        "STATE",
        right("FOR"),
        right("AGAINST"),
        Column("TITLE", wrap=True),
        "NEXT",
    ]
    context.output.table(columns, rows, "There are no proposals yet; make one with `flux dao propose`.")
    context.output.document([document(info, now) for info in found])

"""`flux dao vote`."""

from enum import StrEnum
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.dao.lookup import find_proposal, title
from flux.cli.dao.show import ProposalArgument
from flux.contracts.governor.types import Support, VoteCast
from flux.primitives.types import U8
from flux.sdk.bindings.governor import Governor
from flux.sdk.known import find_event


class Choice(StrEnum):
    """How one may vote."""

    FOR = "for"
    AGAINST = "against"
    ABSTAIN = "abstain"


async def run(
    context: CommandContext,
    number: ProposalArgument,
    choice: Annotated[Choice, typer.Argument(help="How.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; everybody can read it.")] = "",
) -> None:
    """Vote with the power you had when the vote began, once."""
    async with context.client() as client:
        info = await find_proposal(client, number)
        governor, signer = Governor(client), await context.signer(client)
        support, id = U8(Support[choice.name]), info.proposal.id
        if reason:
            receipt = await governor.cast_vote_with_reason(signer, id, support, reason)
        else:
            receipt = await governor.cast_vote(signer, id, support)
    cast = next(event for log in receipt.logs if isinstance(event := find_event(list(log.topics), log.data), VoteCast))
    context.output.line(f"{show.number(cast.weight)} votes {choice.value}: #{info.proposal.number} {title(info)}")
    if not cast.weight:
        context.output.note("you had no voting power when this vote began; lock FLUX for the next one")
    context.output.document(
        {
            "number": info.proposal.number,
            "support": choice.value,
            "weight": show.exact(cast.weight),
            "transaction": f"0x{receipt.transaction.hex()}",
        }
    )

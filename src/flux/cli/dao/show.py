"""`flux dao show`."""

import asyncio
from typing import Annotated

import typer

from flux.cli import format as show
from flux.cli.context import CommandContext
from flux.cli.dao.lookup import actions_of, document, find_proposal, next_step, title
from flux.cli.lookup import protocol_now
from flux.sdk.actions import words

ProposalArgument = Annotated[str, typer.Argument(metavar="NUMBER", help="Number of the proposal.")]


async def run(context: CommandContext, number: ProposalArgument) -> None:
    """Show a proposal: what it does, how the vote stands, what happens next."""
    async with context.client() as client:
        info, now = await asyncio.gather(find_proposal(client, number), protocol_now(client))
    votes = info.proposal.votes
    facts = [
        ("state", info.state.name.lower()),
        ("next", next_step(info, now)),
        ("proposer", show.address(info.proposal.proposer)),
        ("for", show.number(votes.for_votes)),
        ("against", show.number(votes.against_votes)),
        ("abstain", show.number(votes.abstain_votes)),
        ("quorum", show.number(info.quorum) if info.quorum else "known when the vote begins"),
        ("does", "\n".join(words(item) for item in actions_of(info))),
        ("id", str(info.proposal.id)),
    ]
    context.output.facts(facts, f"#{info.proposal.number} {title(info)}")
    context.output.line()
    context.output.line(info.description)
    context.output.document(document(info, now))

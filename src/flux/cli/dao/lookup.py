"""Proposals as people name them, by number, and how they are shown."""

from typing import Any

from flux.cli import format as show
from flux.cli.errors import REFUSED, CliError, UsageError
from flux.contracts.governor.types import ProposalInfo, ProposalState
from flux.primitives.types import U16, U64, U256
from flux.sdk.actions import Action, words
from flux.sdk.bindings.governor import Governor
from flux.sdk.client import FluxClient


async def find_proposal(client: FluxClient, text: str) -> ProposalInfo:
    """The proposal of a number. Raises UsageError, CliError."""
    number = text.lstrip("#")
    if not (number.isascii() and number.isdecimal() and len(number) < 18):
        raise UsageError(f"a proposal is named by its number, got {text}", "see the numbers with `flux dao ls`")
    found = await Governor(client).proposals(U64(int(number)), U16(1))
    if not found or found[0].proposal.number != int(number):
        raise CliError(f"there is no proposal {text}", "see them with `flux dao ls`", REFUSED, "UnknownProposal")
    return found[0]


def title(info: ProposalInfo) -> str:
    """First line of the description, without Markdown's marks."""
    return info.description.strip().split("\n")[0].lstrip("# ").strip() or "(no title)"


def actions_of(info: ProposalInfo) -> list[Action]:
    """What it does."""
    proposal = info.proposal
    return [Action(target, data) for target, data in zip(proposal.targets, proposal.calldatas, strict=True)]


def by_hand(info: ProposalInfo) -> tuple[Any, ...]:
    """The arguments of queue, execute and cancel."""
    proposal = info.proposal
    values = [U256(0)] * len(proposal.targets)
    return list(proposal.targets), values, list(proposal.calldatas), proposal.description_hash


def next_step(info: ProposalInfo, now: int) -> str:
    """What happens next, and when."""
    proposal = info.proposal
    match info.state:
        case ProposalState.PENDING:
            return f"the vote begins in {show.duration(proposal.snapshot + 1 - now)}"
        case ProposalState.ACTIVE:
            return f"the vote ends in {show.duration(proposal.deadline + 1 - now)}"
        case ProposalState.SUCCEEDED:
            return "it enters the timelock with the next block"
        case ProposalState.QUEUED if now < proposal.eta:
            return f"it executes by itself in {show.duration(proposal.eta - now)}"
        case ProposalState.QUEUED:
            return f"its execution failed; anybody may try again for {show.duration(proposal.expires - now)}"
    return "nothing"


def document(info: ProposalInfo, now: int) -> dict[str, Any]:
    """A proposal for scripts."""
    proposal, votes = info.proposal, info.proposal.votes
    return {
        "number": proposal.number,
        "id": str(proposal.id),
        "title": title(info),
        "description": info.description,
        "state": info.state.name.lower(),
        "proposer": show.address(proposal.proposer),
        "for": show.exact(votes.for_votes),
        "against": show.exact(votes.against_votes),
        "abstain": show.exact(votes.abstain_votes),
        "quorum": show.exact(info.quorum),
        "snapshot": proposal.snapshot,
        "deadline": proposal.deadline,
        "eta": proposal.eta or None,
        "now": now,
        "actions": [
            {"target": show.address(item.target), "data": "0x" + item.data.hex(), "call": words(item)}
            for item in actions_of(info)
        ],
    }

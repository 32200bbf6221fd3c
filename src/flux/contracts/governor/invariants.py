"""What must hold of the governor after every block."""

from collections.abc import Iterator

from flux.contracts.governor import rules
from flux.contracts.governor.contract import Governor
from flux.contracts.governor.types import Proposal
from flux.primitives.types import Address


def check(governor: Governor) -> list[str]:
    """Violations as sentences."""
    violations: list[str] = []
    proposals = [proposal for _, proposal in governor.records.proposals.items()]
    if [proposal.number for proposal in proposals] != list(range(1, governor.records.count.get() + 1)):
        violations.append("the proposals are not numbered one after the other")
    if sorted((proposal.id, proposal.number) for proposal in proposals) != list(governor.records.numbers.items()):
        violations.append("the index of ids does not name exactly the proposals")
    for proposal in proposals:
        violations += [f"proposal {proposal.number}: {problem}" for problem in _check_proposal(governor, proposal)]
    open_by: dict[Address, int] = {}
    for proposal in proposals:
        if proposal.deposit:
            open_by[proposal.proposer] = open_by.get(proposal.proposer, 0) + 1
    if open_by != dict(governor.records.open.items()):
        violations.append("the counts of open proposals are not those whose deposit is held")
    if governor.host.balance() != 0:
        violations.append(f"the contract holds {governor.host.balance()} wei and should hold none")
    return violations


def held(governor: Governor) -> dict[Address, int]:
    """Deposits that stand, by proposer."""
    found: dict[Address, int] = {}
    for _, proposal in governor.records.proposals.items():
        if proposal.deposit:
            found[proposal.proposer] = found.get(proposal.proposer, 0) + proposal.deposit
    return found


def _check_proposal(governor: Governor, proposal: Proposal) -> Iterator[str]:
    votes = rules.NO_VOTES
    for (number, _), ballot in governor.records.ballots.under(proposal.number.to_bytes(8, "big")):
        assert number == proposal.number
        votes = rules.count(votes, ballot)
    if votes != proposal.votes:
        yield "its tally is not the sum of its ballots"
    if proposal.executed and not proposal.eta:
        yield "it was executed and never queued"
    if proposal.canceled and (proposal.executed or proposal.eta):
        yield "it was canceled and yet went on"
    if proposal.eta and proposal.deposit:
        yield "it passed and its deposit is still held"
    if not proposal.snapshot < proposal.deadline:
        yield "nobody can vote on it"

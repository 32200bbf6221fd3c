"""The governor: the life of a proposal, attacks on it, and what is refused."""

from typing import Any

import pytest

from flux.contracts.addresses import ACCOUNTS, GOVERNOR, PARAMETERS, TREASURY
from flux.contracts.governor import invariants, rules
from flux.contracts.governor.types import (
    GovernorAlreadyCastVote,
    GovernorForbiddenAction,
    GovernorInsufficientDeposit,
    GovernorInsufficientProposerVotes,
    GovernorInvalidProposalLength,
    GovernorInvalidVoteType,
    GovernorNonexistentProposal,
    GovernorNotReady,
    GovernorProposalTooLarge,
    GovernorRestrictedProposer,
    GovernorTooManyProposals,
    GovernorUnableToCancel,
    GovernorUnexpectedProposalState,
    ProposalCanceled,
    ProposalExecuted,
    ProposalExecutionFailed,
    ProposalQueued,
    ProposalState,
    ProposalVotes,
    VoteCast,
)
from flux.contracts.parameters.types import ParameterOutOfBounds, UnknownParameter
from flux.kernel.errors import Unauthorized, UnknownMethod
from flux.primitives.keccak import keccak256
from flux.primitives.types import U8, U64, U256, Address, Hash, Wei
from support.contract_lab import FLUX, account
from support.governor_lab import ABSTAIN, AGAINST, FOR, Lab, call, lab

__all__ = ["lab"]


def test_a_proposal_that_passes_queues_and_executes_by_itself(lab: Lab) -> None:
    id = lab.propose([lab.set("market.exclusion", 777)], "# Shorter exclusions")
    assert (lab.state(id), lab.held(lab.ann)) == (ProposalState.PENDING, lab.params.governor.deposit)
    lab.open_vote()
    assert lab.state(id) is ProposalState.ACTIVE
    lab.send(lab.ann, lab.governor.cast_vote_with_reason, id, FOR, "it is time")
    assert lab.world.emitted(lab.governor, VoteCast(lab.ann, id, FOR, U256(6_000 * FLUX), "it is time"))
    lab.vote(lab.bob, id, AGAINST)
    lab.vote(lab.eve, id, ABSTAIN)
    votes = ProposalVotes(U256(3_000 * FLUX), U256(6_000 * FLUX), U256(1_000 * FLUX))
    assert lab.governor.proposal_votes(lab.world.context(lab.eve), id) == votes
    lab.block(seconds=lab.params.governor.voting_period)
    assert lab.state(id) is ProposalState.SUCCEEDED
    eta = lab.world.block.now + lab.params.governor.timelock
    lab.block(seconds=lab.params.governor.timelock)
    assert lab.world.emitted(lab.governor, ProposalQueued(id, U256(eta)))
    assert (lab.state(id), lab.held(lab.ann)) == (ProposalState.QUEUED, 0)
    assert lab.params.market.exclusion != 777
    lab.block()
    assert lab.world.emitted(lab.governor, ProposalExecuted(id))
    assert (lab.state(id), lab.params.market.exclusion) == (ProposalState.EXECUTED, 777)
    lab.block(seconds=10**6)


def test_anybody_may_queue_and_execute_by_hand_and_nothing_happens_twice(lab: Lab) -> None:
    actions = [lab.set("market.exclusion", 777)]
    id = lab.propose(actions)
    with pytest.raises(GovernorUnexpectedProposalState):
        lab.by_hand("queue", actions)
    lab.open_vote()
    lab.vote(lab.ann, id)
    lab.block(seconds=lab.params.governor.voting_period)
    assert lab.by_hand("queue", actions) == id
    with pytest.raises(GovernorNotReady):
        lab.by_hand("execute", actions)
    with pytest.raises(GovernorUnexpectedProposalState):
        lab.by_hand("queue", actions)
    lab.block(seconds=lab.params.governor.timelock)
    assert lab.by_hand("execute", actions) == id
    with pytest.raises(GovernorUnexpectedProposalState):
        lab.by_hand("execute", actions)
    lab.block()
    lab.block()
    assert lab.state(id) is ProposalState.EXECUTED


def test_the_treasury_pays_only_by_vote(lab: Lab) -> None:
    lab.world.transfer(lab.eve, TREASURY, Wei(U256(50 * FLUX)))
    target = account("builder")
    with pytest.raises(Unauthorized):
        lab.send(lab.ann, lab.accounts.grant, target, Wei(U256(1)))
    id = lab.propose([lab.grant(target, 40 * FLUX)])
    lab.pass_(id)
    lab.block(seconds=5)
    lab.block()
    assert (lab.world.balance(target), lab.world.balance(TREASURY)) == (40 * FLUX, 10 * FLUX)


def test_all_actions_of_a_proposal_happen_or_none(lab: Lab) -> None:
    lab.world.transfer(lab.eve, TREASURY, Wei(U256(50 * FLUX)))
    first = lab.propose([lab.grant(account("one"), 40 * FLUX)], "one")
    second = lab.propose([lab.set("market.exclusion", 99), lab.grant(account("two"), 40 * FLUX)], "two")
    lab.open_vote()
    lab.vote(lab.ann, first)
    lab.vote(lab.ann, second)
    lab.close_vote()
    for _ in range(7):
        lab.block()
    assert (lab.state(first), lab.state(second)) == (ProposalState.EXECUTED, ProposalState.QUEUED)
    failed = [log for log in lab.world.logs if log.topics[0] == keccak256(b"ProposalExecutionFailed(uint256,bytes)")]
    assert len(failed) == 1
    assert ProposalExecutionFailed.__doc__
    assert lab.params.market.exclusion != 99
    lab.world.transfer(lab.eve, TREASURY, Wei(U256(50 * FLUX)))
    lab.by_hand("execute", [lab.set("market.exclusion", 99), lab.grant(account("two"), 40 * FLUX)], "two")
    assert lab.world.balance(account("two")) == 40 * FLUX


def test_a_queued_proposal_that_cannot_execute_expires(lab: Lab) -> None:
    lab.world.transfer(lab.eve, TREASURY, Wei(U256(50 * FLUX)))
    actions = [lab.grant(account("one"), 50 * FLUX)]
    id = lab.propose(actions)
    lab.pass_(id)
    lab.world.transfer(TREASURY, lab.eve, Wei(U256(1)))
    lab.block(seconds=5)
    lab.block(seconds=lab.params.governor.execution_grace)
    assert lab.state(id) is ProposalState.EXPIRED
    with pytest.raises(GovernorUnexpectedProposalState):
        lab.by_hand("execute", actions)


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [("market.exclusion", 1, ParameterOutOfBounds), ("market.nothing", 1, UnknownParameter)],
)
def test_what_would_break_the_chain_is_refused_when_proposed(
    lab: Lab, path: str, value: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        lab.propose([lab.set(path, value)])
    lab.block()


def test_a_number_within_bounds_when_proposed_is_checked_again_when_executed(lab: Lab) -> None:
    first = lab.propose([lab.set("market.max_leases_per_node", 400)], "more")
    second = lab.propose([lab.set("market.max_leases_per_node", 300)], "less more")
    lab.open_vote()
    lab.vote(lab.ann, first)
    lab.vote(lab.ann, second)
    lab.close_vote()
    lab.block(seconds=5)
    lab.block()
    assert (lab.state(first), lab.state(second)) == (ProposalState.EXECUTED, ProposalState.QUEUED)
    assert lab.params.market.max_leases_per_node == 400


def test_governance_calls_nothing_but_governed_methods(lab: Lab) -> None:
    for action in (
        call(type(lab.accounts), "transfer", lab.eve, Wei(U256(1))),
        call(type(lab.votes), "delegate", lab.eve),
        call(type(lab.governor), "cast_vote", U256(1), FOR),
        (lab.eve, b""),
        (PARAMETERS, b"\x00"),
        (PARAMETERS, b"\x01\x02\x03\x04"),
    ):
        with pytest.raises(GovernorForbiddenAction):
            lab.propose([action])
    targets, _, calldatas, text = lab.arguments([lab.set("market.exclusion", 99)], "x")
    with pytest.raises(GovernorForbiddenAction):
        lab.send(lab.ann, lab.governor.propose, targets, [U256(1)], calldatas, text)
    with pytest.raises(UnknownMethod):
        lab.governor._calls.run(lab.world.context(GOVERNOR), [_action(lab.eve)])


def _action(target: Address) -> Any:
    from flux.contracts.governor.ports import Action as Port

    return Port(target, b"")


def test_lists_of_unlike_or_excessive_length_are_refused(lab: Lab) -> None:
    action = lab.set("market.exclusion", 99)
    send, propose = lab.send, lab.governor.propose
    for targets, values, calldatas in (
        ([], [], []),
        ([PARAMETERS], [], [action[1]]),
        ([PARAMETERS], [U256(0)], []),
    ):
        with pytest.raises(GovernorInvalidProposalLength):
            send(lab.ann, propose, targets, values, calldatas, "x")
    params = lab.params.governor
    for actions, text, part in (
        ([action] * (params.max_actions + 1), "x", "list of actions"),
        ([action], "é" * (params.max_description_bytes // 2 + 1), "description"),
        ([(PARAMETERS, action[1] + bytes(params.max_calldata_bytes))], "x", "call data"),
    ):
        with pytest.raises(GovernorProposalTooLarge) as raised:
            lab.propose(actions, text)
        assert raised.value.part == part


def test_stake_borrowed_after_the_snapshot_does_not_vote(lab: Lab) -> None:
    id = lab.propose([lab.set("market.exclusion", 99)])
    lab.open_vote()
    whale = lab.fund("whale")
    lab.send(whale, lab.votes.lock, value=900_000 * FLUX)
    lab.vote(whale, id, AGAINST)
    assert lab.governor.proposal_votes(lab.world.context(whale), id) == rules.NO_VOTES


def test_stake_borrowed_in_the_block_of_a_proposal_does_not_propose(lab: Lab) -> None:
    whale = lab.fund("whale")
    lab.send(whale, lab.votes.lock, value=900_000 * FLUX)
    with pytest.raises(GovernorInsufficientProposerVotes):
        lab.propose([lab.set("market.exclusion", 99)], proposer=whale)
    lab.block()
    lab.propose([lab.set("market.exclusion", 99)], proposer=whale)


def test_power_votes_once_however_it_moves(lab: Lab) -> None:
    id = lab.propose([lab.set("market.exclusion", 99)])
    lab.open_vote()
    lab.vote(lab.ann, id)
    with pytest.raises(GovernorAlreadyCastVote):
        lab.vote(lab.ann, id)
    lab.send(lab.ann, lab.votes.delegate, lab.bob)
    lab.send(lab.ann, lab.votes.unlock, Wei(U256(5_000 * FLUX)))
    lab.block()
    lab.vote(lab.bob, id)
    assert lab.governor.proposal_votes(lab.world.context(lab.bob), id).for_votes == 9_000 * FLUX
    assert lab.governor.has_voted(lab.world.context(lab.bob), id, lab.bob)


def test_without_quorum_or_majority_a_proposal_is_defeated_and_its_deposit_returns(lab: Lab) -> None:
    silent = lab.propose([lab.set("market.exclusion", 99)], "silent")
    split = lab.propose([lab.set("market.exclusion", 98)], "split")
    lab.open_vote()
    lab.vote(lab.bob, split, AGAINST)
    lab.vote(lab.eve, split, FOR)
    lab.close_vote()
    assert [lab.state(id) for id in (silent, split)] == [ProposalState.DEFEATED] * 2
    assert lab.held(lab.ann) == 0
    assert lab.world.balance(TREASURY) == lab.params.governor.deposit, "three quarters against is abuse"


def test_an_abusive_proposal_costs_its_deposit_and_a_disputed_one_does_not(lab: Lab) -> None:
    disputed = lab.propose([lab.set("market.exclusion", 99)], proposer=lab.eve)
    lab.open_vote()
    lab.vote(lab.ann, disputed, AGAINST)
    lab.vote(lab.bob, disputed, FOR)
    lab.close_vote()
    assert (lab.world.balance(TREASURY), lab.held(lab.eve)) == (0, 0)
    abuse = lab.propose([lab.set("market.exclusion", 99)], "again", proposer=lab.eve)
    lab.open_vote()
    lab.vote(lab.ann, abuse, AGAINST)
    lab.close_vote()
    deposit = lab.params.governor.deposit
    assert (lab.world.balance(TREASURY), lab.held(lab.eve)) == (deposit, 0)
    assert lab.votes.get_votes(lab.world.context(lab.eve), lab.eve) == 1_000 * FLUX - deposit


def test_a_proposer_needs_power_a_deposit_of_its_own_and_patience(lab: Lab) -> None:
    action = lab.set("market.exclusion", 99)
    poor = lab.fund("poor")
    with pytest.raises(GovernorInsufficientProposerVotes):
        lab.propose([action], proposer=poor)
    lab.send(lab.ann, lab.votes.delegate, poor)
    lab.block()
    with pytest.raises(GovernorInsufficientDeposit):
        lab.propose([action], proposer=poor)
    for number in range(lab.params.governor.max_open_proposals):
        lab.propose([action], f"number {number}", proposer=lab.bob)
    with pytest.raises(GovernorTooManyProposals):
        lab.propose([action], "one more", proposer=lab.bob)
    with pytest.raises(GovernorUnexpectedProposalState):
        lab.propose([action], "number 0", proposer=lab.eve)


def test_only_its_proposer_cancels_and_only_before_the_vote(lab: Lab) -> None:
    actions = [lab.set("market.exclusion", 99)]
    id = lab.propose(actions)
    with pytest.raises(GovernorUnableToCancel):
        lab.by_hand("cancel", actions)
    assert lab.by_hand("cancel", actions, sender=lab.ann) == id
    assert lab.world.emitted(lab.governor, ProposalCanceled(id))
    assert (lab.state(id), lab.held(lab.ann)) == (ProposalState.CANCELED, 0)
    late = lab.propose(actions, "late")
    lab.open_vote()
    with pytest.raises(GovernorUnexpectedProposalState):
        lab.by_hand("cancel", actions, "late", sender=lab.ann)
    with pytest.raises(GovernorUnexpectedProposalState):
        lab.vote(lab.ann, id)
    assert lab.state(late) is ProposalState.ACTIVE
    lab.close_vote()


def test_a_description_can_be_bound_to_its_proposer(lab: Lab) -> None:
    text = f"mine #proposer=0x{lab.ann.hex()}"
    with pytest.raises(GovernorRestrictedProposer):
        lab.propose([lab.set("market.exclusion", 99)], text, proposer=lab.eve)
    lab.propose([lab.set("market.exclusion", 99)], text)


def test_unknown_proposals_votes_and_reasons_are_refused(lab: Lab) -> None:
    with pytest.raises(GovernorNonexistentProposal):
        lab.vote(lab.ann, U256(5))
    id = lab.propose([lab.set("market.exclusion", 99)])
    with pytest.raises(GovernorUnexpectedProposalState) as raised:
        lab.vote(lab.ann, id)
    assert raised.value.expected_states == rules.bitmap(ProposalState.ACTIVE)
    lab.open_vote()
    with pytest.raises(GovernorInvalidVoteType):
        lab.vote(lab.ann, id, U8(3))
    with pytest.raises(GovernorProposalTooLarge):
        lab.send(lab.ann, lab.governor.cast_vote_with_reason, id, FOR, "x" * 1_025)


def test_the_quorum_has_a_floor_and_is_the_one_of_the_proposals_day(lab: Lab) -> None:
    context = lab.world.context(lab.eve)
    now = U256(context.now - 1)
    assert lab.governor.quorum(context, now) == 2_000 * FLUX
    assert lab.governor.quorum(context, U256(1)) == lab.params.governor.min_quorum
    id = lab.propose([lab.set("governor.quorum_basis_points", 6_000)])
    lab.pass_(id)
    old = lab.propose([lab.set("market.exclusion", 99)], "old")
    lab.block(seconds=5)
    lab.block()
    assert lab.params.governor.quorum_basis_points == 6_000
    info = lab.governor.proposal(lab.world.context(lab.eve), old)
    assert (info.quorum, info.state, info.description) == (2_000 * FLUX, ProposalState.ACTIVE, "old")


def test_the_invariants_notice_ballots_and_deposits_from_nowhere(lab: Lab) -> None:
    id = lab.propose([lab.set("market.exclusion", 99)])
    records = lab.governor.records
    number = records.numbers.get(id)
    proposal = records.proposals.get(number)
    broken = proposal.but(
        votes=ProposalVotes(U256(1), U256(0), U256(0)), executed=True, canceled=True, deadline=proposal.snapshot,
        deposit=Wei(U256(0)),
    )  # fmt: skip
    records.proposals.set(number, broken)
    records.numbers.set(U256(7), U64(9))
    records.count.set(U64(2))
    lab.world.transfer(lab.eve, GOVERNOR, Wei(U256(1)))
    found = " ".join(invariants.check(lab.governor))
    for words in (
        "numbered one after", "index of ids", "sum of its ballots", "never queued", "canceled and yet",
        "nobody can vote", "counts of open proposals", "holds 1 wei",
    ):  # fmt: skip
        assert words in found
    records.proposals.set(number, proposal.but(eta=proposal.deadline))
    assert "deposit is still held" in " ".join(invariants.check(lab.governor))
    assert Hash(bytes(32)) == rules.bitmap()
    assert ACCOUNTS

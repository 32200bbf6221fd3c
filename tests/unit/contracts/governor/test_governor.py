"""The governor: the life of a proposal, attacks on it, and what is refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from flux.contracts.addresses import ACCOUNTS, GOVERNOR, PARAMETERS, TREASURY, VOTES
from flux.contracts.governor import invariants, rules
from flux.contracts.governor.contract import Governor
from flux.contracts.governor.types import (
    GovernorAlreadyCastVote,
    GovernorForbiddenAction,
    GovernorInsufficientDeposit,
    GovernorInsufficientProposerVotes,
    GovernorInvalidProposalLength,
    GovernorInvalidSignature,
    GovernorInvalidVoteParams,
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
from flux.kernel.contract import Contract
from flux.kernel.errors import Unauthorized, UnknownMethod
from flux.primitives.keccak import keccak256
from flux.primitives.signature import SigningKey
from flux.primitives.typed_data import Domain, digest, struct_hash
from flux.primitives.types import U8, U16, U64, U256, Address, Hash, Wei
from flux.sdk.call import Call
from support.contract_lab import FLUX, account
from support.protocol_world import ProtocolWorld

AGAINST, FOR, ABSTAIN = U8(0), U8(1), U8(2)
Action = tuple[Address, bytes]


def call(contract: type[Contract], name: str, *arguments: object) -> Action:
    """A call of a contract."""
    declared = next(item for item in contract.methods.values() if item.attribute == name)
    made = Call(contract.address, declared.name, tuple(declared.arguments.values()), declared.returns)
    return contract.address, made.encode(*arguments)


class Lab(ProtocolWorld):
    """Voters with locked FLUX: ann 6,000, bob 3,000, eve 1,000."""

    def __init__(self) -> None:
        super().__init__()
        self.ann, self.bob, self.eve = self.fund("ann"), self.fund("bob"), self.fund("eve")
        for voter, amount in ((self.ann, 6_000), (self.bob, 3_000), (self.eve, 1_000)):
            self.send(voter, self.votes.lock, value=amount * FLUX)
        self.block()

    def set(self, path: str, value: int) -> Action:
        return call(type(self.parameters), "set_parameter", path, U256(value))

    def grant(self, recipient: Address, amount: int) -> Action:
        return call(type(self.accounts), "grant", recipient, Wei(U256(amount)))

    def arguments(self, actions: Sequence[Action], text: str) -> tuple[Any, ...]:
        values = [U256(0)] * len(actions)
        return [target for target, _ in actions], values, [data for _, data in actions], text

    def propose(self, actions: Sequence[Action], text: str = "why not", proposer: Address | None = None) -> U256:
        made: U256 = self.send(proposer or self.ann, self.governor.propose, *self.arguments(actions, text))
        return made

    def by_hand(
        self, method: str, actions: Sequence[Action], text: str = "why not", sender: Address | None = None
    ) -> Any:
        *start, text = self.arguments(actions, text)
        return self.send(sender or self.eve, getattr(self.governor, method), *start, keccak256(text.encode()))

    def open_vote(self) -> None:
        self.block(seconds=self.params.governor.voting_delay + 1)

    def close_vote(self) -> None:
        """To the block at whose end the vote is counted, and over it."""
        self.block(seconds=self.params.governor.voting_period)
        self.block()

    def vote(self, voter: Address, id: U256, support: U8 = FOR) -> None:
        self.send(voter, self.governor.cast_vote, id, support)

    def state(self, id: U256) -> ProposalState:
        return self.governor.state(self.world.context(self.eve), id)

    def pass_(self, id: U256) -> None:
        self.open_vote()
        self.vote(self.ann, id)
        self.close_vote()

    def held(self, voter: Address) -> int:
        return int(self.votes.holding(self.world.context(voter), voter).held)


@pytest.fixture
def lab() -> Lab:
    return Lab()


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


def test_a_signed_ballot_counts_once_and_for_its_signer_only(lab: Lab) -> None:
    key = SigningKey(keccak256(b"signer"))
    lab.send(lab.ann, lab.votes.delegate, key.address)
    lab.block()
    id = lab.propose([lab.set("market.exclusion", 99)], proposer=lab.bob)
    lab.open_vote()

    def ballot(support: int, nonce: int) -> bytes:
        kind = "Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)"
        domain = Domain("Flux Governor", "1", 0, GOVERNOR)
        return key.sign(digest(domain, struct_hash(kind, [id, support, key.address, nonce]))).to_bytes()

    cast = lab.governor.cast_vote_by_sig
    for support, voter, signature in (
        (FOR, key.address, ballot(0, 0)),
        (FOR, lab.bob, ballot(1, 0)),
        (FOR, key.address, ballot(1, 1)),
        (FOR, key.address, b"short"),
    ):
        with pytest.raises(GovernorInvalidSignature):
            lab.send(lab.eve, cast, id, support, voter, signature)
    lab.send(lab.eve, cast, id, FOR, key.address, ballot(1, 0))
    with pytest.raises(GovernorInvalidSignature):
        lab.send(lab.eve, cast, id, FOR, key.address, ballot(1, 0))
    assert lab.governor.proposal_votes(lab.world.context(lab.eve), id).for_votes == 6_000 * FLUX


def test_a_ballot_signed_with_a_reason_counts_and_parameters_mean_nothing(lab: Lab) -> None:
    key = SigningKey(keccak256(b"signer"))
    lab.send(lab.ann, lab.votes.delegate, key.address)
    lab.block()
    id = lab.propose([lab.set("market.exclusion", 99)], proposer=lab.bob)
    lab.open_vote()
    members = "uint256 proposalId,uint8 support,address voter,uint256 nonce,string reason,bytes params"
    message = struct_hash(f"ExtendedBallot({members})", [id, 1, key.address, 0, "because", b""])
    signature = key.sign(digest(Domain("Flux Governor", "1", 0, GOVERNOR), message)).to_bytes()
    cast = lab.governor.cast_vote_with_reason_and_params_by_sig
    with pytest.raises(GovernorInvalidSignature):
        lab.send(lab.eve, cast, id, FOR, key.address, "another", b"", signature)
    with pytest.raises(GovernorInvalidVoteParams):
        lab.send(lab.eve, cast, id, FOR, key.address, "because", b"1", signature)
    lab.send(lab.eve, cast, id, FOR, key.address, "because", b"", signature)
    with pytest.raises(GovernorInvalidVoteParams):
        lab.send(lab.bob, lab.governor.cast_vote_with_reason_and_params, id, FOR, "", b"1")
    lab.send(lab.bob, lab.governor.cast_vote_with_reason_and_params, id, FOR, "me too", b"")
    context = lab.world.context(lab.eve)
    past = U256(context.now - 1)
    assert lab.governor.get_votes_with_params(context, lab.bob, past, b"") == lab.governor.get_votes(
        context, lab.bob, past
    )
    votes = lab.governor.proposal_votes(context, id).for_votes
    assert votes == 6_000 * FLUX + lab.governor.get_votes(context, lab.bob, past)


def test_every_method_of_an_interface_that_it_claims_is_there() -> None:
    present = {item.signature for item in Governor.methods.values()}
    assert present >= {*rules.GOVERNOR_INTERFACE, *rules.CLOCK_INTERFACE, "supportsInterface(bytes4)", "eip712Domain()"}
    assert [id.hex() for id in rules.INTERFACES] == ["01ffc9a7", "65455a86", "da287a1d", "84b0196e"]


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


def test_tools_find_what_they_look_for(lab: Lab) -> None:
    context = lab.world.context(lab.eve)
    governor, params = lab.governor, lab.params.governor
    actions = [lab.set("market.exclusion", 99)]
    id = lab.propose(actions)
    targets, values, calldatas, text = lab.arguments(actions, "why not")
    assert governor.hash_proposal(context, targets, values, calldatas, keccak256(text.encode())) == id
    assert governor.proposal_proposer(context, id) == lab.ann
    assert governor.proposal_snapshot(context, id) == context.now + params.voting_delay
    assert governor.proposal_deadline(context, id) == context.now + params.voting_delay + params.voting_period
    assert (governor.proposal_eta(context, id), governor.proposal_needs_queuing(context, id)) == (0, True)
    details = governor.proposal_details(context, id)
    assert (details.targets, details.values, details.calldatas) == (tuple(targets), (0,), tuple(calldatas))
    assert governor.proposal_count(context) == 1
    assert [item.proposal.id for item in governor.proposals(context, U64(0), U16(5))] == [id]
    assert governor.voting_delay(context) == params.voting_delay
    assert governor.voting_period(context) == params.voting_period
    assert governor.proposal_threshold(context) == params.proposal_threshold
    assert governor.get_votes(context, lab.bob, U256(context.now - 1)) == 3_000 * FLUX
    assert (governor.clock(context), governor.CLOCK_MODE(context)) == (context.now, "mode=timestamp")
    assert governor.COUNTING_MODE(context) == "support=bravo&quorum=for,abstain"
    assert (governor.name_(context), governor.version(context)) == ("Flux Governor", "1")
    assert (governor.token(context), governor.timelock(context)) == (VOTES, GOVERNOR)
    signatures = {item.signature for item in governor.methods.values()}
    assert {
        "propose(address[],uint256[],bytes[],string)",
        "castVote(uint256,uint8)",
        "castVoteWithReason(uint256,uint8,string)",
        "castVoteBySig(uint256,uint8,address,bytes)",
        "queue(address[],uint256[],bytes[],bytes32)",
        "execute(address[],uint256[],bytes[],bytes32)",
        "cancel(address[],uint256[],bytes[],bytes32)",
    } <= signatures


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

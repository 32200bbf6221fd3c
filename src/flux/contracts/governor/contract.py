"""Governor: proposals, votes, the timelock, and calls that other contracts take from nobody else.

A proposal that passed queues and executes by itself; anybody may do either by hand once its time has come.
"""

from flux.contracts.addresses import GOVERNOR
from flux.contracts.governor import rules
from flux.contracts.governor.ports import Action, CallsPort, VotesPort
from flux.contracts.governor.types import (
    Ballot,
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
    GovernorParams,
    GovernorProposalTooLarge,
    GovernorRestrictedProposer,
    GovernorTooManyProposals,
    GovernorUnableToCancel,
    GovernorUnexpectedProposalState,
    Proposal,
    ProposalCanceled,
    ProposalCreated,
    ProposalExecuted,
    ProposalExecutionFailed,
    ProposalQueued,
    ProposalState,
    VoteCast,
)
from flux.contracts.governor.views import GovernorViews
from flux.kernel.context import Context, Host
from flux.kernel.contract import method, scheduled
from flux.kernel.revert_data import encode_error
from flux.primitives.keccak import keccak256
from flux.primitives.typed_data import Domain, digest, find_signer, struct_hash
from flux.primitives.types import NO_WEI, U8, U16, U32, U48, U64, U256, Address, ChainTime, Hash

TALLY = 1
EXECUTION = 2
OPENING = 3
_NEVER = ChainTime(U64(0))
_BALLOT = "Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)"
_EXTENDED_BALLOT = (
    "ExtendedBallot(uint256 proposalId,uint8 support,address voter,uint256 nonce,string reason,bytes params)"
)


class Governor(GovernorViews):
    """The holders of FLUX decide; what they decide happens by itself."""

    name = "Governor"
    address = GOVERNOR
    events = (
        ProposalCreated,
        ProposalQueued,
        ProposalExecuted,
        ProposalExecutionFailed,
        ProposalCanceled,
        VoteCast,
    )
    errors = (
        GovernorNonexistentProposal,
        GovernorUnexpectedProposalState,
        GovernorInsufficientProposerVotes,
        GovernorInsufficientDeposit,
        GovernorTooManyProposals,
        GovernorInvalidProposalLength,
        GovernorProposalTooLarge,
        GovernorForbiddenAction,
        GovernorRestrictedProposer,
        GovernorAlreadyCastVote,
        GovernorInvalidVoteType,
        GovernorInvalidVoteParams,
        GovernorInvalidSignature,
        GovernorUnableToCancel,
        GovernorNotReady,
    )

    def __init__(self, host: Host, params: GovernorParams, votes: VotesPort, calls: CallsPort) -> None:
        super().__init__(host, params, votes)
        self._calls = calls

    @method(gas=400_000)
    def propose(
        self, ctx: Context, targets: list[Address], values: list[U256], calldatas: list[bytes], description: str
    ) -> U256:
        """Propose calls of governed methods; they are rehearsed, so that what could not execute is refused at once.

        Raises GovernorInvalidProposalLength, GovernorProposalTooLarge, GovernorForbiddenAction,
        GovernorRestrictedProposer, GovernorUnexpectedProposalState for one that exists,
        GovernorInsufficientProposerVotes, GovernorTooManyProposals, GovernorInsufficientDeposit, and what the calls
        raise.
        """
        params, state = self.params, self.records
        rules.check_size(targets, values, calldatas, description, params)
        if rules.is_restricted(description, ctx.sender):
            raise GovernorRestrictedProposer(ctx.sender)
        description_hash = keccak256(description.encode())
        id = rules.proposal_id(targets, values, calldatas, description_hash)
        if (known := state.numbers.find(id)) is not None:
            raise self._unexpected(ctx, state.proposals.get(known))
        votes = self._votes.get_past_votes(ctx, ctx.sender, U256(ctx.now - 1))
        if votes < params.proposal_threshold:
            raise GovernorInsufficientProposerVotes(ctx.sender, votes, U256(params.proposal_threshold))
        count = state.open.find(ctx.sender) or U16(0)
        if count >= params.max_open_proposals:
            raise GovernorTooManyProposals(ctx.sender, count, params.max_open_proposals)
        actions = [Action(target, data) for target, data in zip(targets, calldatas, strict=True)]
        for action, value in zip(actions, values, strict=True):
            if value or not self._calls.is_governed(action):
                raise GovernorForbiddenAction(action.target, action.data[:4], value)
        self._calls.rehearse(self._own(ctx), actions)
        if not self._votes.hold(ctx, ctx.sender, params.deposit):
            raise GovernorInsufficientDeposit(ctx.sender, params.deposit)
        number = U64(state.count.get() + 1)
        snapshot = ChainTime(U64(ctx.now + params.voting_delay))
        deadline = ChainTime(U64(snapshot + params.voting_period))
        state.count.set(number)
        state.numbers.set(id, number)
        state.descriptions.set(number, description)
        state.open.set(ctx.sender, U16(count + 1))
        state.proposals.set(
            number,
            Proposal(
                id, number, ctx.sender, tuple(targets), tuple(calldatas), description_hash, snapshot, deadline,
                params.quorum_basis_points, params.min_quorum, params.deposit, rules.NO_VOTES, _NEVER, _NEVER,
                False, False,
            ),
        )  # fmt: skip
        self.host.schedule(ChainTime(U64(snapshot + 1)), OPENING, number)
        self.host.schedule(ChainTime(U64(deadline + 1)), TALLY, number)
        self.host.emit(
            ProposalCreated(
                id, ctx.sender, tuple(targets), tuple(values), ("",) * len(targets), tuple(calldatas),
                U256(snapshot), U256(deadline), description,
            )
        )  # fmt: skip
        return id

    @method(gas=80_000)
    def cast_vote(self, ctx: Context, proposal_id: U256, support: U8) -> U256:
        """Vote with the power at the snapshot; the weight.

        Raises GovernorNonexistentProposal, GovernorUnexpectedProposalState, GovernorAlreadyCastVote,
        GovernorInvalidVoteType.
        """
        return self._cast(ctx, proposal_id, ctx.sender, support, "")

    @method(gas=80_000)
    def cast_vote_with_reason(self, ctx: Context, proposal_id: U256, support: U8, reason: str) -> U256:
        """Vote and say why. Raises what castVote raises, GovernorProposalTooLarge for a reason above 1,024 bytes."""
        return self._cast(ctx, proposal_id, ctx.sender, support, reason)

    @method(gas=100_000)
    def cast_vote_by_sig(self, ctx: Context, proposal_id: U256, support: U8, voter: Address, signature: bytes) -> U256:
        """Vote for whoever signed the ballot (EIP-712). Raises what castVote raises, GovernorInvalidSignature."""
        self._use_signature(ctx, voter, _BALLOT, [proposal_id, support, voter, self.nonces(ctx, voter)], signature)
        return self._cast(ctx, proposal_id, voter, support, "")

    @method(gas=80_000)
    def cast_vote_with_reason_and_params(
        self, ctx: Context, proposal_id: U256, support: U8, reason: str, params: bytes
    ) -> U256:
        """For tools: castVoteWithReason. Raises GovernorInvalidVoteParams for parameters, which mean nothing here."""
        rules.check_vote_params(params)
        return self._cast(ctx, proposal_id, ctx.sender, support, reason)

    @method(gas=100_000)
    def cast_vote_with_reason_and_params_by_sig(
        self,
        ctx: Context,
        proposal_id: U256,
        support: U8,
        voter: Address,
        reason: str,
        params: bytes,
        signature: bytes,
    ) -> U256:
        """For tools: castVoteBySig with a signed reason. Raises GovernorInvalidVoteParams too."""
        rules.check_vote_params(params)
        ballot = [proposal_id, support, voter, self.nonces(ctx, voter), reason, params]
        self._use_signature(ctx, voter, _EXTENDED_BALLOT, ballot, signature)
        return self._cast(ctx, proposal_id, voter, support, reason)

    @method(gas=80_000)
    def queue(
        self, ctx: Context, targets: list[Address], values: list[U256], calldatas: list[bytes], description_hash: Hash
    ) -> U256:
        """Send a proposal that passed into the timelock; the protocol does it by itself at the end of the vote.

        Raises GovernorNonexistentProposal, GovernorUnexpectedProposalState.
        """
        proposal = self._proposal(rules.proposal_id(targets, values, calldatas, description_hash))
        self._require(ctx, proposal, ProposalState.SUCCEEDED)
        self._queue(ctx, proposal)
        return proposal.id

    @method(gas=500_000)
    def execute(
        self, ctx: Context, targets: list[Address], values: list[U256], calldatas: list[bytes], description_hash: Hash
    ) -> U256:
        """Carry out a proposal whose timelock is over.

        Raises GovernorNonexistentProposal, GovernorUnexpectedProposalState, GovernorNotReady, and what its calls raise.
        """
        proposal = self._proposal(rules.proposal_id(targets, values, calldatas, description_hash))
        self._require(ctx, proposal, ProposalState.QUEUED)
        if ctx.now < proposal.eta:
            raise GovernorNotReady(proposal.id, U48(proposal.eta))
        self.records.proposals.set(proposal.number, proposal.but(executed=True))
        self._calls.run(self._own(ctx), _actions(proposal))
        self.host.emit(ProposalExecuted(proposal.id))
        return proposal.id

    @method(gas=80_000)
    def cancel(
        self, ctx: Context, targets: list[Address], values: list[U256], calldatas: list[bytes], description_hash: Hash
    ) -> U256:
        """Take the caller's own proposal back before voting begins.

        Raises GovernorNonexistentProposal, GovernorUnexpectedProposalState, GovernorUnableToCancel.
        """
        proposal = self._proposal(rules.proposal_id(targets, values, calldatas, description_hash))
        if ctx.sender != proposal.proposer:
            raise GovernorUnableToCancel(proposal.id, ctx.sender)
        self._require(ctx, proposal, ProposalState.PENDING)
        self.host.unschedule(ChainTime(U64(proposal.snapshot + 1)), OPENING, proposal.number)
        self.host.unschedule(ChainTime(U64(proposal.deadline + 1)), TALLY, proposal.number)
        self._settle(ctx, proposal.but(canceled=True), is_abuse=False)
        self.host.emit(ProposalCanceled(proposal.id))
        return proposal.id

    def begin(self, ctx: Context, chain_id: U64) -> None:
        """For genesis: which chain this is."""
        self.records.chain_id.set(U256(chain_id))

    @scheduled(OPENING)
    def open_vote(self, ctx: Context, subject: int) -> None:
        """Voting begins. Nothing to do: this entry makes a block due at once, in whose state clients can vote."""

    @scheduled(TALLY)
    def tally(self, ctx: Context, subject: int) -> None:
        """The vote is over: what passed is queued, the deposit is settled."""
        proposal = self.records.proposals.get(U64(subject))
        state = self._state(ctx, proposal)
        if state is ProposalState.SUCCEEDED:
            self._queue(ctx, proposal)
        elif state is ProposalState.DEFEATED:
            self._settle(ctx, proposal, is_abuse=rules.is_abuse(proposal.votes, self._quorum(ctx, proposal)))

    @scheduled(EXECUTION)
    def execute_by_itself(self, ctx: Context, subject: int) -> None:
        """The timelock is over."""
        proposal = self.records.proposals.get(U64(subject))
        if self._state(ctx, proposal) is not ProposalState.QUEUED:
            return
        failure = self._calls.attempt(self._own(ctx), _actions(proposal))
        if failure is not None:
            self.host.emit(ProposalExecutionFailed(proposal.id, encode_error(failure)))
            return
        self.records.proposals.set(proposal.number, proposal.but(executed=True))
        self.host.emit(ProposalExecuted(proposal.id))

    def _use_signature(self, ctx: Context, voter: Address, kind: str, ballot: list[object], signature: bytes) -> None:
        """Raises GovernorInvalidSignature; a signature that was good is used up."""
        domain = Domain(rules.NAME, rules.VERSION, self.records.chain_id.get(), self.address)
        if find_signer(digest(domain, struct_hash(kind, ballot)), signature) != voter:
            raise GovernorInvalidSignature(voter)
        self.records.nonces.set(voter, U256(self.nonces(ctx, voter) + 1))

    def _cast(self, ctx: Context, id: U256, voter: Address, support: U8, reason: str) -> U256:
        proposal = self._proposal(id)
        self._require(ctx, proposal, ProposalState.ACTIVE)
        chosen = rules.check_support(support)
        if (size := len(reason.encode())) > rules.MAX_REASON_BYTES:
            raise GovernorProposalTooLarge("reason", U32(size), U32(rules.MAX_REASON_BYTES))
        if (proposal.number, voter) in self.records.ballots:
            raise GovernorAlreadyCastVote(voter)
        weight = self._votes.get_past_votes(ctx, voter, U256(proposal.snapshot))
        ballot = Ballot(chosen, weight)
        self.records.ballots.set((proposal.number, voter), ballot)
        self.records.proposals.set(proposal.number, proposal.but(votes=rules.count(proposal.votes, ballot)))
        self.host.emit(VoteCast(voter, id, support, weight, reason))
        return weight

    def _queue(self, ctx: Context, proposal: Proposal) -> None:
        eta = ChainTime(U64(ctx.now + self.params.timelock))
        expires = ChainTime(U64(eta + self.params.execution_grace))
        self._settle(ctx, proposal.but(eta=eta, expires=expires), is_abuse=False)
        self.host.schedule(eta, EXECUTION, proposal.number)
        self.host.emit(ProposalQueued(proposal.id, U256(eta)))

    def _settle(self, ctx: Context, proposal: Proposal, *, is_abuse: bool) -> None:
        """Store the proposal with its deposit given back, or to the treasury; it is open no more."""
        amount = proposal.deposit
        self.records.proposals.set(proposal.number, proposal.but(deposit=NO_WEI))
        self.records.open.set(proposal.proposer, U16(self.records.open.get(proposal.proposer) - 1))
        if is_abuse:
            self._votes.forfeit(ctx, proposal.proposer, amount)
        else:
            self._votes.release(ctx, proposal.proposer, amount)

    def _require(self, ctx: Context, proposal: Proposal, expected: ProposalState) -> None:
        if self._state(ctx, proposal) is not expected:
            raise self._unexpected(ctx, proposal, expected)

    def _unexpected(
        self, ctx: Context, proposal: Proposal, *expected: ProposalState
    ) -> GovernorUnexpectedProposalState:
        return GovernorUnexpectedProposalState(proposal.id, U8(self._state(ctx, proposal)), rules.bitmap(*expected))

    def _own(self, ctx: Context) -> Context:
        """A call by the governor itself."""
        return Context(self.address, NO_WEI, ctx.block)


def _actions(proposal: Proposal) -> list[Action]:
    return [Action(target, data) for target, data in zip(proposal.targets, proposal.calldatas, strict=True)]

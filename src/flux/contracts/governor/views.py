"""What the governor tells: proposals and how they stand, voting power, and what governance tools ask a contract for.

Names and answers are those of OpenZeppelin's Governor 5, ERC-165, ERC-5267 and ERC-6372.
"""

from flux.contracts.addresses import VOTES
from flux.contracts.governor import rules
from flux.contracts.governor.ports import VotesPort
from flux.contracts.governor.state import GovernorState
from flux.contracts.governor.types import (
    GovernorNonexistentProposal,
    GovernorParams,
    Proposal,
    ProposalDetails,
    ProposalInfo,
    ProposalState,
    ProposalVotes,
    SigningDomain,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, view
from flux.primitives.types import U16, U48, U64, U256, Address, Bytes4, Hash


class GovernorViews(Contract):
    """The part of the governor that changes nothing."""

    def __init__(self, host: Host, params: GovernorParams, votes: VotesPort) -> None:
        super().__init__(host)
        self.params = params
        self.records = GovernorState(host.storage)
        self._votes = votes

    @view()
    def state(self, ctx: Context, proposal_id: U256) -> ProposalState:
        """Where a proposal stands. Raises GovernorNonexistentProposal."""
        return self._state(ctx, self._proposal(proposal_id))

    @view()
    def hash_proposal(
        self, ctx: Context, targets: list[Address], values: list[U256], calldatas: list[bytes], description_hash: Hash
    ) -> U256:
        """The id that a proposal has or would have."""
        return rules.proposal_id(targets, values, calldatas, description_hash)

    @view()
    def proposal_snapshot(self, ctx: Context, proposal_id: U256) -> U256:
        """Power at this time votes."""
        return U256(self._proposal(proposal_id).snapshot)

    @view()
    def proposal_deadline(self, ctx: Context, proposal_id: U256) -> U256:
        """Last second to vote."""
        return U256(self._proposal(proposal_id).deadline)

    @view()
    def proposal_proposer(self, ctx: Context, proposal_id: U256) -> Address:
        """Who proposed it."""
        return self._proposal(proposal_id).proposer

    @view()
    def proposal_eta(self, ctx: Context, proposal_id: U256) -> U256:
        """When it executes; 0 before it is queued."""
        return U256(self._proposal(proposal_id).eta)

    @view()
    def proposal_needs_queuing(self, ctx: Context, proposal_id: U256) -> bool:
        """Every proposal goes through the timelock."""
        return bool(self._proposal(proposal_id).id)

    @view()
    def proposal_votes(self, ctx: Context, proposal_id: U256) -> ProposalVotes:
        """Against, for, abstaining."""
        return self._proposal(proposal_id).votes

    @view()
    def proposal_details(self, ctx: Context, proposal_id: U256) -> ProposalDetails:
        """What it does."""
        proposal = self._proposal(proposal_id)
        values = (U256(0),) * len(proposal.targets)
        return ProposalDetails(proposal.targets, values, proposal.calldatas, proposal.description_hash)

    @view()
    def proposal_count(self, ctx: Context) -> U256:
        """How many proposals were ever made."""
        return U256(self.records.count.get())

    @view(gas=50_000)
    def proposals(self, ctx: Context, start: U64, limit: U16) -> list[ProposalInfo]:
        """Proposals by number from `start` on, at most 100."""
        first = max(start, 1)
        last = min(self.records.count.get(), first + min(limit, rules.MAX_PAGE) - 1)
        return [self._info(ctx, self.records.proposals.get(U64(number))) for number in range(first, last + 1)]

    @view(gas=6_000)
    def proposal(self, ctx: Context, proposal_id: U256) -> ProposalInfo:
        """One proposal. Raises GovernorNonexistentProposal."""
        return self._info(ctx, self._proposal(proposal_id))

    @view()
    def has_voted(self, ctx: Context, proposal_id: U256, account: Address) -> bool:
        """Whether an account has voted on it."""
        return (self._proposal(proposal_id).number, account) in self.records.ballots

    @view(gas=6_000)
    def get_votes(self, ctx: Context, account: Address, timepoint: U256) -> U256:
        """Voting power at a time that is past."""
        return self._votes.get_past_votes(ctx, account, timepoint)

    @view(gas=6_000)
    def quorum(self, ctx: Context, timepoint: U256) -> U256:
        """Votes that a proposal with this snapshot would need under the present parameters."""
        total = self._votes.get_past_total_supply(ctx, timepoint)
        return rules.quorum_of(total, self.params.quorum_basis_points, self.params.min_quorum)

    @view()
    def voting_delay(self, ctx: Context) -> U256:
        """Seconds from a proposal to its snapshot."""
        return U256(self.params.voting_delay)

    @view()
    def voting_period(self, ctx: Context) -> U256:
        """Seconds of voting."""
        return U256(self.params.voting_period)

    @view()
    def proposal_threshold(self, ctx: Context) -> U256:
        """Votes that a proposer needs."""
        return U256(self.params.proposal_threshold)

    @view()
    def nonces(self, ctx: Context, owner: Address) -> U256:
        """Next nonce of a signed vote."""
        return self.records.nonces.find(owner) or U256(0)

    @view()
    def clock(self, ctx: Context) -> U48:
        """ERC-6372: protocol time in seconds."""
        return U48(ctx.now)

    @view()
    def CLOCK_MODE(self, ctx: Context) -> str:
        """ERC-6372."""
        return "mode=timestamp"

    @view()
    def COUNTING_MODE(self, ctx: Context) -> str:
        """How votes are counted, for tools."""
        return rules.COUNTING_MODE

    @view()
    def name_(self, ctx: Context) -> str:
        """`name()` on the wire."""
        return rules.NAME

    @view()
    def version(self, ctx: Context) -> str:
        """Of the signing domain."""
        return rules.VERSION

    @view()
    def get_votes_with_params(self, ctx: Context, account: Address, timepoint: U256, params: bytes) -> U256:
        """For tools: getVotes. Raises GovernorInvalidVoteParams for parameters, which mean nothing here."""
        rules.check_vote_params(params)
        return self.get_votes(ctx, account, timepoint)

    @view()
    def supports_interface(self, ctx: Context, interface_id: Bytes4) -> bool:
        """ERC-165: whether the contract has all methods of an interface."""
        return interface_id in rules.INTERFACES

    @view()
    def eip712_domain(self, ctx: Context) -> SigningDomain:
        """ERC-5267: what ballots are signed for."""
        chain_id = U256(self.records.chain_id.get())
        return SigningDomain(rules.ONLY_FIELDS, rules.NAME, rules.VERSION, chain_id, self.address, Hash(bytes(32)), ())

    @view()
    def token(self, ctx: Context) -> Address:
        """The contract that counts voting power."""
        return VOTES

    @view()
    def timelock(self, ctx: Context) -> Address:
        """Who makes the calls: the governor itself."""
        return self.address

    def _proposal(self, id: U256) -> Proposal:
        number = self.records.numbers.find(id)
        if number is None:
            raise GovernorNonexistentProposal(id)
        return self.records.proposals.get(number)

    def _quorum(self, ctx: Context, proposal: Proposal) -> U256:
        if ctx.now <= proposal.snapshot:
            return U256(0)
        total = self._votes.get_past_total_supply(ctx, U256(proposal.snapshot))
        return rules.quorum_of(total, proposal.quorum_basis_points, proposal.min_quorum)

    def _state(self, ctx: Context, proposal: Proposal) -> ProposalState:
        return rules.state_of(proposal, ctx.now, self._quorum(ctx, proposal))

    def _info(self, ctx: Context, proposal: Proposal) -> ProposalInfo:
        text = self.records.descriptions.get(proposal.number)
        return ProposalInfo(proposal, self._state(ctx, proposal), self._quorum(ctx, proposal), text)

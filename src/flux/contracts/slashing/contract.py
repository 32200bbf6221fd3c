"""Slashing: faults become cases, cases can be appealed, juries of stakers decide appeals, staking takes."""

from flux.contracts.addresses import SLASHING
from flux.contracts.nodes.types import Node, NodeId, UnknownNode
from flux.contracts.probes.types import Epoch
from flux.contracts.slashing import rules
from flux.contracts.slashing.ports import NodesPort, ProbesPort, StakePort
from flux.contracts.slashing.state import SlashingState
from flux.contracts.slashing.types import (
    AlreadyVoted,
    Case,
    CaseAppealed,
    CaseClosed,
    CaseId,
    CaseOpened,
    CaseState,
    EvidenceForged,
    EvidenceKnown,
    EvidenceTooOld,
    Fault,
    FaultId,
    FaultKind,
    FaultSeen,
    JuryDrawn,
    NotJuror,
    ReasonTooLong,
    SlashingParams,
    StrikeNoted,
    UnknownCase,
    UnknownFault,
    Vote,
    VoteCommitted,
    VoteRevealed,
    WrongCaseState,
    WrongDeposit,
    WrongReveal,
    commitment,
)
from flux.contracts.staking.types import InvalidInfraction, PartsPerMillion
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.kernel.errors import Unauthorized
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import NO_WEI, U8, U16, U32, U64, U256, Address, ChainTime, Hash, Seconds, Wei

CASE_STEP = 1
FAULT_END = 2
MAX_PAGE = 200
_NO_REWARD = PartsPerMillion(U32(0))


class Slashing(Contract):
    """Faults, cases, appeals, juries."""

    name = "Slashing"
    address = SLASHING
    events = (
        StrikeNoted, FaultSeen, CaseOpened, CaseAppealed, JuryDrawn, VoteCommitted, VoteRevealed, CaseClosed,
    )  # fmt: skip
    errors = (
        UnknownFault, UnknownCase, UnknownNode, EvidenceTooOld, EvidenceKnown, EvidenceForged, WrongDeposit,
        WrongCaseState, NotJuror, AlreadyVoted, WrongReveal, ReasonTooLong,
    )  # fmt: skip

    def __init__(
        self, host: Host, params: SlashingParams, nodes: NodesPort, probes: ProbesPort, staking: StakePort
    ) -> None:
        super().__init__(host)
        self.params = params
        self.state = SlashingState(host.storage)
        self._nodes = nodes
        self._probes = probes
        self._staking = staking

    @method(gas=100_000, payable=True)
    def prosecute(self, ctx: Context, fault: FaultId) -> CaseId:
        """Open a case for a fault that the chain saw. Raises WrongDeposit, UnknownFault."""
        self._check_deposit(ctx)
        seen = self.state.faults.find(fault)
        if seen is None:
            raise UnknownFault(fault)
        self.state.faults.delete(fault)
        self.host.unschedule(self._fault_end(seen), FAULT_END, fault)
        return self._open(ctx, seen.kind, seen.node, seen.at)

    @method(gas=2_000_000, payable=True)
    def prove_false_answer(
        self,
        ctx: Context,
        node: NodeId,
        epoch: Epoch,
        seed: Hash,
        length: U32,
        results: bytes,
        position: U32,
        signature: bytes,
    ) -> CaseId:
        """Open a case with a processor answer that the node's agent signed and one step of which does not follow.

        Raises WrongDeposit, UnknownNode, EvidenceTooOld, EvidenceKnown, EvidenceForged.
        """
        self._check_deposit(ctx)
        record = self._record(node)
        current = self._probes.epoch(ctx).epoch
        oldest = Epoch(U64(max(0, current - self.params.evidence_epochs)))
        if not oldest <= epoch <= current:
            raise EvidenceTooOld(epoch, oldest)
        if (known := self.state.answers.find((node, epoch))) is not None:
            raise EvidenceKnown(node, epoch, known)
        forgery = rules.find_forgery(record, epoch, seed, length, results, position, signature)
        if forgery is not None:
            raise EvidenceForged(node, forgery)
        at = max(self._probes.epoch_began(ctx, epoch), record.registered_at)
        case = self._open(ctx, FaultKind.FALSE_BENCHMARK, node, at)
        self.state.answers.set((node, epoch), case)
        return case

    @method(gas=60_000, payable=True)
    def appeal(self, ctx: Context, case: CaseId, reason: str) -> None:
        """Let a jury decide; for the node's operator, with the same deposit as the reporter's.

        Raises UnknownCase, WrongCaseState for a late one, Unauthorized, ReasonTooLong, WrongDeposit.
        """
        record = self._case(case, CaseState.OPEN)
        operator = self._record(record.node).operator
        if ctx.sender != operator:
            raise Unauthorized(ctx.sender, operator)
        if len(reason) > rules.MAX_REASON:
            raise ReasonTooLong(U32(rules.MAX_REASON))
        self._check_amount(ctx, record.deposit)
        drawn_at = ChainTime(U64(self._probes.epoch(ctx).ends_at + 1))
        self.host.unschedule(record.until, CASE_STEP, case)
        self._enter(record, CaseState.APPEALED, drawn_at)
        self.host.emit(CaseAppealed(case, reason))

    @method(gas=50_000)
    def commit(self, ctx: Context, case: CaseId, hidden: Hash) -> None:
        """A juror votes without saying how. Raises UnknownCase, WrongCaseState, NotJuror, AlreadyVoted."""
        record = self._case(case, CaseState.COMMITTING)
        juror = self._juror(ctx, record)
        if (case, juror) in self.state.votes:
            raise AlreadyVoted(case, juror)
        self.state.votes.set((case, juror), Vote(hidden, revealed=False, guilty=False))
        self.host.emit(VoteCommitted(case, juror))

    @method(gas=50_000)
    def reveal(self, ctx: Context, case: CaseId, guilty: bool, salt: Hash) -> None:
        """A juror says how it voted. Raises UnknownCase, WrongCaseState, NotJuror, WrongReveal, AlreadyVoted."""
        record = self._case(case, CaseState.REVEALING)
        juror = self._juror(ctx, record)
        vote = self.state.votes.find((case, juror))
        if vote is None or vote.commitment != commitment(case, ctx.sender, salt, guilty=guilty):
            raise WrongReveal(case, juror)
        if vote.revealed:
            raise AlreadyVoted(case, juror)
        self.state.votes.set((case, juror), vote.but(revealed=True, guilty=guilty))
        self.host.emit(VoteRevealed(case, juror, guilty))

    @view()
    def parameters(self, ctx: Context) -> SlashingParams:
        """Penalties, deposits and windows."""
        return self.params

    @view()
    def case(self, ctx: Context, case: CaseId) -> Case:
        """A case. Raises UnknownCase."""
        found = self.state.cases.find(case)
        if found is None:
            raise UnknownCase(case)
        return found

    @view(gas=50_000)
    def cases(self, ctx: Context, start: CaseId, limit: U16) -> list[Case]:
        """Cases by number from `start` on; at most 200."""
        last = min(self.state.last_case.get(), max(start, 1) + min(limit, MAX_PAGE) - 1)
        return [self.state.cases.get(CaseId(U64(number))) for number in range(max(start, 1), last + 1)]

    @view(gas=50_000)
    def faults(self, ctx: Context, start: FaultId, limit: U16) -> list[Fault]:
        """Faults that wait to be prosecuted, by number from `start` on; at most 200."""
        found: list[Fault] = []
        for _, fault in self.state.faults.items(start=start.to_bytes(8, "big")):
            if len(found) >= min(limit, MAX_PAGE):
                break
            found.append(fault)
        return found

    @view()
    def vote(self, ctx: Context, case: CaseId, juror: NodeId) -> Vote:
        """A juror's vote; a blank one when there is none."""
        return self.state.votes.find((case, juror)) or Vote(Hash(bytes(32)), revealed=False, guilty=False)

    def suspicion_refuted(self, ctx: Context, reporter: NodeId) -> None:
        """For probes: a node that this one reported was reached by its second committee."""
        self._strike(ctx, FaultKind.FALSE_SUSPICION, reporter)

    def leases_abandoned(self, ctx: Context, node: NodeId) -> None:
        """For probes: the node vanished while it held leases."""
        self._strike(ctx, FaultKind.ABANDONED_LEASES, node)

    @scheduled(FAULT_END)
    def end_fault(self, ctx: Context, subject: int) -> None:
        """Nobody prosecuted it in time."""
        self.state.faults.delete(FaultId(U64(subject)))

    @scheduled(CASE_STEP)
    def step(self, ctx: Context, subject: int) -> None:
        """A window of a case is over."""
        record = self.state.cases.get(CaseId(U64(subject)))
        if record.state is CaseState.OPEN:
            self.host.pay(record.reporter, record.deposit)
            self._slash(ctx, record)
        elif record.state is CaseState.APPEALED:
            self._seat(ctx, record)
        elif record.state is CaseState.COMMITTING:
            self._enter(record, CaseState.REVEALING, self._after(ctx, self.params.reveal_window))
        elif record.state is CaseState.REVEALING:
            self._decide(ctx, record)

    def _strike(self, ctx: Context, kind: FaultKind, node: NodeId) -> None:
        """A notice; past the last one a fault, and the count begins again."""
        strikes = rules.struck(self.state.strikes.find((node, U8(kind))), ctx.now, self.params)
        if strikes.count <= self.params.strikes:
            self.state.strikes.set((node, U8(kind)), strikes)
            self.host.emit(StrikeNoted(node, U8(kind), strikes.count))
            return
        self.state.strikes.delete((node, U8(kind)))
        fault = Fault(FaultId(U64(self.state.last_fault.get() + 1)), kind, node, ctx.now)
        self.state.last_fault.set(fault.id)
        self.state.faults.set(fault.id, fault)
        self.host.schedule(self._fault_end(fault), FAULT_END, fault.id)
        self.host.emit(FaultSeen(fault.id, node, U8(kind)))

    def _fault_end(self, fault: Fault) -> ChainTime:
        return ChainTime(U64(fault.at + self.params.evidence_age))

    def _open(self, ctx: Context, kind: FaultKind, node: NodeId, infraction_at: ChainTime) -> CaseId:
        id = CaseId(U64(self.state.last_case.get() + 1))
        until = self._after(ctx, self.params.appeal_window)
        self.state.last_case.set(id)
        case = Case(
            id=id,
            kind=kind,
            node=node,
            reporter=ctx.sender,
            infraction_at=infraction_at,
            opened_at=ctx.now,
            state=CaseState.OPEN,
            until=until,
            deposit=self.params.deposit,
            jury=(),
            burned=NO_WEI,
        )
        self._enter(case, CaseState.OPEN, until)
        self.host.emit(CaseOpened(id, node, U8(kind), ctx.sender, until))
        return id

    def _enter(self, case: Case, state: CaseState, until: ChainTime) -> None:
        self.state.cases.set(case.id, case.but(state=state, until=until))
        self.host.schedule(until, CASE_STEP, case.id)

    def _seat(self, ctx: Context, case: Case) -> None:
        """Draw the jury among operators with stake; without enough of them the appeal is granted."""
        accused = self._record(case.node).operator
        seats = U16(self.params.jury + 1)
        drawn = self._probes.draw(ctx, case.node, b"jury" + case.id.to_bytes(8, "big"), seats)
        operators = {node: self._record(node).operator for node in drawn}
        jury = [node for node in drawn if operators[node] not in (accused, case.reporter)][: self.params.jury]
        if len(jury) < self.params.min_jury:
            self._refund(case)
            self._dismiss(ctx, case)
            return
        until = self._after(ctx, self.params.commit_window)
        self._enter(case.but(jury=tuple(jury)), CaseState.COMMITTING, until)
        self.host.emit(JuryDrawn(case.id, tuple(jury), until))

    def _decide(self, ctx: Context, case: Case) -> None:
        """Count, pay the jurors who spoke with the loser's deposit, slash those who did not."""
        votes = {juror: self.state.votes.find((case.id, juror)) for juror in case.jury}
        spoke = {juror: vote.guilty for juror, vote in votes.items() if vote is not None and vote.revealed}
        guilty = rules.is_guilty(spoke.values(), len(case.jury))
        winner = case.reporter if guilty else self._record(case.node).operator
        self.host.pay(winner, case.deposit)
        self._pay_jury(case, list(spoke), winner)
        if guilty:
            self._slash(ctx, case)
        else:
            self._dismiss(ctx, case)
        for juror in case.jury:
            if juror not in spoke:
                self._take(ctx, juror, self.params.silent_juror, ctx.now, f"silent in the jury of case {case.id}")

    def _pay_jury(self, case: Case, jurors: list[NodeId], winner: Address) -> None:
        """Equal parts; what does not divide, and everything when nobody spoke, is the winner's."""
        share = Wei(U256(case.deposit // len(jurors))) if jurors else NO_WEI
        for juror in jurors:
            self.host.pay(self._record(juror).operator, share)
        self.host.pay(winner, Wei(U256(case.deposit - share * len(jurors))))

    def _slash(self, ctx: Context, case: Case) -> None:
        parts = rules.penalty(self.params, case.kind)
        reason = case.kind.name.lower().replace("_", " ")
        burned = self._take(ctx, case.node, parts, case.infraction_at, reason, case.reporter)
        self._close(ctx, case.but(state=CaseState.SLASHED, burned=burned))

    def _take(
        self,
        ctx: Context,
        node: NodeId,
        parts: PartsPerMillion,
        infraction_at: ChainTime,
        reason: str,
        reporter: Address = ZERO_ADDRESS,
    ) -> Wei:
        reward = _NO_REWARD if reporter == ZERO_ADDRESS else self.params.reward
        try:
            return self._staking.slash(ctx, node, parts, infraction_at, reason, reporter, reward)
        except InvalidInfraction as error:
            # What began to leave before the oldest fault that staking takes is through with unbonding anyway.
            return self._staking.slash(ctx, node, parts, error.earliest, reason, reporter, reward)

    def _refund(self, case: Case) -> None:
        self.host.pay(case.reporter, case.deposit)
        self.host.pay(self._record(case.node).operator, case.deposit)

    def _dismiss(self, ctx: Context, case: Case) -> None:
        self._close(ctx, case.but(state=CaseState.DISMISSED))

    def _close(self, ctx: Context, case: Case) -> None:
        self.state.cases.set(case.id, case.but(until=ctx.now))
        self.host.emit(CaseClosed(case.id, case.node, case.state is CaseState.SLASHED, case.burned))

    def _case(self, case: CaseId, state: CaseState) -> Case:
        found = self.state.cases.find(case)
        if found is None:
            raise UnknownCase(case)
        if found.state is not state:
            raise WrongCaseState(case, U8(found.state))
        return found

    def _juror(self, ctx: Context, case: Case) -> NodeId:
        for node in case.jury:
            if self._record(node).operator == ctx.sender:
                return node
        raise NotJuror(case.id, ctx.sender)

    def _record(self, node: NodeId) -> Node:
        record = self._nodes.find(node)
        if record is None:
            raise UnknownNode(node)
        return record

    def _check_deposit(self, ctx: Context) -> None:
        self._check_amount(ctx, self.params.deposit)

    def _check_amount(self, ctx: Context, required: Wei) -> None:
        if ctx.value != required:
            raise WrongDeposit(required, ctx.value)

    def _after(self, ctx: Context, window: Seconds) -> ChainTime:
        return ChainTime(U64(ctx.now + window))

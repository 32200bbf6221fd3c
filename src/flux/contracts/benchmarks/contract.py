"""Benchmarks: committees measure nodes; what follows for a node's tier, and for the place it says it is in."""

from flux.contracts.addresses import BENCHMARKS
from flux.contracts.benchmarks import rules
from flux.contracts.benchmarks.ports import NodesPort, ProbesPort
from flux.contracts.benchmarks.state import BenchmarksState
from flux.contracts.benchmarks.types import (
    BelowTier,
    Benchmark,
    BenchmarkReported,
    BenchmarksParams,
    LocationAccepted,
    LocationRefuted,
    Measurement,
    MemberReport,
    NodeMeasured,
    NotMeasured,
    Round,
    TierLimited,
)
from flux.contracts.nodes.types import Node, NodeId, NodeStatus, Tier, UnknownNode
from flux.contracts.probes.types import AlreadyReported, Epoch, EpochInfo, NotAgent, NotInCommittee
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.types import U8, U16, U32, U64, ChainTime

ROUND_END = 1
_NO_NOTICE = Epoch(U64(0))


class Benchmarks(Contract):
    """Measured hardware and geography."""

    name = "Benchmarks"
    address = BENCHMARKS
    events = (BenchmarkReported, NodeMeasured, BelowTier, TierLimited, LocationRefuted, LocationAccepted)
    errors = (NotAgent, NotInCommittee, AlreadyReported, NotMeasured, UnknownNode)

    def __init__(self, host: Host, params: BenchmarksParams, nodes: NodesPort, probes: ProbesPort) -> None:
        super().__init__(host)
        self.params = params
        self.state = BenchmarksState(host.storage)
        self._nodes = nodes
        self._probes = probes

    @method(gas=80_000, lane=True)
    def report(self, ctx: Context, node: NodeId, measurement: Measurement) -> None:
        """What a committee member measured, once a node and epoch.

        Raises NotAgent, UnknownNode, NotMeasured, NotInCommittee, AlreadyReported.
        """
        reporter = self._nodes.find(self._nodes.node_of_agent(ctx, ctx.sender))
        if reporter is None or reporter.status is not NodeStatus.ACTIVE:
            raise NotAgent(ctx.sender)
        target = self._record(node)
        epoch = self._probes.epoch(ctx)
        if not self._is_measured(target, epoch):
            raise NotMeasured(node, epoch.epoch)
        members = self._members(ctx, node)
        if reporter.id not in members:
            raise NotInCommittee(reporter.id, node, epoch.epoch)
        open_round = self._open_round(ctx, node, epoch)
        if any(report.reporter == reporter.id for report in open_round.reports):
            raise AlreadyReported(reporter.id, node)
        if len(open_round.reports) >= self.params.committee:
            raise NotMeasured(node, epoch.epoch)

        refutes = reporter.located and rules.is_too_fast(
            reporter.location.country,
            target.location.country,
            measurement.round_trip_us,
            self.params.kilometres_per_second,
        )
        is_own = reporter.operator == target.operator
        before = [report for report in open_round.reports if is_own or not self._is_own(report.reporter, target)]
        reports = (*before, MemberReport(reporter.id, measurement, refutes))
        seats = U16(0 if is_own else len(members))
        self.state.rounds.set(node, open_round.but(reports=reports, seats=seats))
        self.host.emit(BenchmarkReported(node, reporter.id, measurement))

    @view()
    def parameters(self, ctx: Context) -> BenchmarksParams:
        """Thresholds and sizes, for agents."""
        return self.params

    @view()
    def benchmark(self, ctx: Context, node: NodeId) -> Benchmark:
        """What was last measured; all zero for a node that never was. Raises UnknownNode."""
        self._record(node)
        return self.state.benchmarks.find(node) or _unmeasured(node)

    @view()
    def reports(self, ctx: Context, node: NodeId) -> Round:
        """What members have reported in this epoch so far. Raises UnknownNode."""
        self._record(node)
        epoch = self._probes.epoch(ctx).epoch
        found = self.state.rounds.find(node)
        return found if found is not None and found.epoch == epoch else Round(node, epoch, U16(0), ())

    @view(gas=20_000)
    def committee(self, ctx: Context, node: NodeId) -> list[NodeId]:
        """Who measures the node in this epoch; nobody when it is not to be measured. Raises UnknownNode."""
        is_measured = self._is_measured(self._record(node), self._probes.epoch(ctx))
        return self._members(ctx, node) if is_measured else []

    @view(gas=1_000_000)
    def targets(self, ctx: Context, node: NodeId) -> list[NodeId]:
        """Whom the node measures in this epoch. Walks all nodes: for agents, a few times an epoch."""
        epoch = self._probes.epoch(ctx)
        found = []
        for number in range(1, self._nodes.count(ctx) + 1):
            target = self._nodes.find(NodeId(U32(number)))
            if target is None or target.id == node or not self._is_measured(target, epoch):
                continue
            if node in self._members(ctx, target.id):
                found.append(target.id)
        return found

    @scheduled(ROUND_END)
    def end_round(self, ctx: Context, subject: int) -> None:
        """The epoch is over: what was reported of the node is settled."""
        open_round = self.state.rounds.find(NodeId(U32(subject)))
        if open_round is not None and open_round.epoch < self._probes.epoch(ctx).epoch:
            self._settle(ctx, open_round)

    def _open_round(self, ctx: Context, node: NodeId, epoch: EpochInfo) -> Round:
        """The round of this epoch; one of an earlier epoch whose end is still waiting in the queue is settled first."""
        found = self.state.rounds.find(node)
        if found is not None and found.epoch == epoch.epoch:
            return found
        if found is not None:
            self._settle(ctx, found)
        self.host.schedule(epoch.ends_at, ROUND_END, node)
        return Round(node, epoch.epoch, U16(0), ())

    def _settle(self, ctx: Context, done: Round) -> None:
        self.state.rounds.delete(done.node)
        target = self._record(done.node)
        if target.status is NodeStatus.GONE or not done.reports:
            return
        if done.seats and not rules.is_quorum(len(done.reports), done.seats):
            return
        known = self.state.benchmarks.find(done.node) or _unmeasured(done.node)
        middle = rules.median([report.measurement for report in done.reports])
        reached = rules.reached_tier(self.params.tiers, middle)
        fresh = known.but(
            epoch=done.epoch,
            measured_at=ctx.now,
            seats=done.seats,
            reports=U16(len(done.reports)),
            median=middle,
            reached=reached,
        )
        self.host.emit(NodeMeasured(done.node, done.epoch, fresh.reports, U8(reached), middle))
        if done.seats >= self.params.min_committee:
            fresh = self._judge_speed(ctx, target, fresh)
            self._judge_place(ctx, target, done)
        self.state.benchmarks.set(done.node, fresh)

    def _judge_speed(self, ctx: Context, target: Node, fresh: Benchmark) -> Benchmark:
        """Notice at first, the lower tier at the end of it; a node that reaches more again has it at once."""
        reached = fresh.reached
        if reached > target.measured:
            self._limit(ctx, target.id, reached)
        if reached >= target.tier:
            return fresh.but(due=_NO_NOTICE)
        if not fresh.due:
            due = Epoch(U64(fresh.epoch + self.params.recovery_epochs))
            self.host.emit(BelowTier(target.id, U8(target.tier), U8(reached), due))
            return fresh.but(due=due)
        if fresh.epoch < fresh.due:
            return fresh
        self._limit(ctx, target.id, reached)
        return fresh.but(due=_NO_NOTICE)

    def _limit(self, ctx: Context, node: NodeId, reached: Tier) -> None:
        self.host.emit(TierLimited(node, U8(reached)))
        self._nodes.limit_tier(ctx, node, reached)

    def _judge_place(self, ctx: Context, target: Node, done: Round) -> None:
        """The claim falls by more than half of all seats, and stands again when a quorum has nothing against it."""
        votes = sum(report.refutes for report in done.reports)
        country = target.location.country
        if target.located and rules.is_quorum(votes, done.seats):
            self.host.emit(LocationRefuted(target.id, country, U16(votes)))
            self._nodes.set_located(ctx, target.id, located=False)
        elif not target.located and rules.is_quorum(_contented(done), done.seats):
            self.host.emit(LocationAccepted(target.id, country))
            self._nodes.set_located(ctx, target.id, located=True)

    def _is_measured(self, target: Node, epoch: EpochInfo) -> bool:
        """The sampled, those never measured, those under notice, and those kept out for being too slow."""
        if target.measured is Tier.NONE:
            return target.status is not NodeStatus.GONE
        if target.status not in (NodeStatus.ACTIVE, NodeStatus.LEAVING):
            return False
        known = self.state.benchmarks.find(target.id)
        if known is None or known.due:
            return True
        return rules.is_sampled(epoch.seed, target.id, self.params.sampled_basis_points)

    def _is_own(self, reporter: NodeId, target: Node) -> bool:
        return self._record(reporter).operator == target.operator

    def _members(self, ctx: Context, node: NodeId) -> list[NodeId]:
        return self._probes.draw(ctx, node, rules.PURPOSE, self.params.committee)

    def _record(self, node: NodeId) -> Node:
        record = self._nodes.find(node)
        if record is None:
            raise UnknownNode(node)
        return record


def _contented(done: Round) -> int:
    """Members that had an answer and nothing against where it came from."""
    return sum(report.measurement.round_trip_us > 0 and not report.refutes for report in done.reports)


def _unmeasured(node: NodeId) -> Benchmark:
    nothing = Measurement(*[U32(0)] * 6)
    never = ChainTime(U64(0))
    return Benchmark(node, Epoch(U64(0)), never, U16(0), U16(0), nothing, Tier.NONE, _NO_NOTICE)

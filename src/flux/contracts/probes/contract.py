"""Probes: nodes watch nodes. Who watches whom is drawn each epoch; reports cost no fee and are checked in full."""

from flux.contracts.addresses import PROBES
from flux.contracts.nodes.types import NodeId, NodeStatus, UnknownNode
from flux.contracts.probes import rules
from flux.contracts.probes.availabilities import Availabilities
from flux.contracts.probes.brake import BRAKE_TURN, MassFailureBrake
from flux.contracts.probes.committees import Committees, must_answer
from flux.contracts.probes.conduct import Conducts
from flux.contracts.probes.ports import AvailabilityPort, EpochPort, FaultsPort, MarketPort, NodesPort, SeedPort
from flux.contracts.probes.state import ProbesState
from flux.contracts.probes.types import (
    MAX_TARGETS,
    AlreadyReported,
    Availability,
    AvailabilityReported,
    BrakeInfo,
    BrakeReleased,
    BrakeSet,
    Conduct,
    Digest,
    Epoch,
    EpochInfo,
    EpochStarted,
    InvalidCounts,
    NodeRestored,
    NodeSuspected,
    NodeUnreachable,
    NotAgent,
    NotInCommittee,
    NotSuspected,
    ProbesParams,
    ReportCount,
    Reports,
    Suspicion,
    SuspicionReported,
    TargetCount,
    TargetsLeftOut,
    TooManyReports,
    WrongEpoch,
)
from flux.kernel.context import Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.types import U16, U32, U64, ChainTime, Hash

EPOCH_END = 1
SUSPICION_END = 2
UNREACHABLE = "unreachable"
_NEVER = ChainTime(U64(0))


class Probes(Contract):
    """Committees, suspicion in two stages, restoration."""

    name = "Probes"
    address = PROBES
    events = (
        AvailabilityReported,
        TargetsLeftOut,
        SuspicionReported,
        NodeSuspected,
        NodeRestored,
        NodeUnreachable,
        EpochStarted,
        BrakeSet,
        BrakeReleased,
    )
    errors = (
        NotAgent,
        NotInCommittee,
        AlreadyReported,
        NotSuspected,
        TooManyReports,
        UnknownNode,
        WrongEpoch,
        InvalidCounts,
    )

    def __init__(
        self,
        host: Host,
        params: ProbesParams,
        nodes: NodesPort,
        market: MarketPort,
        seeds: SeedPort,
        epochs: EpochPort,
        availability: AvailabilityPort,
        faults: FaultsPort,
    ) -> None:
        super().__init__(host)
        self.params = params
        self.state = ProbesState(host.storage)
        self.conducts = Conducts(self.state, params)
        self._nodes = nodes
        self._market = market
        self._seeds = seeds
        self._epochs = epochs
        self._availability = availability
        self._faults = faults
        self._committees = Committees(self.state, params, nodes)
        self._availabilities = Availabilities(self.state, params, self._committees, self.conducts)
        self._brake = MassFailureBrake(host, self.state, params, nodes)

    @method(gas=60_000, lane=True)
    def suspect(self, ctx: Context, node: NodeId) -> None:
        """A committee member could not reach the node twice in a row.

        Raises NotAgent, UnknownNode, NotSuspected for a node that need not answer, NotInCommittee, AlreadyReported,
        TooManyReports.
        """
        reporter = self._reporter(ctx)
        target = self._committees.record(node)
        if not must_answer(target):
            raise NotSuspected(node)
        committee = self._committees.first(ctx, target)
        if reporter not in committee:
            raise NotInCommittee(reporter, node, self.state.epoch.get().epoch)
        suspicion = self._current(node, ctx)
        if suspicion.suspected_at or reporter in suspicion.votes:
            raise AlreadyReported(reporter, node)
        self._count_report(reporter, node)

        suspicion = suspicion.but(votes=(*suspicion.votes, reporter), first_vote_at=suspicion.first_vote_at or ctx.now)
        self.host.emit(SuspicionReported(node, reporter))
        votes = rules.present(suspicion.votes, committee)
        if rules.is_doubt(votes, len(committee)):
            self._brake.doubt(ctx, node)
        if rules.is_quorum(votes, len(committee)):
            suspicion = self._begin_stage_two(ctx, suspicion)
        self.state.suspicions.set(node, suspicion)

    @method(gas=40_000, lane=True)
    def alive(self, ctx: Context) -> None:
        """The suspect node itself says that it is alive. Raises NotAgent, NotSuspected, AlreadyReported."""
        node = self._nodes.node_of_agent(ctx, ctx.sender)
        if node == 0:
            raise NotAgent(ctx.sender)
        suspicion = self._stage_two(node)
        if suspicion.alive_at:
            raise AlreadyReported(node, node)
        self._settle(ctx, suspicion.but(alive_at=ctx.now))

    @method(gas=50_000, lane=True)
    def reached(self, ctx: Context, node: NodeId) -> None:
        """A member of the second committee reached the suspect node.

        Raises NotAgent, UnknownNode, NotSuspected, NotInCommittee, AlreadyReported.
        """
        reporter = self._reporter(ctx)
        suspicion = self._stage_two(node)
        if reporter not in self.second_committee(ctx, node):
            raise NotInCommittee(reporter, node, self.state.epoch.get().epoch)
        if reporter in suspicion.confirmations:
            raise AlreadyReported(reporter, node)
        self._settle(ctx, suspicion.but(confirmations=(*suspicion.confirmations, reporter)))

    @method(gas=500_000, lane=True)
    def report(self, ctx: Context, epoch: Epoch, digest: Hash, counts: list[TargetCount]) -> None:
        """What a committee member saw of its targets in the epoch before the current one; once.

        Nodes whose committee it is not in are left out: a draw may have changed since the report was written.
        Raises NotAgent, WrongEpoch, InvalidCounts, UnknownNode, AlreadyReported; NotInCommittee where nothing is left.
        """
        reporter, previous = self._reporter(ctx), self.state.previous.get()
        if epoch != previous.epoch or not previous.ends_at:
            raise WrongEpoch(epoch, previous.epoch)
        known = self.state.digests.find(reporter)
        if known is not None and known.epoch == epoch:
            raise AlreadyReported(reporter, reporter)
        rules.check_counts(counts)
        left_out = []
        for count in counts:
            left = self._availabilities.see(ctx, reporter, previous, count)
            if left is None:
                left_out.append(count.node)
            else:
                self._availability.availability_known(ctx, epoch, count.node, left)
        counted = len(counts) - len(left_out)
        if not counted:
            raise NotInCommittee(reporter, left_out[0], epoch)
        self.state.digests.set(reporter, Digest(epoch, digest, is_full=counted == MAX_TARGETS))
        self.host.emit(AvailabilityReported(reporter, epoch, digest))
        if left_out:
            self.host.emit(TargetsLeftOut(reporter, epoch, tuple(left_out)))

    @view()
    def previous_epoch(self, ctx: Context) -> EpochInfo:
        """The epoch that can be reported on now; its seed says whose targets were whose."""
        return self.state.previous.get()

    @view()
    def availability(self, ctx: Context, node: NodeId) -> Availability:
        """What the committee says of a node; empty when nobody ever reported on it."""
        return self._availabilities.of(node)

    @view()
    def conduct(self, ctx: Context, node: NodeId) -> Conduct:
        """How the node lately did what it owes to others; zero where nothing is against it."""
        return self.conducts.of(node)

    @view()
    def epoch(self, ctx: Context) -> EpochInfo:
        """The current epoch."""
        return self.state.epoch.get()

    @view(gas=20_000)
    def committee(self, ctx: Context, node: NodeId) -> list[NodeId]:
        """Who watches the node now, in drawn order. Raises UnknownNode."""
        return self._committees.first(ctx, self._committees.record(node))

    @view(gas=40_000)
    def second_committee(self, ctx: Context, node: NodeId) -> list[NodeId]:
        """Who confirms that a suspect node is alive after all. Raises UnknownNode."""
        return self._committees.second(ctx, self._committees.record(node))

    @view(gas=1_000_000)
    def targets(self, ctx: Context, node: NodeId) -> list[NodeId]:
        """Whom the node watches. Walks all nodes: for agents, once an epoch and after changes."""
        watched = self._committees.watched(ctx, node)
        return [target.id for target in watched if node in self._committees.first(ctx, target)]

    @view(gas=1_000_000)
    def past_targets(self, ctx: Context, node: NodeId) -> list[NodeId]:
        """Whom the node can report on for the epoch before the current one. Walks all nodes, as `targets` does."""
        previous, watched = self.state.previous.get(), self._committees.watched(ctx, node)
        return [target.id for target in watched if self._availabilities.may_report(ctx, node, previous, target)]

    @view()
    def suspicion(self, ctx: Context, node: NodeId) -> Suspicion:
        """What is open against the node; all zero when nothing is."""
        return self._current(node, ctx)

    @view()
    def suspicions(self, ctx: Context) -> list[NodeId]:
        """Nodes in stage two: their second committee should probe them now."""
        return list(self.state.suspects)

    @view(gas=20_000)
    def brake(self, ctx: Context) -> BrakeInfo:
        """Whether so much is lost at once that little is re-placed, and at what rate."""
        return self._brake.info(ctx)

    def calm_since(self) -> ChainTime | None:
        """For the market: when the brake last ceased to hold, 0 when it never held; None while it holds."""
        return self._brake.calm_since()

    def draw(self, ctx: Context, node: NodeId, purpose: bytes, seats: U16) -> list[NodeId]:
        """For other contracts: a committee of their own over the node, in drawn order. Raises UnknownNode."""
        return self._committees.other(ctx, self._committees.record(node), purpose, seats)

    def committee_at(self, ctx: Context, node: NodeId, seed: Hash) -> list[NodeId]:
        """Who watches the node under a seed. Raises UnknownNode."""
        return self._committees.first_under(ctx, self._committees.record(node), seed)

    def epoch_began(self, ctx: Context, epoch: U64) -> ChainTime:
        """For slashing: about when an epoch that is not ahead began; exact while all epochs are equally long."""
        current = self.state.epoch.get()
        return ChainTime(U64(max(0, current.started_at - (current.epoch - epoch) * self.params.epoch)))

    def begin(self, ctx: Context) -> None:
        """Start the first epoch; for genesis."""
        self._start_epoch(ctx, Epoch(U64(0)))

    @scheduled(EPOCH_END)
    def end_epoch(self, ctx: Context, subject: int) -> None:
        """Start the next epoch."""
        self._start_epoch(ctx, Epoch(U64(subject + 1)))
        self._epochs.epoch_ended(ctx, Epoch(U64(subject)))

    @scheduled(SUSPICION_END)
    def end_suspicion(self, ctx: Context, subject: int) -> None:
        """The bound passed and the node was not restored: its leases close and it is suspended."""
        node = NodeId(U32(subject))
        if node not in self.state.suspects:
            return
        self._forget(node)
        if self._market.usage(ctx, node).memory_mib:
            self._faults.leases_abandoned(ctx, node)
        self._market.node_unreachable(ctx, node)
        self._nodes.suspend(ctx, node, UNREACHABLE)
        self.host.emit(NodeUnreachable(node))

    @scheduled(BRAKE_TURN)
    def take_turns(self, ctx: Context, subject: int) -> None:
        """Suspect nodes that waited are re-placed, and have a full bound to return."""
        for node in self._brake.turns(ctx):
            self.state.suspicions.set(node, self._replace(ctx, self.state.suspicions.get(node)))

    def _start_epoch(self, ctx: Context, epoch: Epoch) -> None:
        seed = self._seeds.next_seed(ctx, self.state.epoch.get().seed, epoch)
        ends = ChainTime(U64(ctx.now + self.params.epoch))
        self.state.previous.set(self.state.epoch.get())
        self.state.epoch.set(EpochInfo(epoch, ctx.now, ends, seed))
        self.host.schedule(ends, EPOCH_END, epoch)
        self.host.emit(EpochStarted(epoch, seed))

    def _begin_stage_two(self, ctx: Context, suspicion: Suspicion) -> Suspicion:
        self.state.suspects.add(suspicion.node)
        self._market.suspect_node(ctx, suspicion.node, rules.last_seen(suspicion.first_vote_at))
        self.host.emit(NodeSuspected(suspicion.node, U16(len(suspicion.votes))))
        suspicion = suspicion.but(suspected_at=ctx.now)
        return self._replace(ctx, suspicion) if self._brake.admits(ctx, suspicion.node) else suspicion

    def _replace(self, ctx: Context, suspicion: Suspicion) -> Suspicion:
        """Have the node's leases replaced; it has a bound to return in."""
        closes = ChainTime(U64(ctx.now + self.params.suspicion_bound))
        self.host.schedule(closes, SUSPICION_END, suspicion.node)
        self._market.replace_suspect(ctx, suspicion.node)
        return suspicion.but(closes_at=closes)

    def _settle(self, ctx: Context, suspicion: Suspicion) -> None:
        """Keep what is new of a suspicion, or restore the node when it is refuted."""
        node = suspicion.node
        members = self.second_committee(ctx, node)
        confirmed = rules.present(suspicion.confirmations, members)
        if not suspicion.alive_at or not rules.is_quorum(confirmed, len(members)):
            self.state.suspicions.set(node, suspicion)
            return
        if suspicion.closes_at:
            self.host.unschedule(suspicion.closes_at, SUSPICION_END, node)
        self._forget(node)
        self._brake.returned(node, suspicion.suspected_at)
        self._market.restore_node(ctx, node)
        self.host.emit(NodeRestored(node, U16(confirmed)))
        if not self._brake.holds():  # else whoever voted saw what everybody saw: a fault of the network
            self._contradict(ctx, suspicion)

    def _contradict(self, ctx: Context, suspicion: Suspicion) -> None:
        """Count the refuted suspicion against those who voted for it; an operator's own nodes harm only themselves."""
        epoch = self.state.epoch.get().epoch
        operator = self._committees.record(suspicion.node).operator
        for reporter in suspicion.votes:
            if self._committees.record(reporter).operator != operator:
                self.state.refuted.set(reporter, rules.refuted(self.state.refuted.find(reporter), epoch))
                self._faults.suspicion_refuted(ctx, reporter)

    def _forget(self, node: NodeId) -> None:
        self.state.suspects.discard(node)
        self.state.suspicions.delete(node)

    def _current(self, node: NodeId, ctx: Context) -> Suspicion:
        found = self.state.suspicions.find(node)
        if found is not None and (
            found.suspected_at or rules.is_open(found.first_vote_at, ctx.now, self.params.vote_window)
        ):
            return found
        return Suspicion(node, (), _NEVER, _NEVER, _NEVER, _NEVER, ())

    def _stage_two(self, node: NodeId) -> Suspicion:
        suspicion = self.state.suspicions.find(node)
        if suspicion is None or not suspicion.suspected_at:
            raise NotSuspected(node)
        return suspicion

    def _count_report(self, reporter: NodeId, node: NodeId) -> None:
        epoch = self.state.epoch.get().epoch
        known = self.state.reports.find(reporter)
        counts = {item.node: item.count for item in known.counts} if known is not None and known.epoch == epoch else {}
        count = counts.get(node, 0)
        if count >= self.params.reports_per_epoch:
            raise TooManyReports(reporter, node)
        counts[node] = U16(count + 1)
        entries = tuple(ReportCount(number, count) for number, count in sorted(counts.items()))
        self.state.reports.set(reporter, Reports(epoch, entries))

    def _reporter(self, ctx: Context) -> NodeId:
        node = self._nodes.node_of_agent(ctx, ctx.sender)
        record = self._nodes.find(node)
        if record is None or record.status is not NodeStatus.ACTIVE:
            raise NotAgent(ctx.sender)
        return node

"""Market: who runs what, at which rate, and why.

Placement itself is in placer.py, bookkeeping in book.py, what anybody may ask in views.py.
"""

from flux.contracts.addresses import MARKET
from flux.contracts.apps.types import (
    App,
    AppId,
    AppStatus,
    InvalidSpec,
    Revision,
    UnknownApp,
    UnknownRevision,
)
from flux.contracts.market import rules
from flux.contracts.market.book import (
    DRAIN_DEADLINE,
    EXCLUSION_END,
    ROLLOUT_GATE,
    START_DEADLINE,
    TRY_AGAIN,
    Assignment,
    Book,
)
from flux.contracts.market.exchange import bill_of, terms_of
from flux.contracts.market.fences import FENCE_END
from flux.contracts.market.fleet_cache import FleetCache
from flux.contracts.market.ports import AppsPort, EscrowPort, NodesPort, OraclePort, ProbesPort, SecretsPort
from flux.contracts.market.rollout_types import RolloutChanged, RolloutDoubted
from flux.contracts.market.standby_types import (
    InvalidStandbyReport,
    NotStandby,
    StandbyChosen,
    StandbyDoubted,
    StandbyEnded,
    StandbyReady,
    StandbyRenewed,
    StandbyUsed,
)
from flux.contracts.market.standbys import STANDBY_LOOK
from flux.contracts.market.state import MarketState
from flux.contracts.market.succession import Succession
from flux.contracts.market.types import (
    CloseReason,
    FailReason,
    InstanceFenced,
    InstancePending,
    InvalidReport,
    Lease,
    LeaseAssigned,
    LeaseClosed,
    LeaseId,
    LeaseRestored,
    LeaseResumed,
    LeaseRunning,
    LeaseStalled,
    LeaseState,
    LeaseSuspect,
    MarketParams,
    NotAppOwner,
    NothingSaved,
    NotLeaseHolder,
    NotSettled,
    Ordinal,
    PortBinding,
    UnknownInstance,
    UnknownLease,
    VolumesKept,
    WrongLeaseState,
)
from flux.contracts.market.views import MarketViews
from flux.contracts.nodes.types import Node, NodeId, NodeStatus, UnknownNode
from flux.kernel.context import Context, Host
from flux.kernel.contract import method, scheduled
from flux.primitives.types import U8, U32, U64, ChainTime, Hash

MAX_DETAIL = 200
_STAYING = (LeaseState.RUNNING, LeaseState.STALLED)
"""Leases that keep their place until another takes it."""
_ENDINGS = {
    AppStatus.PAUSED: CloseReason.PAUSED,
    AppStatus.DEPLETED: CloseReason.DEPLETED,
    AppStatus.CLOSED: CloseReason.REMOVED,
}


class Market(MarketViews):
    """Leases: placed in the block, confirmed by nodes, closed with a reason."""

    name = "Market"
    address = MARKET
    events = (
        LeaseAssigned, LeaseRunning, LeaseSuspect, LeaseRestored, LeaseStalled, LeaseResumed, LeaseClosed,
        InstancePending, InstanceFenced, VolumesKept, RolloutChanged, RolloutDoubted, StandbyChosen, StandbyReady,
        StandbyDoubted, StandbyRenewed, StandbyEnded, StandbyUsed,
    )  # fmt: skip
    errors = (
        UnknownLease, NotLeaseHolder, WrongLeaseState, InvalidReport, UnknownInstance, NotAppOwner, NotSettled,
        NothingSaved, UnknownNode, UnknownApp, UnknownRevision, InvalidSpec, NotStandby, InvalidStandbyReport,
    )  # fmt: skip

    def __init__(
        self,
        host: Host,
        params: MarketParams,
        apps: AppsPort,
        nodes: NodesPort,
        escrow: EscrowPort,
        secrets: SecretsPort,
        probes: ProbesPort,
        oracle: OraclePort,
        fleets: FleetCache,
    ) -> None:
        book = Book(host, MarketState(host.storage), params, apps, nodes, escrow, secrets, probes, oracle)
        super().__init__(host, params, book, fleets)
        self._succession = Succession(book)

    @method(gas=60_000, lane=True)
    def confirm(self, ctx: Context, lease: LeaseId, bindings: list[PortBinding]) -> None:
        """The node runs the instance. Raises UnknownLease, NotLeaseHolder, WrongLeaseState, InvalidReport."""
        record = self._held(ctx, lease)
        if record.state is not LeaseState.ASSIGNED:
            raise WrongLeaseState(lease, U8(record.state))
        fault = rules.find_binding_fault(self._book.spec(record.app, record.revision), bindings)
        if fault is not None:
            raise InvalidReport(lease, fault)
        self._succession.take_over(ctx, self._book.run(ctx, record, tuple(bindings)))
        self._book.probes.note_start(record.node, failed=False)
        for node in self._book.take_failed_starts(record.app, record.revision):
            self._book.probes.note_start(node, failed=True)

    @method(gas=60_000, lane=True)
    def fail(self, ctx: Context, lease: LeaseId, reason: FailReason, detail: str) -> None:
        """The node cannot run the instance. Raises UnknownLease, NotLeaseHolder, WrongLeaseState, InvalidReport."""
        record = self._held(ctx, lease)
        if record.state is LeaseState.CLOSED:
            raise WrongLeaseState(lease, U8(record.state))
        if len(detail) > MAX_DETAIL:
            raise InvalidReport(lease, f"the detail has {len(detail)} characters, at most {MAX_DETAIL} are kept")
        started = record.state is not LeaseState.ASSIGNED
        self._book.exclude(ctx, record.app, record.node, record.revision, failed_start=not started)
        why = rules.failure(reason, detail)[:MAX_DETAIL]
        ending = CloseReason.CRASHED if started else CloseReason.START_FAILED
        self._succession.give_up(ctx, record, ending, why, by_node=reason is FailReason.NO_RESOURCES)

    @method(gas=60_000, lane=True)
    def stall(self, ctx: Context, lease: LeaseId) -> None:
        """Nothing of a running lease runs for now, and its node will start it again: nothing accrues meanwhile.

        It keeps its place. Raises UnknownLease, NotLeaseHolder, WrongLeaseState, InvalidReport.
        """
        record = self._held(ctx, lease)
        if record.state is not LeaseState.RUNNING:
            raise WrongLeaseState(lease, U8(record.state))
        last = self.state.stalls.find(lease)
        if last is not None and ctx.now < last + self.params.stall_interval:
            raise InvalidReport(lease, f"it stalled less than {self.params.stall_interval} s ago")
        self._book.stall(ctx, record)

    @method(gas=60_000, lane=True)
    def resume(self, ctx: Context, lease: LeaseId) -> None:
        """A stalled lease runs again. Raises UnknownLease, NotLeaseHolder, WrongLeaseState."""
        record = self._held(ctx, lease)
        if record.state is not LeaseState.STALLED:
            raise WrongLeaseState(lease, U8(record.state))
        self._book.resume(ctx, record)

    @method(gas=50_000, lane=True)
    def stopped(self, ctx: Context, lease: LeaseId) -> None:
        """Nothing of a closed lease runs any more: what must not run twice need not wait longer.

        Raises UnknownLease, NotLeaseHolder, WrongLeaseState, InvalidReport.
        """
        record = self._held(ctx, lease)
        if record.state is not LeaseState.CLOSED:
            raise WrongLeaseState(lease, U8(record.state))
        if not self._book.fences.lift(record):
            raise InvalidReport(lease, "nothing waits for its end")

    @method(gas=60_000, lane=True)
    def hold(self, ctx: Context, app: AppId, images: Hash) -> None:
        """The caller's node stands by for the app and holds its images: it is paid from now on.

        Raises NotStandby, InvalidStandbyReport.
        """
        self._standbys.hold(ctx, app, self._nodes.node_of_agent(ctx, ctx.sender), images)

    @method(gas=60_000, lane=True)
    def let_go(self, ctx: Context, app: AppId) -> None:
        """The caller's node cannot hold the app's images (any longer); another one is chosen. Raises NotStandby."""
        self._standbys.let_go(ctx, app, self._nodes.node_of_agent(ctx, ctx.sender))

    @method(gas=50_000)
    def move(self, ctx: Context, app: AppId, ordinal: Ordinal) -> None:
        """Move an instance to another node; the app avoids its old one a while.

        Raises UnknownApp, NotAppOwner, UnknownInstance.
        """
        record = self._apps.app(ctx, app)
        if ctx.sender != record.owner:
            raise NotAppOwner(app, record.owner, ctx.sender)
        found = [lease for lease in self._book.open_of_app(app) if lease.ordinal == ordinal]
        if not found:
            raise UnknownInstance(app, ordinal)
        newest = found[-1]
        self._book.exclude(ctx, app, newest.node)
        if newest.state in _STAYING:
            self._book.await_node(ctx, app, ordinal, newest.id)
        else:
            self._succession.give_up(ctx, newest, CloseReason.MOVED)

    @method(gas=10_000_000)
    def rebalance(self, ctx: Context, app: AppId, ordinal: Ordinal) -> NodeId:
        """Start an instance on the cheaper node that placement would choose today; the old one ends when it runs.

        One at a time; the price of a call is that of one look at all nodes.
        Raises UnknownApp, NotAppOwner, NotSettled, NothingSaved.
        """
        record = self._apps.app(ctx, app)
        if ctx.sender != record.owner:
            raise NotAppOwner(app, record.owner, ctx.sender)
        if self._book.waiting_of(app) or any(
            lease.state is not LeaseState.RUNNING for lease in self._book.open_of_app(app)
        ):
            raise NotSettled(app)
        if not (looked := self._relocations.find(ctx, record, ordinal)):
            raise NothingSaved(app, ordinal)
        (found,) = looked
        spec = self._book.spec(app, record.revision)
        needs = rules.needs_of(spec)
        ask, price = self._nodes.node(ctx, found.to).ask, self._book.price(ctx)
        terms = terms_of(bill_of(spec.constraints), needs, ask, price)
        self._book.open(ctx, record, needs, [Assignment(ordinal, found.to, terms, found.lease)])
        self._book.expect_starts(ctx, self.state.last_lease.get())
        self.state.touched.add(found.to)
        self._book.look_at_standbys(record)
        return found.to

    def place(self, ctx: Context) -> None:
        """Place what waits; the protocol calls this once at the end of each block."""
        self._placer.place(ctx)

    def revision_changed(self, ctx: Context, app: AppId, before: Revision) -> None:
        """For apps: the owner chose another revision; `app_changed` follows."""
        self._succession.revision_changed(ctx, self._apps.app(ctx, app), before, self.leases_of_app(ctx, app))

    def app_deployed(self, ctx: Context, app: App) -> None:
        """For apps: a new app, of which nothing runs or waits yet."""
        self._book.look_at_standbys(app)
        self._book.await_first(ctx, app.id, range(app.instances))

    def app_changed(self, ctx: Context, app: AppId) -> None:
        """For apps: make instances match the app's record."""
        record = self._apps.app(ctx, app)
        if record.status is not AppStatus.ACTIVE:
            self._standbys.end_all(ctx, app)
            for ordinal, _ in self._book.waiting_of(app):
                self.state.waiting.delete((app, ordinal))
            for lease in self._book.open_of_app(app):
                self._book.close(ctx, lease, _ENDINGS[record.status])
            if record.status is AppStatus.CLOSED:
                self._book.forget_holders(app)
                self._rollouts.forget(app)
            return
        self._book.look_at_standbys(record)
        self._rollouts.wait_anew(ctx, record)
        for ordinal, waiting in self._book.waiting_of(app):
            if ordinal >= record.instances:
                self.state.waiting.delete((app, ordinal))
            else:
                self._book.await_node(ctx, app, ordinal, waiting.replaces)
        for lease in self._book.open_of_app(app):
            if lease.ordinal >= record.instances:
                self._book.close(ctx, lease, CloseReason.SCALED_DOWN)
        self._book.await_missing(ctx, record)
        self._succession.update_next(ctx, app)

    def node_changed(self, ctx: Context, node: NodeId) -> None:
        """For nodes: a record changed."""
        self._book.touch(node)
        self._standbys.node_changed(node)
        status = self._nodes.node(ctx, node).status
        if status in (NodeStatus.SUSPENDED, NodeStatus.GONE):
            self._standbys.lose(ctx, node)
            self._succession.lose_all(ctx, node, CloseReason.UNREACHABLE)

    def node_drains(self, ctx: Context, node: NodeId) -> None:
        """For nodes: the node begins to drain or to leave; a record that says so is stored."""
        record = self._nodes.node(ctx, node)
        self._standbys.lose(ctx, node)
        self.host.schedule(record.drains_until, DRAIN_DEADLINE, node)
        self._replace_all(ctx, node, _drained(record))
        self._book.check_drained(ctx, node)

    def node_stays(self, ctx: Context, node: NodeId) -> None:
        """For nodes: the node drains no longer; replacements that do not run yet are not needed."""
        for lease in self._book.open_of_node(node):
            if lease.state in _STAYING:
                self._succession.keep(ctx, lease)

    def suspect_node(self, ctx: Context, node: NodeId, until: ChainTime) -> None:
        """For probes: the committee lost the node; its leases served only up to `until`.

        Those that never ran are placed elsewhere at once.
        """
        self._book.set_suspect(node, suspect=True)
        self._standbys.doubt(ctx, node, until)
        for lease in self._book.open_of_node(node):
            if lease.state in _STAYING:
                self._book.suspect(ctx, lease, until)
        for lease in self._book.open_of_node(node):
            if lease.state is LeaseState.ASSIGNED and self._book.find_open(lease.id) is not None:
                self._succession.give_up(ctx, lease, CloseReason.UNREACHABLE)

    def replace_suspect(self, ctx: Context, node: NodeId) -> None:
        """For probes: have replacements placed for the leases of a suspect node."""
        self._replace_all(ctx, node, CloseReason.UNREACHABLE)

    def restore_node(self, ctx: Context, node: NodeId) -> None:
        """For probes: the suspicion was refuted; replacements that do not run yet are not needed."""
        self._book.set_suspect(node, suspect=False)
        for lease in self._book.open_of_node(node):
            if lease.state is LeaseState.SUSPECT:
                self._succession.keep(ctx, self._book.restore(ctx, lease))

    def node_unreachable(self, ctx: Context, node: NodeId) -> None:
        """For probes: the bound passed and the node was not restored."""
        self._book.set_suspect(node, suspect=False)
        self._standbys.lose(ctx, node)
        self._succession.lose_all(ctx, node, CloseReason.UNREACHABLE)

    @scheduled(START_DEADLINE)
    def end_start(self, ctx: Context, subject: int) -> None:
        """The start deadline of some leases is over; nodes that stayed silent lose theirs."""
        for lease in self._book.silent_leases(subject):
            if self._book.find_open(lease.id) is None:
                continue
            self._book.exclude(ctx, lease.app, lease.node, lease.revision, failed_start=True)
            self._succession.give_up(ctx, lease, CloseReason.START_TIMEOUT)

    @scheduled(DRAIN_DEADLINE)
    def end_drain(self, ctx: Context, subject: int) -> None:
        """What a draining or leaving node still holds closes, replaced or not."""
        node = NodeId(U32(subject))
        record = self._nodes.find(node)
        if record is not None and record.drains_until and record.drains_until <= ctx.now:
            self._succession.lose_all(ctx, node, _drained(record))

    @scheduled(EXCLUSION_END)
    def end_exclusion(self, ctx: Context, subject: int) -> None:
        """An exclusion of the app is over; an update that a node held up goes on."""
        app = AppId(U64(subject))
        self._book.end_exclusions(ctx, app)
        self._succession.update_next(ctx, app)

    @scheduled(ROLLOUT_GATE)
    def open_gate(self, ctx: Context, subject: int) -> None:
        """An instance was watched for long enough, or an app waited for: its rollout goes on, ends or fails."""
        self._succession.update_next(ctx, AppId(U64(subject)))

    @scheduled(FENCE_END)
    def end_fence(self, ctx: Context, subject: int) -> None:
        """Instances that must not run twice have stopped by now wherever they ran."""
        self._book.fences.end(ctx, AppId(U64(subject)))

    @scheduled(STANDBY_LOOK)
    def look_at_standbys(self, ctx: Context, subject: int) -> None:
        """Whoever stands by for an app may not fit any more, or more nodes may by now."""
        self._standbys.look_again(ctx, AppId(U64(subject)))

    @scheduled(TRY_AGAIN)
    def try_again(self, ctx: Context, subject: int) -> None:
        """The last block left something over. Nothing to do: this entry only makes the next block due at once."""

    def _held(self, ctx: Context, lease: LeaseId) -> Lease:
        """A lease of the caller's node."""
        record = self.lease(ctx, lease)
        if self._nodes.node_of_agent(ctx, ctx.sender) != record.node:
            raise NotLeaseHolder(lease, record.node, ctx.sender)
        return record

    def _replace_all(self, ctx: Context, node: NodeId, reason: CloseReason) -> None:
        for lease in self._book.open_of_node(node):
            if (present := self._book.find_open(lease.id)) is not None:
                self._succession.replace(ctx, present, reason)


def _drained(node: Node) -> CloseReason:
    return CloseReason.NODE_LEAVING if node.status is NodeStatus.LEAVING else CloseReason.DRAINED

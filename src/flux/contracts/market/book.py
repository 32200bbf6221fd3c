"""The market's books: opening and closing leases keeps lease, indices, loads, escrow and deadlines in step.

Everything that changes a lease goes through here; `contract.py` decides, this carries out.
"""

from flux.contracts.apps.types import App, AppId, AppSpec, AppStatus, Revision
from flux.contracts.market.ports import AppsPort, EscrowPort, NodesPort, SecretsPort
from flux.contracts.market.rules import Needs, needs_of
from flux.contracts.market.state import MarketState
from flux.contracts.market.types import (
    CloseReason,
    Exclusion,
    Lease,
    LeaseAssigned,
    LeaseClosed,
    LeaseId,
    LeaseRestored,
    LeaseRunning,
    LeaseState,
    LeaseSuspect,
    MarketParams,
    NodeLoad,
    Ordinal,
    PortBinding,
    RatePerSecond,
    Waiting,
)
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.kernel.context import Context, Host
from flux.primitives.types import U8, U16, U32, U64, ChainTime

START_DEADLINE = 1
DRAIN_DEADLINE = 2
EXCLUSION_END = 3
TRY_AGAIN = 4
"""Kinds of scheduled work."""
NEVER = ChainTime(U64(0))
ANY_REVISION = Revision(U32(0))
NO_LEASE = LeaseId(U64(0))
BY_TENANT = frozenset(
    (CloseReason.REMOVED, CloseReason.MOVED, CloseReason.SCALED_DOWN, CloseReason.UPDATED, CloseReason.PAUSED)
)
"""Ends that the tenant brought about: the lease costs its minimum."""
EMPTY_LOAD = NodeLoad(U32(0), U32(0), U32(0), U8(0), U16(0), suspect=False)


class Book:
    """Leases and what hangs on them."""

    def __init__(
        self,
        host: Host,
        state: MarketState,
        params: MarketParams,
        apps: AppsPort,
        nodes: NodesPort,
        escrow: EscrowPort,
        secrets: SecretsPort,
    ) -> None:
        self.host = host
        self.state = state
        self.params = params
        self.apps = apps
        self.nodes = nodes
        self._escrow = escrow
        self._secrets = secrets

    def spec(self, app: AppId, revision: Revision) -> AppSpec:
        """The spec that a lease runs."""
        return self.apps.app_spec(app, revision)

    def open_of_app(self, app: AppId) -> list[Lease]:
        """Open leases of an app, oldest first; bounded by its instances and their replacements."""
        return [self.state.leases.get(id) for _, id in self.state.by_app.under(app.to_bytes(8, "big"))]

    def open_of_node(self, node: NodeId) -> list[Lease]:
        """Open leases of a node, oldest first; bounded by max_leases_per_node."""
        return [self.state.leases.get(id) for _, id in self.state.by_node.under(node.to_bytes(4, "big"))]

    def find_open(self, lease: LeaseId) -> Lease | None:
        """A lease that is still open."""
        record = self.state.leases.find(lease) if lease else None
        return None if record is None or record.state is LeaseState.CLOSED else record

    def load(self, node: NodeId) -> NodeLoad:
        """What open leases take of a node."""
        return self.state.loads.find(node) or EMPTY_LOAD

    def open(
        self,
        ctx: Context,
        app: App,
        ordinal: Ordinal,
        node: NodeId,
        needs: Needs,
        rate: RatePerSecond,
        replaces: LeaseId,
    ) -> Lease:
        """Assign an instance to a node."""
        state = self.state
        id = LeaseId(U64(state.last_lease.get() + 1))
        lease = Lease(
            id, app.id, app.revision, ordinal, node, LeaseState.ASSIGNED, rate,
            ctx.now, NEVER, NEVER, replaces, CloseReason.NONE, "", (),
        )  # fmt: skip
        state.last_lease.set(id)
        state.leases.set(id, lease)
        state.by_node.add((node, id))
        state.by_app.add((app.id, id))
        self._change_load(node, needs, 1)
        self.host.schedule(ChainTime(U64(ctx.now + self.params.start_deadline)), START_DEADLINE, id)
        self.host.emit(LeaseAssigned(id, app.id, node, ordinal, app.revision, rate, replaces))
        return lease

    def run(self, ctx: Context, lease: Lease, bindings: tuple[PortBinding, ...]) -> Lease:
        """The node confirmed the instance."""
        self._unschedule_deadline(lease)
        running = lease.but(state=LeaseState.RUNNING, running_at=ctx.now, bindings=bindings)
        self.state.leases.set(lease.id, running)
        self._escrow.start(ctx, lease.app, lease.id, lease.node, lease.rate)
        self.host.emit(LeaseRunning(lease.id, lease.app, lease.node))
        return running

    def suspect(self, ctx: Context, lease: Lease, until: ChainTime) -> None:
        """The lease served only until then, as far as anybody saw."""
        self.state.leases.set(lease.id, lease.but(state=LeaseState.SUSPECT))
        self._escrow.stop(ctx, lease.app, lease.id, until, NEVER)
        self.host.emit(LeaseSuspect(lease.id, lease.app, lease.node))

    def restore(self, ctx: Context, lease: Lease) -> Lease:
        """A suspect lease serves after all."""
        running = lease.but(state=LeaseState.RUNNING)
        self.state.leases.set(lease.id, running)
        self._escrow.start(ctx, lease.app, lease.id, lease.node, lease.rate)
        self.host.emit(LeaseRestored(lease.id, lease.app, lease.node))
        return running

    def close(self, ctx: Context, lease: Lease, reason: CloseReason, detail: str = "") -> None:
        """End an open lease."""
        state = self.state
        if lease.state is LeaseState.ASSIGNED:
            self._unschedule_deadline(lease)
        elif lease.state is LeaseState.RUNNING:
            minimum_from = lease.running_at if reason in BY_TENANT else NEVER
            self._escrow.stop(ctx, lease.app, lease.id, ctx.now, minimum_from)
        needs = needs_of(self.spec(lease.app, lease.revision))
        state.leases.set(
            lease.id,
            lease.but(state=LeaseState.CLOSED, closed_at=ctx.now, reason=reason, detail=detail, bindings=()),
        )
        state.by_node.discard((lease.node, lease.id))
        state.by_app.discard((lease.app, lease.id))
        state.closed.add((lease.app, ctx.now, lease.id))
        self._trim_closed(lease.app)
        self._change_load(lease.node, needs, -1)
        state.is_dirty.set(True)
        self._secrets.forget(ctx, lease.id)
        self.host.emit(LeaseClosed(lease.id, lease.app, lease.node, U8(reason), detail))
        self.check_drained(ctx, lease.node)

    def check_drained(self, ctx: Context, node: NodeId) -> None:
        """Tell `nodes` when a leaving node holds nothing any more."""
        record = self.nodes.find(node)
        if record is not None and record.status is NodeStatus.LEAVING and self.load(node).leases == 0:
            self.nodes.drained(ctx, node)

    def await_node(self, ctx: Context, app: AppId, ordinal: Ordinal, replaces: LeaseId = NO_LEASE) -> None:
        """Have an instance placed at the next opportunity; one that waits already only takes over `replaces`."""
        known = self.state.waiting.find((app, ordinal))
        waiting = Waiting(ctx.now, replaces, ()) if known is None else known.but(replaces=replaces)
        self.state.waiting.set((app, ordinal), waiting)
        self.state.is_dirty.set(True)

    def waiting_of(self, app: AppId) -> list[tuple[Ordinal, Waiting]]:
        """Waiting instances of an app."""
        return [(key[1], value) for key, value in self.state.waiting.under(app.to_bytes(8, "big"))]

    def refill(self, ctx: Context, app: AppId, ordinal: Ordinal) -> None:
        """Have an instance placed anew if it should run and neither runs nor waits."""
        record = self.apps.app(ctx, app)
        if record.status is not AppStatus.ACTIVE or ordinal >= record.instances:
            return
        if (app, ordinal) in self.state.waiting:
            return
        if any(lease.ordinal == ordinal for lease in self.open_of_app(app)):
            return
        self.await_node(ctx, app, ordinal)

    def exclude(self, ctx: Context, app: AppId, node: NodeId, revision: Revision = ANY_REVISION) -> None:
        """Keep an app, or only a revision of it, away from a node for a while."""
        if self.is_moved_away(ctx, app, node):
            revision = ANY_REVISION
        until = ChainTime(U64(ctx.now + self.params.exclusion))
        known = self.exclusions(app)
        if (app, node) not in self.state.exclusions and len(known) >= self.params.max_exclusions:
            oldest = min(known, key=lambda item: (item[1].until, item[0]))
            self.state.exclusions.delete((app, oldest[0]))
        self.state.exclusions.set((app, node), Exclusion(until, revision))
        self.host.schedule(until, EXCLUSION_END, app)

    def excluded(self, ctx: Context, app: App) -> tuple[NodeId, ...]:
        """Nodes that the current revision of the app is kept away from now."""
        applies = (ANY_REVISION, app.revision)
        return tuple(
            node for node, item in self.exclusions(app.id) if item.until > ctx.now and item.revision in applies
        )

    def is_moved_away(self, ctx: Context, app: AppId, node: NodeId) -> bool:
        """Whether the owner moved an instance away from the node a while ago."""
        exclusion = self.state.exclusions.find((app, node))
        return exclusion is not None and exclusion.until > ctx.now and exclusion.revision == ANY_REVISION

    def exclusions(self, app: AppId) -> list[tuple[NodeId, Exclusion]]:
        """Nodes that the app is kept away from, expired ones included until their end was worked off."""
        return [(key[1], value) for key, value in self.state.exclusions.under(app.to_bytes(8, "big"))]

    def end_exclusions(self, ctx: Context, app: AppId) -> None:
        """Forget exclusions that are over."""
        for node, exclusion in self.exclusions(app):
            if exclusion.until <= ctx.now:
                self.state.exclusions.delete((app, node))
                self.state.is_dirty.set(True)

    def touch(self, node: NodeId) -> None:
        """A fact of the node changed that placement decides by."""
        self.state.touched.add(node)
        self.state.is_dirty.set(True)

    def set_suspect(self, node: NodeId, *, suspect: bool) -> None:
        """Note whether a node's committee lost it."""
        self.state.loads.set(node, self.load(node).but(suspect=suspect))
        self.touch(node)

    def _change_load(self, node: NodeId, needs: Needs, sign: int) -> None:
        load = self.load(node)
        self.state.loads.set(
            node,
            NodeLoad(
                U32(load.cpu_milli + sign * needs.cpu_milli),
                U32(load.memory_mib + sign * needs.memory_mib),
                U32(load.disk_mib + sign * needs.disk_mib),
                U8(load.gpu_count + sign * needs.gpu_count),
                U16(load.leases + sign),
                load.suspect,
            ),
        )
        self.state.touched.add(node)

    def _unschedule_deadline(self, lease: Lease) -> None:
        due = ChainTime(U64(lease.assigned_at + self.params.start_deadline))
        self.host.unschedule(due, START_DEADLINE, lease.id)

    def _trim_closed(self, app: AppId) -> None:
        entries = list(self.state.closed.under(app.to_bytes(8, "big")))
        for entry in entries[: max(0, len(entries) - self.params.closed_leases_kept)]:
            self.state.closed.discard(entry)
            self.state.leases.delete(entry[2])

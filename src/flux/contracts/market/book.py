"""The market's books: opening and closing leases keeps lease, indices, loads, escrow and deadlines in step.

Everything that changes a lease goes through here; `contract.py` decides, this carries out.
"""

from collections.abc import Sequence
from typing import NamedTuple

from flux.contracts.apps.types import App, AppId, AppSpec, AppStatus, Revision
from flux.contracts.market.exchange import Terms
from flux.contracts.market.fences import Fences
from flux.contracts.market.ports import AppsPort, EscrowPort, NodesPort, OraclePort, ProbesPort, SecretsPort
from flux.contracts.market.rollout_rules import why_revised
from flux.contracts.market.rules import Needs, needs_of
from flux.contracts.market.standby_types import Standby
from flux.contracts.market.state import MarketState
from flux.contracts.market.types import (
    CloseReason,
    Exclusion,
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
    NodeLoad,
    OpenLeases,
    Ordinal,
    PortBinding,
    VolumeHolder,
    Waiting,
)
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.contracts.oracle.types import UsdPrice
from flux.kernel.context import Context, Host
from flux.primitives.types import U8, U16, U32, U64, ChainTime

START_DEADLINE = 1
DRAIN_DEADLINE = 2
EXCLUSION_END = 3
TRY_AGAIN = 4
ROLLOUT_GATE = 5
"""Kinds of scheduled work."""
NEVER = ChainTime(U64(0))
ANY_REVISION = Revision(U32(0))
NO_LEASE = LeaseId(U64(0))
BY_TENANT = frozenset(
    (
        CloseReason.REMOVED,
        CloseReason.MOVED,
        CloseReason.SCALED_DOWN,
        CloseReason.UPDATED,
        CloseReason.PAUSED,
        CloseReason.ROLLED_BACK,
    )
)
"""Ends that the tenant brought about: the lease costs its minimum."""
START_BATCH = 64
"""Leases that share an entry of scheduled work; below 256."""
NO_LEASES = OpenLeases(())
EMPTY_LOAD = NodeLoad(U32(0), U32(0), U32(0), U8(0), (), suspect=False)


class Assignment(NamedTuple):
    """An instance that a node gets."""

    ordinal: Ordinal
    node: NodeId
    terms: Terms
    replaces: LeaseId


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
        probes: ProbesPort,
        oracle: OraclePort,
    ) -> None:
        self.host = host
        self.state = state
        self.params = params
        self.apps = apps
        self.nodes = nodes
        self.probes = probes
        self._escrow = escrow
        self._secrets = secrets
        self._oracle = oracle
        self.fences = Fences(host, state, params, apps)

    def price(self, ctx: Context) -> UsdPrice:
        """What a FLUX costs now in dollars; 0 while nobody ever said."""
        return self._oracle.value(ctx)

    def spec(self, app: AppId, revision: Revision) -> AppSpec:
        """The spec that a lease runs."""
        return self.apps.app_spec(app, revision)

    def open_of_app(self, app: AppId) -> list[Lease]:
        """Open leases of an app, oldest first; bounded by its instances and their replacements."""
        return [self.state.leases.get(id) for id in (self.state.by_app.find(app) or NO_LEASES).leases]

    def open_of_node(self, node: NodeId) -> list[Lease]:
        """Open leases of a node, oldest first; bounded by max_leases_per_node."""
        return [self.state.leases.get(id) for id in self.load(node).leases]

    def find_open(self, lease: LeaseId) -> Lease | None:
        """A lease that is still open."""
        record = self.state.leases.find(lease) if lease else None
        return None if record is None or record.state is LeaseState.CLOSED else record

    def load(self, node: NodeId) -> NodeLoad:
        """What open leases take of a node."""
        return self.state.loads.find(node) or EMPTY_LOAD

    def open(self, ctx: Context, app: App, needs: Needs, assignments: Sequence[Assignment]) -> None:
        """Assign instances of an app to nodes. Whoever opens leases also calls `expect_starts`."""
        state = self.state
        first = state.last_lease.get() + 1
        ids = [LeaseId(U64(first + index)) for index in range(len(assignments))]
        known = state.by_app.find(app.id) or NO_LEASES
        state.by_app.set(app.id, OpenLeases((*known.leases, *ids)))
        state.last_lease.set(ids[-1])
        for id, (ordinal, node, (rate, usd_rate), replaces) in zip(ids, assignments, strict=True):
            lease = Lease(
                id, app.id, app.revision, ordinal, node, LeaseState.ASSIGNED, rate,
                ctx.now, NEVER, NEVER, replaces, CloseReason.NONE, "", (), usd_rate,
            )  # fmt: skip
            state.leases.set(id, lease)
            load = self.load(node)
            self._change_load(node, load, needs, 1, (*load.leases, id))
            self.host.emit(LeaseAssigned(id, app.id, node, ordinal, app.revision, rate, replaces, usd_rate))

    def expect_starts(self, ctx: Context, first: LeaseId) -> None:
        """Have all leases from `first` on, opened in this call, looked at when their start deadline is over."""
        due = ChainTime(U64(ctx.now + self.params.start_deadline))
        end = self.state.last_lease.get() + 1
        for begin in range(first, end, START_BATCH):
            count = min(START_BATCH, end - begin)
            self.host.schedule(due, START_DEADLINE, begin << 8 | count)

    def silent_leases(self, subject: int) -> list[Lease]:
        """Of the leases that an entry of `expect_starts` names, those that were not confirmed yet, oldest first."""
        begin, count = subject >> 8, subject & 0xFF
        named = (self.state.leases.find(LeaseId(U64(id))) for id in range(begin, begin + count))
        return [lease for lease in named if lease is not None and lease.state is LeaseState.ASSIGNED]

    def run(self, ctx: Context, lease: Lease, bindings: tuple[PortBinding, ...]) -> Lease:
        """The node confirmed the instance."""
        running = lease.but(state=LeaseState.RUNNING, running_at=ctx.now, bindings=bindings)
        self.state.leases.set(lease.id, running)
        if self.spec(lease.app, lease.revision).volumes:
            self.state.holders.set((lease.app, lease.ordinal), VolumeHolder(lease.node, NEVER))
        self._escrow.start(ctx, lease.app, lease.id, lease.node, lease.rate, lease.usd_rate)
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
        self._escrow.start(ctx, lease.app, lease.id, lease.node, lease.rate, lease.usd_rate)
        self.host.emit(LeaseRestored(lease.id, lease.app, lease.node))
        return running

    def stall(self, ctx: Context, lease: Lease) -> None:
        """Nothing of a running lease runs for now."""
        self.state.leases.set(lease.id, lease.but(state=LeaseState.STALLED))
        self.state.stalls.set(lease.id, ctx.now)
        self._escrow.stop(ctx, lease.app, lease.id, ctx.now, NEVER)
        self.host.emit(LeaseStalled(lease.id, lease.app, lease.node))

    def resume(self, ctx: Context, lease: Lease) -> None:
        """A stalled lease runs again."""
        self.state.leases.set(lease.id, lease.but(state=LeaseState.RUNNING))
        self._escrow.start(ctx, lease.app, lease.id, lease.node, lease.rate, lease.usd_rate)
        self.host.emit(LeaseResumed(lease.id, lease.app, lease.node))

    def close(self, ctx: Context, lease: Lease, reason: CloseReason, detail: str = "") -> None:
        """End an open lease."""
        state = self.state
        if lease.state is LeaseState.RUNNING:
            minimum_from = lease.running_at if reason in BY_TENANT else NEVER
            self._escrow.stop(ctx, lease.app, lease.id, ctx.now, minimum_from)
        needs = needs_of(self.spec(lease.app, lease.revision))
        state.leases.set(
            lease.id,
            lease.but(state=LeaseState.CLOSED, closed_at=ctx.now, reason=reason, detail=detail, bindings=()),
        )
        self._forget(lease)
        state.stalls.delete(lease.id)
        self._remember_holder(ctx, lease)
        self.fences.add(ctx, lease)
        state.closed.add((lease.app, ctx.now, lease.id))
        self._trim_closed(lease.app)
        load = self.load(lease.node)
        self._change_load(lease.node, load, needs, -1, tuple(id for id in load.leases if id != lease.id))
        state.touched.add(lease.node)
        state.is_dirty.set(True)
        self._secrets.forget(ctx, lease.id)
        self.host.emit(LeaseClosed(lease.id, lease.app, lease.node, U8(reason), detail))
        self.check_drained(ctx, lease.node)

    def pay_standby(self, ctx: Context, app: AppId, standby: Standby) -> None:
        """A node holds an app's images from now on."""
        self._escrow.start(ctx, app, standby.number, standby.node, standby.rate, standby.usd_rate)

    def stop_standby(
        self, ctx: Context, app: AppId, standby: Standby, until: ChainTime, minimum_from: ChainTime
    ) -> None:
        """It held them until then; `minimum_from` as the escrow has it."""
        self._escrow.stop(ctx, app, standby.number, until, minimum_from)

    def look_at_standbys(self, app: App) -> None:
        """Have the nodes that stand by for an app looked at in this block, if it asks for any or has some."""
        if self.spec(app.id, app.revision).standby or app.id in self.state.standbys:
            self.state.standby_looks.add(app.id)

    def volume_holder(self, ctx: Context, app: AppId, ordinal: Ordinal) -> NodeId | None:
        """The node that holds the instance's volumes, as far as it is remembered."""
        holder = self.state.holders.find((app, ordinal))
        return holder.node if holder is not None and (not holder.until or holder.until > ctx.now) else None

    def forget_holders(self, app: AppId) -> None:
        """The app is closed: no instance of it needs its volumes any more."""
        for key, _ in list(self.state.holders.under(app.to_bytes(8, "big"))):
            self.state.holders.delete(key)

    def _remember_holder(self, ctx: Context, lease: Lease) -> None:
        """Of a lease that ends: its node is preferred for a while, unless the instance runs elsewhere by now."""
        key = (lease.app, lease.ordinal)
        holder = self.state.holders.find(key)
        if lease.running_at and holder is not None and holder.node == lease.node:
            until = ChainTime(U64(ctx.now + self.params.volume_memory))
            self.state.holders.set(key, holder.but(until=until))

    def check_drained(self, ctx: Context, node: NodeId) -> None:
        """Tell `nodes` when a leaving node holds nothing any more."""
        record = self.nodes.find(node)
        if record is not None and record.status is NodeStatus.LEAVING and not self.load(node).leases:
            self.nodes.drained(ctx, node)

    def await_node(self, ctx: Context, app: AppId, ordinal: Ordinal, replaces: LeaseId = NO_LEASE) -> None:
        """Have an instance placed at the next opportunity; one that waits already only takes over `replaces`.

        Where at most one may run, what it should replace ends first; a suspect one may return until its bound.
        """
        replaced = self.find_open(replaces)
        record = self.apps.app(ctx, app)
        if replaced is not None and self.spec(app, record.revision).at_most_one:
            if replaced.state is LeaseState.SUSPECT:
                self.state.waiting.delete((app, ordinal))
                return
            self.close(ctx, replaced, self.why_ended(replaced, record.revision))
            replaces = NO_LEASE
        known = self.state.waiting.find((app, ordinal))
        waiting = Waiting(ctx.now, replaces, ()) if known is None else known.but(replaces=replaces)
        self.state.waiting.set((app, ordinal), waiting)
        self.state.is_dirty.set(True)

    def await_missing(self, ctx: Context, app: App) -> None:
        """Have every instance placed that should run and neither runs nor waits."""
        there = {lease.ordinal for lease in self.open_of_app(app.id)}
        there.update(ordinal for ordinal, _ in self.waiting_of(app.id))
        self.await_first(ctx, app.id, [number for number in range(app.instances) if number not in there])

    def await_first(self, ctx: Context, app: AppId, ordinals: Sequence[int]) -> None:
        """Have instances placed that replace nothing and do not wait yet."""
        waiting = Waiting(ctx.now, NO_LEASE, ())
        for ordinal in ordinals:
            self.state.waiting.set((app, Ordinal(U16(ordinal))), waiting)
        if ordinals:
            self.state.is_dirty.set(True)

    def waiting_of(self, app: AppId) -> list[tuple[Ordinal, Waiting]]:
        """Waiting instances of an app."""
        return [(key[1], value) for key, value in self.state.waiting.under(app.to_bytes(8, "big"))]

    def why_ended(self, lease: Lease, by: Revision) -> CloseReason:
        """Why a lease gives way to one of revision `by`."""
        if lease.state is LeaseState.SUSPECT:
            return CloseReason.UNREACHABLE
        node = self.nodes.find(lease.node)
        if node is not None and node.status is NodeStatus.LEAVING:
            return CloseReason.NODE_LEAVING
        if node is not None and node.drains_until:
            return CloseReason.DRAINED
        return CloseReason.MOVED if lease.revision == by else why_revised(lease, by)

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

    def exclude(
        self, ctx: Context, app: AppId, node: NodeId, revision: Revision = ANY_REVISION, *, failed_start: bool = False
    ) -> None:
        """Keep an app, or only a revision of it, away from a node for a while."""
        if self.is_moved_away(ctx, app, node):
            revision = ANY_REVISION
        until = ChainTime(U64(ctx.now + self.params.exclusion))
        known = self.exclusions(app)
        if (app, node) not in self.state.exclusions and len(known) >= self.params.max_exclusions:
            oldest = min(known, key=lambda item: (item[1].until, item[0]))
            self.state.exclusions.delete((app, oldest[0]))
        self.state.exclusions.set((app, node), Exclusion(until, revision, failed_start))
        self.host.schedule(until, EXCLUSION_END, app)

    def excluded(self, ctx: Context, app: App) -> tuple[NodeId, ...]:
        """Nodes that the current revision of the app is kept away from now."""
        applies = (ANY_REVISION, app.revision)
        return tuple(
            node for node, item in self.exclusions(app.id) if item.until > ctx.now and item.revision in applies
        )

    def take_failed_starts(self, app: AppId, revision: Revision) -> list[NodeId]:
        """Nodes that failed to start a revision; each is named once."""
        failed = [
            (node, item) for node, item in self.exclusions(app) if item.failed_start and item.revision == revision
        ]
        for node, item in failed:
            self.state.exclusions.set((app, node), item.but(failed_start=False))
        return [node for node, _ in failed]

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

    def _change_load(self, node: NodeId, load: NodeLoad, needs: Needs, sign: int, leases: tuple[LeaseId, ...]) -> None:
        self.state.loads.set(
            node,
            NodeLoad(
                U32(load.cpu_milli + sign * needs.cpu_milli),
                U32(load.memory_mib + sign * needs.memory_mib),
                U32(load.disk_mib + sign * needs.disk_mib),
                U8(load.gpu_count + sign * needs.gpu_count),
                leases,
                load.suspect,
            ),
        )

    def _forget(self, lease: Lease) -> None:
        """Take a lease out of its app's open ones."""
        left = tuple(id for id in self.state.by_app.get(lease.app).leases if id != lease.id)
        if left:
            self.state.by_app.set(lease.app, OpenLeases(left))
        else:
            self.state.by_app.delete(lease.app)

    def _trim_closed(self, app: AppId) -> None:
        entries = list(self.state.closed.under(app.to_bytes(8, "big")))
        for entry in entries[: max(0, len(entries) - self.params.closed_leases_kept)]:
            self.state.closed.discard(entry)
            self.state.leases.delete(entry[2])

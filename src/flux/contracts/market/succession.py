"""What follows when a lease ends or should end: who takes its place, and how a new revision comes in.

A lease that runs is replaced start-first: its successor `replaces` it and it closes once the successor runs. A lease
has at most one successor, open or waited for, and a successor that does not run yet has none of its own.
"""

from collections.abc import Sequence

from flux.contracts.apps.types import App, AppId, AppSpec, AppStatus
from flux.contracts.market import rules
from flux.contracts.market.book import NO_LEASE, Assignment, Book
from flux.contracts.market.types import CloseReason, Lease, LeaseId, LeaseState, Rejection
from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.kernel.context import Context

_START_FAILURES = (CloseReason.START_FAILED, CloseReason.START_TIMEOUT)


class Succession:
    """Decides about successors; the book carries out."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def give_up(self, ctx: Context, lease: Lease, reason: CloseReason, detail: str = "") -> None:
        """Close a lease whose instance should run elsewhere, and have it placed there."""
        self._book.close(ctx, lease, reason, detail)
        self._await_successor(ctx, lease, reason)
        self.update_next(ctx, lease.app)

    def lose_all(self, ctx: Context, node: NodeId, reason: CloseReason) -> None:
        """Give up all leases of a node."""
        for lease in self._book.open_of_node(node):
            if (present := self._book.find_open(lease.id)) is not None:
                self.give_up(ctx, present, reason)

    def replace(self, ctx: Context, lease: Lease, reason: CloseReason) -> None:
        """Have a successor placed for a lease that should end; one that has not started ends at once."""
        if lease.state is LeaseState.ASSIGNED:
            self.give_up(ctx, lease, reason)
        elif not self._has_successor(lease, self._book.open_of_app(lease.app)):
            self._book.await_node(ctx, lease.app, lease.ordinal, lease.id)

    def take_over(self, ctx: Context, lease: Lease) -> None:
        """A lease runs: the one that it replaces closes."""
        replaced = self._book.find_open(lease.replaces)
        if replaced is not None:
            self._book.close(ctx, replaced, self._why_replaced(replaced, lease))
        self.update_next(ctx, lease.app)

    def keep(self, ctx: Context, lease: Lease) -> None:
        """A lease runs again: its successor is not needed unless something else asks for it."""
        if not self._must_leave(ctx, lease) and lease.revision == self._book.apps.app(ctx, lease.app).revision:
            waiting = self._book.state.waiting.find((lease.app, lease.ordinal))
            if waiting is not None and waiting.replaces == lease.id:
                self._book.state.waiting.delete((lease.app, lease.ordinal))
            for other in self._book.open_of_app(lease.app):
                if other.replaces == lease.id and other.state is LeaseState.ASSIGNED:
                    self._book.close(ctx, other, CloseReason.SURPLUS)
        self.update_next(ctx, lease.app)

    def update_next(self, ctx: Context, app: AppId) -> None:
        """Bring leases of older revisions to the current one: at once where nothing runs yet, else one by one.

        The rest stays as it is while a lease of the current revision is still to start, and after a node failed to
        start it next to the running one, until that node's exclusion is over or a newer revision comes.
        """
        record = self._book.apps.app(ctx, app)
        if record.status is not AppStatus.ACTIVE:
            return
        older = [lease for lease in self._book.open_of_app(app) if lease.revision != record.revision]
        if not older:
            return
        spec = self._book.spec(app, record.revision)
        for lease in older:
            if lease.state is LeaseState.ASSIGNED:
                self._restart(ctx, record, spec, lease)
        leases = self._book.open_of_app(app)
        if any(lease.state is LeaseState.ASSIGNED for lease in leases):
            return
        excluded = self._book.excluded(ctx, record)
        for lease in sorted(leases, key=lambda item: (item.ordinal, item.id)):
            if lease.revision == record.revision or self._is_on_its_way(ctx, lease, leases):
                continue
            if lease.node in excluded or self._bring(ctx, record, spec, lease):
                return

    def _await_successor(self, ctx: Context, lease: Lease, reason: CloseReason) -> None:
        """Of a lease that was just closed. What failed beside a lease that may stay leaves that alone."""
        replaced = self._book.find_open(lease.replaces)
        if replaced is not None:
            if replaced.revision == lease.revision and not self._must_leave(ctx, replaced):
                return
            if replaced.node != lease.node or reason not in _START_FAILURES:
                self._book.await_node(ctx, lease.app, lease.ordinal, replaced.id)
            return
        waiting = self._book.state.waiting.find((lease.app, lease.ordinal))
        if waiting is not None and waiting.replaces == lease.id:
            self._book.await_node(ctx, lease.app, lease.ordinal)
        self._book.refill(ctx, lease.app, lease.ordinal)

    def _has_successor(self, lease: Lease, leases: Sequence[Lease]) -> bool:
        waiting = self._book.state.waiting.find((lease.app, lease.ordinal))
        return (waiting is not None and waiting.replaces == lease.id) or any(
            other.replaces == lease.id for other in leases
        )

    def _must_leave(self, ctx: Context, lease: Lease) -> bool:
        """Whether a lease should leave its node whatever happens: the node fails or goes, or the owner said so."""
        node = self._book.nodes.node(ctx, lease.node)
        if lease.state is LeaseState.SUSPECT or node.status is not NodeStatus.ACTIVE or node.drains_until:
            return True
        return self._book.is_moved_away(ctx, lease.app, lease.node)

    def _is_on_its_way(self, ctx: Context, lease: Lease, leases: Sequence[Lease]) -> bool:
        """Whether the current revision comes to the instance anyway, by a successor on another node."""
        return self._has_successor(lease, leases) and self._must_leave(ctx, lease)

    def _why_replaced(self, replaced: Lease, by: Lease) -> CloseReason:
        if replaced.state is LeaseState.SUSPECT:
            return CloseReason.UNREACHABLE
        node = self._book.nodes.find(replaced.node)
        if node is not None and node.status is NodeStatus.LEAVING:
            return CloseReason.NODE_LEAVING
        if node is not None and node.drains_until:
            return CloseReason.DRAINED
        return CloseReason.UPDATED if replaced.revision != by.revision else CloseReason.MOVED

    def _restart(self, ctx: Context, app: App, spec: AppSpec, lease: Lease) -> None:
        """A lease of an older revision that has not started gives way to one of the current revision."""
        fits = self._fits(ctx, spec, lease, beside=False)
        replaced = self._book.find_open(lease.replaces)
        self._book.close(ctx, lease, CloseReason.UPDATED)
        if fits:
            self._assign_here(ctx, app, spec, lease, NO_LEASE if replaced is None else replaced.id)
        else:
            self._await_successor(ctx, lease, CloseReason.UPDATED)

    def _bring(self, ctx: Context, app: App, spec: AppSpec, lease: Lease) -> bool:
        """Bring a running instance to the current revision. Returns whether others should wait for it.

        It stays on its node where it fits: start-first, or stop-first where it has volumes or there is no room for
        two, but never while another instance is down. Where it does not fit, it runs on until it is placed elsewhere.
        """
        if not spec.volumes and self._fits(ctx, spec, lease, beside=True):
            self._assign_here(ctx, app, spec, lease, lease.id)
            return True
        if not self._fits(ctx, spec, lease, beside=False):
            self._book.await_node(ctx, app.id, lease.ordinal, lease.id)
            return False
        waiting = self._book.waiting_of(app.id)
        if all(self._book.find_open(item.replaces) is not None for _, item in waiting):
            self._book.close(ctx, lease, CloseReason.UPDATED)
            self._assign_here(ctx, app, spec, lease, NO_LEASE)
        return True

    def _fits(self, ctx: Context, spec: AppSpec, lease: Lease, *, beside: bool) -> bool:
        """Whether the node of `lease` may run an instance of `spec`, beside it or in its place."""
        book = self._book
        load = book.load(lease.node)
        slots = book.params.max_leases_per_node - len(load.leases)
        used = rules.Needs(load.cpu_milli, load.memory_mib, load.disk_mib, load.gpu_count)
        if not beside:
            own = rules.needs_of(book.spec(lease.app, lease.revision))
            used = rules.Needs(*(taken - need for taken, need in zip(used, own, strict=True)))
            slots += 1
        facts = rules.Circumstances(load.suspect, used, excluded=False, hosts_already=False, slots_free=slots)
        node = book.nodes.node(ctx, lease.node)
        return rules.is_placeable(rules.needs_of(spec)) and rules.verdict(spec, node, facts) is Rejection.NONE

    def _assign_here(self, ctx: Context, app: App, spec: AppSpec, lease: Lease, replaces: LeaseId) -> None:
        """Give an instance of the current revision to the node that has or had `lease`."""
        book = self._book
        needs = rules.needs_of(spec)
        before = rules.needs_of(book.spec(lease.app, lease.revision))
        rate = rules.rate_in_place(needs, before, book.nodes.node(ctx, lease.node).ask, lease.rate)
        book.state.waiting.delete((app.id, lease.ordinal))
        book.open(ctx, app, needs, [Assignment(lease.ordinal, lease.node, rate, replaces)])
        book.expect_starts(ctx, book.state.last_lease.get())
        book.state.touched.add(lease.node)

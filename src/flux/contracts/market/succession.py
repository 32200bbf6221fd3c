"""What follows when a lease ends or should end: who takes its place, and how another revision comes in.

A lease that runs is replaced start-first: its successor `replaces` it and it closes once the successor runs. A lease
has at most one successor, open or waited for, and a successor that does not run yet has none of its own. What is
remembered of a rollout is in `rollouts.py`.
"""

from collections.abc import Sequence
from enum import Enum, auto

from flux.contracts.apps.types import App, AppId, AppSpec, AppStatus, Revision
from flux.contracts.market import rules
from flux.contracts.market.book import NO_LEASE, Assignment, Book
from flux.contracts.market.exchange import Terms, accepts, ask_in_flux, bill_of, limit_in_flux, terms_in_place
from flux.contracts.market.rollout_rules import (
    MOVING,
    is_closed,
    is_fault,
    is_on_its_way,
    is_untried,
    shares_volumes,
    update_of,
    why_revised,
)
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.rollouts import Rollouts
from flux.contracts.market.types import CloseReason, Lease, LeaseId, LeaseState, Rejection, Waiting
from flux.contracts.nodes.types import Ask, NodeId, NodeStatus
from flux.kernel.context import Context

_START_FAILURES = (CloseReason.START_FAILED, CloseReason.START_TIMEOUT)


class _Brought(Enum):
    """What became of the attempt to bring an instance to the current revision."""

    STARTS = auto()
    """On its node."""
    AWAITS_NODE = auto()
    """It runs on until it is placed elsewhere."""
    HELD = auto()
    """Another instance is down, so this one may not stop."""
    STUCK = auto()
    """It would have to leave its volumes behind."""


class Succession:
    """Decides about successors; the book carries out."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.rollouts = Rollouts(book)

    def give_up(
        self, ctx: Context, lease: Lease, reason: CloseReason, detail: str = "", *, by_node: bool = False
    ) -> None:
        """Close a lease whose instance should run elsewhere, and have it placed there.

        `by_node` says that a failure was the node's: it does not speak against the revision.
        """
        self._book.close(ctx, lease, reason, detail)
        if not by_node:
            self._count_failure(ctx, lease, reason, detail)
        self._await_successor(ctx, lease, reason, by_node=by_node)
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
            self._book.close(ctx, replaced, self._book.why_ended(replaced, lease.revision))
        record = self._book.apps.app(ctx, lease.app)
        if lease.revision == record.revision:
            self.rollouts.step(ctx, record)
        self.update_next(ctx, lease.app)

    def keep(self, ctx: Context, lease: Lease) -> None:
        """A lease runs again: its successor is not needed unless something else asks for it, which may be new."""
        if self._must_leave(ctx, lease):
            self.replace(ctx, lease, CloseReason.DRAINED)
        elif lease.revision == self._book.apps.app(ctx, lease.app).revision:
            waiting = self._book.state.waiting.find((lease.app, lease.ordinal))
            if waiting is not None and waiting.replaces == lease.id:
                self._book.state.waiting.delete((lease.app, lease.ordinal))
            for other in self._book.open_of_app(lease.app):
                if other.replaces == lease.id and other.state is LeaseState.ASSIGNED:
                    self._book.close(ctx, other, CloseReason.SURPLUS)
        self.update_next(ctx, lease.app)

    def revision_changed(self, ctx: Context, record: App, before: Revision, leases: list[Lease]) -> None:
        """The owner chose another revision; `leases` are all that are known of the app."""
        self.rollouts.begin(ctx, record, before, leases)
        self._await_anew(ctx, record)

    def update_next(self, ctx: Context, app: AppId) -> None:
        """Bring leases of other revisions to the current one: at once where nothing runs yet, else step by step.

        As many at a time as the spec allows, the next one when those before it stayed well for as long as it says.
        """
        record = self._book.apps.app(ctx, app)
        if record.status is not AppStatus.ACTIVE:
            return
        others = [lease for lease in self._book.open_of_app(app) if lease.revision != record.revision]
        if not others and is_closed(self.rollouts.find(app), record.revision):
            return
        spec = self._book.spec(app, record.revision)
        for lease in others:
            if lease.state is LeaseState.ASSIGNED:
                self._restart(ctx, record, spec, lease)
        if self.rollouts.find(app).state is not RolloutState.PAUSED:
            self._bring_next(ctx, record, spec)
        self.rollouts.settle(ctx, self._book.apps.app(ctx, app))

    def _bring_next(self, ctx: Context, record: App, spec: AppSpec) -> None:
        """Take the next steps, or see that none was possible for too long."""
        leases = self._book.open_of_app(record.id)
        others = [lease for lease in leases if lease.revision != record.revision]
        busy = self._on_their_way(ctx, record, leases)
        excluded = self._book.excluded(ctx, record)
        left = [lease for lease in others if lease.node not in excluded]
        stuck: Lease | None = None
        asked = others if self.rollouts.find(record.id).failed_on else left
        for lease in sorted(asked, key=lambda item: (item.ordinal, item.id)):
            if busy >= update_of(spec).parallelism:
                return
            if self._waits_for_others(ctx, lease, leases):
                continue
            brought = self._bring(ctx, record, spec, lease, here=lease.node not in excluded)
            if brought is _Brought.STARTS:
                busy += 1
            elif brought is _Brought.AWAITS_NODE:
                busy += self._count_untried(ctx, record, lease)
            elif brought is _Brought.STUCK:
                stuck = stuck or lease
            if brought is _Brought.HELD or (stuck is not None and not self.rollouts.goes_on(record)):
                break
        if busy or self.rollouts.find(record.id).state not in MOVING:
            return
        if stuck is not None:
            self._count_stuck(ctx, record, stuck, self._verdict_here(ctx, spec, stuck, beside=False))
        else:
            self._look_at_standstill(ctx, record, others, left)

    def _look_at_standstill(self, ctx: Context, record: App, others: list[Lease], left: list[Lease]) -> None:
        """Nothing is on its way: the rollout is over, waits for a node, or has waited for one too long."""
        rollout = self.rollouts.find(record.id)
        if self.rollouts.is_held_up(ctx, record):
            return
        if rollout.failed_on:
            self._decide_doubt(ctx, record, others)
        elif others and not left and rollout.failures and rollout.state is RolloutState.ROLLING:
            self.rollouts.give_up(ctx, record)
        elif self.rollouts.has_come_no_further(ctx, record) and (others or not self._runs(record)):
            self._fail_at_standstill(ctx, record, f"no instance came to revision {record.revision} for too long")

    def _decide_doubt(self, ctx: Context, record: App, others: list[Lease]) -> None:
        """Nodes of one operator failed the revision, and no further node can try it now.

        Where it runs elsewhere the fault was theirs, and what cannot come to it stays as it is. It has failed where it
        runs nowhere, or where an instance is down.
        """
        leases = self._book.open_of_app(record.id)
        if any(lease.state is LeaseState.SUSPECT for lease in leases):
            return
        runs = any(lease.revision == record.revision and lease.state is LeaseState.RUNNING for lease in leases)
        if self._down(record.id) or not runs:
            self._fail_at_standstill(ctx, record, "no node of another operator can try it now")
        elif others and self.rollouts.find(record.id).state is RolloutState.ROLLING:
            self.rollouts.give_up(ctx, record)
        elif others:
            self._fail_at_standstill(ctx, record, "it is kept away from nodes that failed it")

    def _fail_at_standstill(self, ctx: Context, record: App, why: str) -> None:
        """No step can be made: go back, or leave everything as it is."""
        if self._fail(ctx, record, why):
            self.update_next(ctx, record.id)
        else:
            self.rollouts.give_up(ctx, record)

    def _on_their_way(self, ctx: Context, record: App, leases: Sequence[Lease]) -> int:
        """Instances that others wait for; those that no block has tried to place yet are looked at again soon."""
        going = self.rollouts.going(ctx, record)
        untried = sum(is_untried(item) for _, item in self._book.waiting_of(record.id))
        if untried and self.rollouts.find(record.id).state in MOVING:
            self.rollouts.look_again(ctx, record)
        return untried + sum(is_on_its_way(lease, going) for lease in leases)

    def _runs(self, record: App) -> bool:
        return any(lease.state is not LeaseState.ASSIGNED for lease in self._book.open_of_app(record.id))

    def _count_untried(self, ctx: Context, record: App, lease: Lease) -> int:
        waiting = self._book.state.waiting.find((record.id, lease.ordinal))
        if waiting is None or not is_untried(waiting):
            return 0
        self.rollouts.look_again(ctx, record)
        return 1

    def _count_failure(self, ctx: Context, lease: Lease, reason: CloseReason, detail: str) -> None:
        """A lease was just closed: where that speaks against its revision, the rollout fails or turns back."""
        record = self._book.apps.app(ctx, lease.app)
        if record.status is not AppStatus.ACTIVE or lease.revision != record.revision:
            return
        if self.rollouts.find(lease.app).state not in MOVING:
            return
        if reason is CloseReason.START_TIMEOUT and self._book.probes.calm_since() is None:
            return
        if is_fault(lease, reason, self.rollouts.update_of(record), ctx.now):
            words = reason.name.lower().replace("_", " ")
            why = f"instance {lease.ordinal} on node {lease.node}: {words}{f', {detail}' if detail else ''}"
            if not self._is_bound(ctx, lease) and self.rollouts.doubt(ctx, record, lease.node, why):
                return
            if self._fail(ctx, record, why):
                self._go_back_here(ctx, lease)

    def _is_bound(self, ctx: Context, lease: Lease) -> bool:
        """Whether the data of an instance is where `lease` is, so that no other node can try what failed there."""
        if not self._book.spec(lease.app, lease.revision).volumes:
            return False
        return self._book.volume_holder(ctx, lease.app, lease.ordinal) == lease.node

    def _fail(self, ctx: Context, record: App, why: str) -> bool:
        """A step failed. True when the app is on its way back."""
        if not self.rollouts.fail(ctx, record, why):
            return False
        self._await_anew(ctx, self._book.apps.app(ctx, record.id))
        return True

    def _go_back_here(self, ctx: Context, lease: Lease) -> None:
        """Start what ran before on the node of a lease that failed, where its volumes are, unless it still runs."""
        record = self._book.apps.app(ctx, lease.app)
        spec = self._book.spec(lease.app, record.revision)
        taken = any(other.ordinal == lease.ordinal for other in self._book.open_of_app(lease.app))
        if not taken and lease.ordinal < record.instances and self._fits(ctx, spec, lease, beside=True):
            self._assign_here(ctx, record, spec, lease, NO_LEASE)

    def _count_stuck(self, ctx: Context, record: App, lease: Lease, why: Rejection) -> None:
        """An instance cannot be brought where it is and must not move: that is a failure of the revision."""
        words = why.name.lower().replace("_", " ")
        where = f"its volumes are on node {lease.node}, which cannot run revision {record.revision}"
        self._fail_at_standstill(ctx, record, f"instance {lease.ordinal} stays: {where} ({words})")

    def _await_anew(self, ctx: Context, record: App) -> None:
        """Another revision is current: who runs it needs no successor, unless it must leave; who waits tries it."""
        for ordinal, waiting in self._book.waiting_of(record.id):
            replaced = self._book.find_open(waiting.replaces)
            if replaced is not None and replaced.revision == record.revision and not self._must_leave(ctx, replaced):
                self._book.state.waiting.delete((record.id, ordinal))
            elif ordinal < record.instances:
                self._book.await_node(ctx, record.id, ordinal, waiting.replaces)

    def _await_successor(self, ctx: Context, lease: Lease, reason: CloseReason, *, by_node: bool = False) -> None:
        """Of a lease that was just closed. A revision that failed in place leaves what runs there alone."""
        replaced = self._book.find_open(lease.replaces)
        if replaced is not None:
            failed_in_place = replaced.node == lease.node and reason in _START_FAILURES and not by_node
            if not failed_in_place and not self._is_right(ctx, replaced):
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

    def _is_right(self, ctx: Context, lease: Lease) -> bool:
        """Whether an instance runs the current revision and may stay: nothing needs to take its place."""
        record = self._book.apps.app(ctx, lease.app)
        return lease.revision == record.revision and not self._must_leave(ctx, lease)

    def _waits_for_others(self, ctx: Context, lease: Lease, leases: Sequence[Lease]) -> bool:
        """Whether the current revision comes to the instance anyway: by a successor on another node, or when its
        committee has decided about its node."""
        if lease.state is LeaseState.SUSPECT or any(other.replaces == lease.id for other in leases):
            return True
        return self._has_successor(lease, leases) and self._must_leave(ctx, lease)

    def _restart(self, ctx: Context, app: App, spec: AppSpec, lease: Lease) -> None:
        """A lease of an older revision that has not started gives way to one of the current revision."""
        fits = self._fits(ctx, spec, lease, beside=False)
        replaced = self._book.find_open(lease.replaces)
        self._book.close(ctx, lease, why_revised(lease, app.revision))
        if replaced is not None and self._is_right(ctx, replaced):
            return
        if fits:
            self._assign_here(ctx, app, spec, lease, NO_LEASE if replaced is None else replaced.id)
        else:
            self._await_successor(ctx, lease, CloseReason.UPDATED)

    def _bring(self, ctx: Context, app: App, spec: AppSpec, lease: Lease, *, here: bool) -> _Brought:
        """Bring a running instance to the current revision; not `here` where its node is kept away from it.

        It stays on its node where it fits: start-first, or stop-first where that is wanted, or it has volumes, or there
        is no room for two, but never while another instance is down. Where it does not fit, it runs on until it is
        placed elsewhere; what has volumes does not go elsewhere for a revision. Where at most one may run it stops in
        any case, so another one that no node takes holds it back.
        """
        if spec.at_most_one and any(not is_untried(item) for item in self._down(app.id)):
            return _Brought.HELD
        order = update_of(spec).order
        starts_first = order == "start-first" or (order == "auto" and not spec.volumes)
        if here and starts_first and self._fits(ctx, spec, lease, beside=True):
            self._assign_here(ctx, app, spec, lease, lease.id)
            return _Brought.STARTS
        if here and order != "start-first" and self._fits(ctx, spec, lease, beside=False):
            if self._down(app.id):
                return _Brought.HELD
            self._book.close(ctx, lease, why_revised(lease, app.revision))
            self._assign_here(ctx, app, spec, lease, NO_LEASE)
            return _Brought.STARTS
        if shares_volumes(self._book.spec(lease.app, lease.revision), spec) and not self._must_leave(ctx, lease):
            return _Brought.STUCK
        self._book.await_node(ctx, app.id, lease.ordinal, lease.id)
        return _Brought.AWAITS_NODE

    def _down(self, app: AppId) -> list[Waiting]:
        """Instances that wait for a node and run nowhere meanwhile."""
        return [item for _, item in self._book.waiting_of(app) if self._book.find_open(item.replaces) is None]

    def _fits(self, ctx: Context, spec: AppSpec, lease: Lease, *, beside: bool) -> bool:
        """Whether the node of `lease` may run an instance of `spec`, beside it or in its place."""
        return self._verdict_here(ctx, spec, lease, beside=beside) is Rejection.NONE

    def _verdict_here(self, ctx: Context, spec: AppSpec, lease: Lease, *, beside: bool) -> Rejection:
        """Why the node of `lease` may not run an instance of `spec`, beside it or in its place."""
        book = self._book
        load = book.load(lease.node)
        slots = book.params.max_leases_per_node - len(load.leases)
        used = rules.Needs(load.cpu_milli, load.memory_mib, load.disk_mib, load.gpu_count)
        before = rules.needs_of(book.spec(lease.app, lease.revision))
        if not beside:
            used = rules.Needs(*(taken - need for taken, need in zip(used, before, strict=True)))
            slots += 1
        facts = rules.Circumstances(load.suspect, used, excluded=False, hosts_already=False, slots_free=slots)
        node = book.nodes.node(ctx, lease.node)
        if not rules.is_placeable(rules.needs_of(spec)):
            return Rejection.CPU
        price = book.price(ctx)
        ask, limit = ask_in_flux(node.ask, price), limit_in_flux(spec.constraints, price)
        accepted = accepts(spec.constraints, self._terms_here(ctx, spec, lease, node.ask), price)
        return rules.verdict_in_place(spec, node, ask, limit, facts, accepted=accepted)

    def _terms_here(self, ctx: Context, spec: AppSpec, lease: Lease, ask: Ask) -> Terms:
        """What an instance of `spec` costs on the node of `lease`, at the level that was agreed there."""
        needs, before = rules.needs_of(spec), rules.needs_of(self._book.spec(lease.app, lease.revision))
        agreed = Terms(lease.rate, lease.usd_rate)
        return terms_in_place(bill_of(spec.constraints), needs, before, ask, self._book.price(ctx), agreed)

    def _assign_here(self, ctx: Context, app: App, spec: AppSpec, lease: Lease, replaces: LeaseId) -> None:
        """Give an instance of the current revision to the node that has or had `lease`.

        Where at most one may run it waits for a node instead: the old one must have stopped before.
        """
        book = self._book
        if spec.at_most_one:
            book.await_node(ctx, app.id, lease.ordinal, replaces)
            return
        needs = rules.needs_of(spec)
        terms = self._terms_here(ctx, spec, lease, book.nodes.node(ctx, lease.node).ask)
        book.state.waiting.delete((app.id, lease.ordinal))
        book.open(ctx, app, needs, [Assignment(lease.ordinal, lease.node, terms, replaces)])
        book.expect_starts(ctx, book.state.last_lease.get())
        book.state.touched.add(lease.node)

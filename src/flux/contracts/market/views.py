"""What the market tells: leases and where they run, why not elsewhere, and what invariants look at."""

from collections.abc import Iterator
from itertools import islice

from flux.contracts.apps.types import App, AppId, AppSpec, AppStatus, Revision, UnknownRevision
from flux.contracts.market import rules
from flux.contracts.market.book import Book
from flux.contracts.market.exchange import terms_of
from flux.contracts.market.fleet import Fleet
from flux.contracts.market.fleet_cache import FleetCache
from flux.contracts.market.placer import Placer
from flux.contracts.market.relocation import Relocations
from flux.contracts.market.requests import Presence, wish_of
from flux.contracts.market.rollout_rules import is_closed
from flux.contracts.market.rollout_types import Rollout
from flux.contracts.market.rollouts import Rollouts
from flux.contracts.market.routing import route_of
from flux.contracts.market.standby_types import Standby, StandbyDuty
from flux.contracts.market.standbys import Standbys
from flux.contracts.market.types import (
    Lease,
    LeaseId,
    MarketParams,
    Ordinal,
    PendingInstance,
    RatePerSecond,
    Rejection,
    Relocation,
    Route,
    UnknownLease,
    Usage,
    Verdict,
)
from flux.contracts.market.verdicts import rejections
from flux.contracts.nodes.types import Ask, Node, NodeId, NodeStatus, UnknownNode
from flux.kernel.context import SYSTEM_ADDRESS, Context, Host
from flux.kernel.contract import Contract, view
from flux.primitives.types import NO_WEI, U16, U32, U64, Wei

MAX_PAGE = 1_000


class MarketViews(Contract):
    """The part of the market that changes nothing."""

    def __init__(self, host: Host, params: MarketParams, book: Book, fleets: FleetCache) -> None:
        super().__init__(host)
        self.params = params
        self.state = book.state
        self._apps = book.apps
        self._nodes = book.nodes
        self._book = book
        self._standbys = Standbys(book)
        self._placer = Placer(book, fleets, self._standbys)
        self._relocations = Relocations(book, self._placer)
        self._rollouts = Rollouts(book)

    @view(gas=500_000)
    def relocations(self, ctx: Context, app: AppId) -> list[Relocation]:
        """Instances that would be cheaper elsewhere, each as if those before it had moved. Raises UnknownApp."""
        return self._relocations.find(ctx, self._apps.app(ctx, app))

    @view()
    def lease(self, ctx: Context, lease: LeaseId) -> Lease:
        """A lease. Raises UnknownLease, also for one closed so long ago that it is not kept."""
        record = self.state.leases.find(lease)
        if record is None:
            raise UnknownLease(lease)
        return record

    @view(gas=20_000)
    def leases_of_app(self, ctx: Context, app: AppId) -> list[Lease]:
        """Open leases, oldest first, then the closed ones that are kept, newest first."""
        closed = self.state.closed.under(app.to_bytes(8, "big"), reverse=True)
        return [*self._book.open_of_app(app), *(self.state.leases.get(id) for _, _, id in closed)]

    @view(gas=20_000)
    def leases_of_node(self, ctx: Context, node: NodeId) -> list[Lease]:
        """Open leases of a node, oldest first."""
        return self._book.open_of_node(node)

    @view()
    def pending(self, ctx: Context, app: AppId) -> list[PendingInstance]:
        """Instances of the app that wait for a node."""
        waiting = self._book.waiting_of(app)
        return [PendingInstance(app, ordinal, item.since, item.replaces) for ordinal, item in waiting]

    @view()
    def rollout(self, ctx: Context, app: AppId) -> Rollout:
        """How the last change of the app's revision went, or goes."""
        return self._rollouts.find(app)

    @view(gas=200_000)
    def plan(self, ctx: Context, spec: bytes, start: NodeId, limit: U16) -> list[Verdict]:
        """What each node from `start` on would say to an instance of a spec. Raises InvalidSpec."""
        return self._verdicts(ctx, self._apps.check(spec), Presence(), start, limit)

    @view(gas=200_000)
    def explain(self, ctx: Context, app: AppId, start: NodeId, limit: U16) -> list[Verdict]:
        """What each node from `start` on would say to one more instance of a deployed app.

        Raises UnknownApp, and UnknownRevision for one that was removed.
        """
        record = self._apps.app(ctx, app)
        spec = self._book.spec(app, record.revision)
        return self._verdicts(ctx, spec, self._placer.presence(ctx, record), start, limit)

    @view()
    def volume_holder(self, ctx: Context, app: AppId, ordinal: Ordinal) -> NodeId:
        """The node that holds the volumes of an instance and is preferred for it; 0 for none."""
        return self._book.volume_holder(ctx, app, ordinal) or NodeId(U32(0))

    @view()
    def standbys(self, ctx: Context, app: AppId) -> list[Standby]:
        """The nodes that stand by for an app, the preferred one first."""
        return list(self._standbys.of_app(app))

    @view(gas=20_000)
    def standby_duties(self, ctx: Context, node: NodeId) -> list[StandbyDuty]:
        """Whose images a node is to hold ready, by app."""
        return self._standbys.duties(node)

    @view()
    def usage(self, ctx: Context, node: NodeId) -> Usage:
        """What open leases take of a node."""
        load = self._book.load(node)
        return Usage(load.cpu_milli, load.memory_mib, load.disk_mib, load.gpu_count)

    @view(gas=200_000)
    def routes(self, ctx: Context, start: AppId, limit: U16) -> list[Route]:
        """What an ingress serves, from the app `start` on; apps without an HTTP port are left out.

        Fewer than `limit` (at most 1,000) means that there are no more.
        """
        most = min(limit, MAX_PAGE)
        found = (route for app in self._all_apps(ctx, start) if (route := self._route(ctx, app)) is not None)
        return list(islice(found, most))

    def spec_of(self, lease: Lease) -> AppSpec:
        """The spec that a lease runs; for invariants."""
        return self._book.spec(lease.app, lease.revision)

    def has_spec(self, app: AppId, revision: Revision) -> bool:
        """Whether the spec of a revision is kept; for invariants."""
        try:
            self._book.spec(app, revision)
        except UnknownRevision:
            return False
        return True

    def node_of(self, node: NodeId) -> Node:
        """A node's record; for invariants."""
        record = self._nodes.find(node)
        if record is None:
            raise UnknownNode(node)
        return record

    def standby_wanted(self, app: App) -> int:
        """How many nodes an app asks to stand by; for invariants."""
        return self._book.spec(app.id, app.revision).standby

    def open_leases(self, app: AppId) -> list[Lease]:
        """Open leases of an app; for invariants."""
        return self._book.open_of_app(app)

    def is_hosting(self, node: NodeId) -> bool:
        """Whether the node takes new instances, as far as it and its stake go; for invariants."""
        record = self._nodes.find(node)
        return record is not None and record.status is NodeStatus.ACTIVE and not record.drains_until

    def fleets(self) -> tuple[Fleet, Fleet]:
        """The fleet that placement decides by, and the same from nothing but records; for invariants."""
        ctx = Context(SYSTEM_ADDRESS, NO_WEI, self.host.block)
        return self._placer.fleet(ctx), self._placer.rebuilt(ctx)

    def every_app(self) -> Iterator[App]:
        """All apps; for invariants."""
        return self._all_apps(Context(SYSTEM_ADDRESS, NO_WEI, self.host.block), AppId(U64(1)))

    def rate_of(self, ctx: Context, spec: AppSpec, ask: Ask) -> RatePerSecond:
        """Price of one instance at an ask, wei per second."""
        return rules.rate_of(rules.price_of(rules.needs_of(spec), ask))

    @view()
    def standby_rate(self, ctx: Context, rate: Wei) -> Wei:
        """Wei per second of a node that stands by, where an instance costs `rate`."""
        return self._standbys.rate_of(rate)

    def revisions_in_use(self, ctx: Context, app: AppId) -> list[Revision]:
        """Revisions that an open lease runs or a rollout may go back to, ascending."""
        used = dict.fromkeys(self.revisions_leased(ctx, app))
        rollout = self._rollouts.find(app)
        if rollout.source and not is_closed(rollout, self._apps.app(ctx, app).revision):
            used[rollout.source] = None
        return sorted(used)

    def revisions_leased(self, ctx: Context, app: AppId) -> list[Revision]:
        """Revisions that an open lease runs, ascending."""
        return sorted({lease.revision: None for lease in self._book.open_of_app(app)})

    def _all_apps(self, ctx: Context, start: AppId) -> Iterator[App]:
        while page := self._apps.apps(ctx, start, U16(MAX_PAGE)):
            yield from page
            start = AppId(U64(page[-1].id + 1))

    def _route(self, ctx: Context, app: App) -> Route | None:
        if app.status is AppStatus.CLOSED:
            return None
        leases = self._book.open_of_app(app.id)
        specs = {lease.revision: self.spec_of(lease) for lease in leases}
        return route_of(ctx, app, self._book.spec(app.id, app.revision), specs, leases, self._nodes)

    def _verdicts(self, ctx: Context, spec: AppSpec, presence: Presence, start: NodeId, limit: U16) -> list[Verdict]:
        """Of nodes that are not gone; fewer than `limit` (at most 1,000) means that there are no more."""
        price = self._book.price(ctx)
        wish = wish_of(spec, price)
        reasons = rejections(self._placer.fleet(ctx), wish, presence).tolist()
        verdicts: list[Verdict] = []
        for number in range(max(start, 1), len(reasons) + 1):
            if len(verdicts) >= min(limit, MAX_PAGE):
                break
            node = self._nodes.node(ctx, NodeId(U32(number)))
            if node.status is not NodeStatus.GONE:
                terms = terms_of(wish.bill, wish.needs, node.ask, price)
                verdicts.append(Verdict(node.id, Rejection(reasons[number - 1]), *terms))
        return verdicts

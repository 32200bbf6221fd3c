"""Nodes that stand by: chosen at block end as an instance would be, paid while they say that they hold the images.

They hold no lease and no capacity, and so nothing of the app's secrets. A *look* at an app ends those that may not stay
and chooses what is missing; it follows each change of the app or of one of these nodes, and each `standby_interval`.
"""

from itertools import islice

from flux.contracts.apps.types import App, AppId, AppSpec, AppStatus
from flux.contracts.market import rules
from flux.contracts.market.book import NEVER, TRY_AGAIN, Book
from flux.contracts.market.exchange import Terms, ask_in_flux, bill_of, limit_in_flux, terms_of
from flux.contracts.market.fleet import SLOTS, Fleet
from flux.contracts.market.placement import place
from flux.contracts.market.requests import Choice, Demand, Presence, wish_of
from flux.contracts.market.standby_types import (
    AppStandbys,
    InvalidStandbyReport,
    NotStandby,
    Standby,
    StandbyChosen,
    StandbyDoubted,
    StandbyDuty,
    StandbyEnd,
    StandbyEnded,
    StandbyReady,
    StandbyRenewed,
    images_of,
)
from flux.contracts.market.types import LeaseId, RatePerSecond, Rejection, UsdRate
from flux.contracts.nodes.types import NodeId
from flux.kernel.context import Context
from flux.primitives.types import U8, U64, U256, ChainTime, Hash, Wei

STANDBY_LOOK = 7
"""Kind of scheduled work, beside those of book.py and fences.py."""
BASIS_POINTS = 10_000
NOBODY = AppStandbys((), NEVER)


class Standbys:
    """By app that asks for them."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._state = book.state
        self._host = book.host
        self._params = book.params

    def of_app(self, app: AppId) -> tuple[Standby, ...]:
        """Nodes that stand by for an app, the preferred one first."""
        return (self._state.standbys.find(app) or NOBODY).nodes

    def ready_for(self, ctx: Context, app: App, spec: AppSpec) -> tuple[NodeId, ...]:
        """Nodes that said that they hold the images of the app's current revision, and did not become dearer."""
        if not spec.standby:
            return ()
        images = images_of(spec)
        ready = [item for item in self.of_app(app.id) if item.ready_at and item.images == images]
        return tuple(item.node for item in ready if not self._is_dearer(ctx, spec, item))

    def duties(self, node: NodeId) -> list[StandbyDuty]:
        """What a node is to hold ready; bounded by max_standbys_per_node."""
        found = ((app, self._find(app, node)) for app in self._apps_of(node))
        return [
            StandbyDuty(app, item.revision, item.images, ready=bool(item.ready_at))
            for app, item in found
            if item is not None
        ]

    def rate_of(self, rate: Wei) -> Wei:
        """What a node that stands by is paid where an instance costs `rate`."""
        return Wei(U256(rate * self._params.standby_basis_points // BASIS_POINTS))

    def hold(self, ctx: Context, app: AppId, node: NodeId, images: Hash) -> None:
        """The node says that it holds the images. Raises NotStandby, InvalidStandbyReport."""
        standby = self._required(app, node)
        if standby.images != images:
            raise InvalidStandbyReport(app, "these are not the images that it is to hold")
        if standby.ready_at:
            raise InvalidStandbyReport(app, "it said so before")
        if self._book.load(node).suspect:
            raise InvalidStandbyReport(app, "the node's committee does not reach it")
        ready = standby.but(ready_at=ctx.now)
        self._put(app, ready)
        self._book.pay_standby(ctx, app, ready)
        self._host.emit(StandbyReady(ready.number, app, node))

    def let_go(self, ctx: Context, app: AppId, node: NodeId) -> None:
        """The node says that it cannot hold the images: it could not run them either. Raises NotStandby."""
        self._fail(ctx, app, self._required(app, node), StandbyEnd.LET_GO)
        self._state.standby_looks.add(app)

    def end_all(self, ctx: Context, app: AppId) -> None:
        """The app does not run any more."""
        for standby in self.of_app(app):
            self._end(ctx, app, standby, StandbyEnd.NOT_WANTED)
        self._state.standbys.delete(app)
        self._state.standby_looks.discard(app)

    def doubt(self, ctx: Context, node: NodeId, until: ChainTime) -> None:
        """The node's committee lost it: it is not paid beyond `until`, and has to say again that it holds anything."""
        for app in self._apps_of(node):
            standby = self._required(app, node)
            if standby.ready_at:
                self._book.stop_standby(ctx, app, standby, until, NEVER)
                self._put(app, standby.but(ready_at=NEVER, since=ctx.now))
                self._host.emit(StandbyDoubted(standby.number, app, node))

    def lose(self, ctx: Context, node: NodeId) -> None:
        """The node hosts nothing new any more: others are chosen."""
        for app in self._apps_of(node):
            self._end(ctx, app, self._required(app, node), StandbyEnd.NODE_LOST)
            self._state.standby_looks.add(app)

    def node_changed(self, node: NodeId) -> None:
        """A fact of the node changed: whoever it stands by for is looked at."""
        for app in self._apps_of(node):
            self._state.standby_looks.add(app)

    def look_again(self, ctx: Context, app: AppId) -> None:
        """The time of a look has come."""
        known = self._state.standbys.find(app)
        if known is not None and known.look_at <= ctx.now:
            self._state.standby_looks.add(app)

    def look(self, ctx: Context, fleet: Fleet) -> None:
        """Look at the apps that are due, about as many as a block may try. `fleet` is changed."""
        due = list(islice(self._state.standby_looks, self._params.max_placements_per_block))
        wanted: list[tuple[App, AppSpec]] = []
        demands: list[Demand] = []
        for id in due:
            self._state.standby_looks.discard(id)
            app = self._book.apps.app(ctx, id)
            if app.status is not AppStatus.ACTIVE:
                continue
            spec = self._book.spec(id, app.revision)
            missing = spec.standby - self._keep(ctx, app, spec)
            if missing > 0:
                wanted.append((app, spec))
                demands.append(self._demand(ctx, fleet, app, spec, missing))
            self._expect_look(ctx, app, spec)
        if demands:
            self._leave_out_full(fleet)
            for (app, spec), chosen in zip(wanted, place(fleet, ctx.block.seed, demands), strict=True):
                for choice in chosen:
                    self._add(ctx, app, spec, choice)
        if next(iter(self._state.standby_looks), None) is not None:
            self._host.schedule(ctx.now, TRY_AGAIN, 0)

    def _keep(self, ctx: Context, app: App, spec: AppSpec) -> int:
        """End those that may not stay and bring the others to the current revision; how many stay."""
        kept = 0
        hosts = dict.fromkeys(lease.node for lease in self._book.open_of_app(app.id))
        for standby in self.of_app(app.id):
            reason = StandbyEnd.USED if standby.node in hosts else self._fault(ctx, app, spec, standby)
            if reason is StandbyEnd.NONE and kept >= spec.standby:
                reason = StandbyEnd.NOT_WANTED
            if reason is StandbyEnd.SILENT:
                self._fail(ctx, app.id, standby, reason)
            elif reason is not StandbyEnd.NONE:
                self._end(ctx, app.id, standby, reason)
            else:
                kept += 1
                if standby.revision != app.revision:
                    self._renew(ctx, app, spec, standby)
        return kept

    def _fault(self, ctx: Context, app: App, spec: AppSpec, standby: Standby) -> StandbyEnd:
        """Why a node that hosts no instance may not stand by; a suspicion decides itself later."""
        is_awaited = not standby.ready_at and images_of(spec) == standby.images
        if is_awaited and standby.since + self._params.start_deadline <= ctx.now:
            return StandbyEnd.SILENT
        book = self._book
        node, load, price = book.nodes.node(ctx, standby.node), book.load(standby.node), book.price(ctx)
        used = rules.Needs(load.cpu_milli, load.memory_mib, load.disk_mib, load.gpu_count)
        slots = self._params.max_leases_per_node - len(load.leases)
        excluded = standby.node in book.excluded(ctx, app)
        facts = rules.Circumstances(False, used, excluded=excluded, hosts_already=False, slots_free=slots)
        ask, limit = ask_in_flux(node.ask, price), limit_in_flux(spec.constraints, price)
        is_fit = rules.is_placeable(rules.needs_of(spec))
        is_fit = is_fit and rules.verdict(spec, node, ask, limit, facts) is Rejection.NONE
        is_fit = is_fit and not self._is_dearer(ctx, spec, standby)
        return StandbyEnd.NONE if is_fit else StandbyEnd.UNFIT

    def _is_dearer(self, ctx: Context, spec: AppSpec, standby: Standby) -> bool:
        """Whether the node asks more for an instance than when it was chosen, at the present price of FLUX."""
        ask, price, needs = self._book.nodes.node(ctx, standby.node).ask, self._book.price(ctx), rules.needs_of(spec)
        if ask == standby.ask:
            return False
        return rules.price_of(needs, ask_in_flux(ask, price)) > rules.price_of(needs, ask_in_flux(standby.ask, price))

    def _renew(self, ctx: Context, app: App, spec: AppSpec, standby: Standby) -> None:
        """The same node for another revision: at its present prices, and ready if the images are the same."""
        images, (rate, usd_rate) = images_of(spec), self._terms(ctx, spec, standby.node)
        new = standby.but(revision=app.revision, images=images, rate=rate, usd_rate=usd_rate)
        is_same = images == standby.images
        if not is_same:
            new = new.but(ready_at=NEVER, since=ctx.now)
        if standby.ready_at:
            self._book.stop_standby(ctx, app.id, standby, ctx.now, NEVER if is_same else standby.ready_at)
        if new.ready_at:
            self._book.pay_standby(ctx, app.id, new)
        self._put(app.id, new)
        ready = bool(new.ready_at)
        self._host.emit(StandbyRenewed(new.number, app.id, new.node, app.revision, rate, usd_rate, ready))

    def _demand(self, ctx: Context, fleet: Fleet, app: App, spec: AppSpec, missing: int) -> Demand:
        """As if so many more instances were to be placed beside what runs and stands by."""
        hosts = [lease.node for lease in self._book.open_of_app(app.id)]
        hosts += [standby.node for standby in self.of_app(app.id)]
        presence = Presence(tuple(dict.fromkeys(hosts)), self._book.excluded(ctx, app))
        return Demand(wish_of(spec, fleet.price), presence, (None,) * missing)

    def _add(self, ctx: Context, app: App, spec: AppSpec, choice: Choice | None) -> None:
        """A node was chosen, unless it has become full in this block."""
        if choice is None or self._count(choice.node) >= self._params.max_standbys_per_node:
            return
        number = LeaseId(U64(self._state.last_lease.get() + 1))
        self._state.last_lease.set(number)
        rate, usd_rate = self._terms(ctx, spec, choice.node)
        images = images_of(spec)
        ask = self._book.nodes.node(ctx, choice.node).ask
        standby = Standby(number, choice.node, app.revision, images, ctx.now, NEVER, rate, usd_rate, ask)
        known = self._state.standbys.get(app.id)
        self._state.standbys.set(app.id, known.but(nodes=(*known.nodes, standby)))
        self._state.standby_duties.add((choice.node, app.id))
        if self._count(choice.node) >= self._params.max_standbys_per_node:
            self._state.standby_full.add(choice.node)
        self._host.emit(StandbyChosen(number, app.id, choice.node, app.revision, rate, usd_rate))

    def _terms(self, ctx: Context, spec: AppSpec, node: NodeId) -> Terms:
        """A part of what an instance would cost there, in the same currency."""
        ask, price = self._book.nodes.node(ctx, node).ask, self._book.price(ctx)
        rate, usd_rate = terms_of(bill_of(spec.constraints), rules.needs_of(spec), ask, price)
        return Terms(RatePerSecond(self.rate_of(rate)), UsdRate(U256(self.rate_of(Wei(usd_rate)))))

    def _expect_look(self, ctx: Context, app: App, spec: AppSpec) -> None:
        """Have the app looked at again in a while, as long as it asks for any."""
        known = self._state.standbys.find(app.id) or NOBODY
        if not spec.standby:
            self._state.standbys.delete(app.id)
        elif known.look_at <= ctx.now:
            look_at = ChainTime(U64(ctx.now + self._params.standby_interval))
            self._state.standbys.set(app.id, known.but(look_at=look_at))
            self._host.schedule(look_at, STANDBY_LOOK, app.id)

    def _leave_out_full(self, fleet: Fleet) -> None:
        """Nodes that stand by for as many apps as they may are not chosen."""
        for node in list(self._state.standby_full):
            if self._count(node) < self._params.max_standbys_per_node:
                self._state.standby_full.discard(node)
            else:
                fleet.columns[SLOTS, node - 1] = 0

    def _fail(self, ctx: Context, app: AppId, standby: Standby, reason: StandbyEnd) -> None:
        """A node that cannot hold the images of a revision is not asked to run it either, for a while."""
        self._end(ctx, app, standby, reason)
        self._book.exclude(ctx, app, standby.node, standby.revision)

    def _end(self, ctx: Context, app: AppId, standby: Standby, reason: StandbyEnd) -> None:
        """The node stands by no longer. Its place on the list is free."""
        if standby.ready_at:
            minimum_from = standby.ready_at if reason is StandbyEnd.NOT_WANTED else NEVER
            self._book.stop_standby(ctx, app, standby, ctx.now, minimum_from)
        known = self._state.standbys.get(app)
        left = tuple(item for item in known.nodes if item.node != standby.node)
        self._state.standbys.set(app, known.but(nodes=left))
        self._state.standby_duties.discard((standby.node, app))
        self._state.standby_full.discard(standby.node)
        self._host.emit(StandbyEnded(standby.number, app, standby.node, U8(reason)))

    def _put(self, app: AppId, standby: Standby) -> None:
        known = self._state.standbys.get(app)
        nodes = tuple(standby if item.node == standby.node else item for item in known.nodes)
        self._state.standbys.set(app, known.but(nodes=nodes))

    def _find(self, app: AppId, node: NodeId) -> Standby | None:
        return next((item for item in self.of_app(app) if item.node == node), None)

    def _required(self, app: AppId, node: NodeId) -> Standby:
        found = self._find(app, node)
        if found is None:
            raise NotStandby(app, node)
        return found

    def _apps_of(self, node: NodeId) -> list[AppId]:
        return [app for _, app in self._state.standby_duties.under(node.to_bytes(4, "big"))]

    def _count(self, node: NodeId) -> int:
        return len(self._apps_of(node))

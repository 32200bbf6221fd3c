"""Placement at block end: brings the fleet up to date, places what waits within the bound, remembers the outcome."""

from collections.abc import Iterable, Iterator

from flux.contracts.apps.types import App, AppId, AppStatus
from flux.contracts.market.book import TRY_AGAIN, Assignment, Book
from flux.contracts.market.exchange import terms_of
from flux.contracts.market.fleet import Fleet, NodeFacts
from flux.contracts.market.fleet_cache import FleetCache
from flux.contracts.market.placement import place
from flux.contracts.market.requests import Choice, Demand, Presence, Wish, wish_of
from flux.contracts.market.rules import Needs
from flux.contracts.market.standby_types import StandbyUsed
from flux.contracts.market.standbys import Standbys
from flux.contracts.market.types import InstancePending, LeaseId, NodeLoad, Ordinal, VolumesKept, Waiting
from flux.contracts.market.verdicts import count_rejections
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.oracle.types import UsdPrice
from flux.kernel.context import Context
from flux.kernel.record import record_codec
from flux.primitives.keccak import keccak256
from flux.primitives.types import U32, U64, Hash

_NODE = record_codec(Node)
_LOAD = record_codec(NodeLoad)
Instances = list[tuple[Ordinal, Waiting]]
Batch = dict[AppId, Instances]


class Placer:
    """Places waiting instances of one market."""

    def __init__(self, book: Book, fleets: FleetCache, standbys: Standbys) -> None:
        self._book = book
        self._fleets = fleets
        self._standbys = standbys

    def place(self, ctx: Context) -> None:
        """Place what can be placed; then choose who stands by, by what that left.

        Does nothing when neither nodes nor wishes nor the price of FLUX changed.
        """
        self._place(ctx)
        if next(iter(self._book.state.standby_looks), None) is not None:
            self._standbys.look(ctx, self.fleet(ctx).copy())

    def _place(self, ctx: Context) -> None:
        state = self._book.state
        price = self._book.price(ctx)
        if price != state.priced_at.get():
            state.priced_at.set(price)
            state.is_dirty.set(True)
        tries = state.is_dirty.get() or state.cursor.get() > 0
        if not tries and next(iter(state.touched), None) is None:
            return
        version = self._touched_version(price)
        fleet = self._current(ctx, copy=True)
        for node in list(state.touched):
            state.touched.discard(node)
        if tries:
            version = self._try(ctx, fleet, version)
        state.fleet_version.set(version)
        self._fleets.keep(version, fleet)

    def fleet(self, ctx: Context) -> Fleet:
        """The fleet of this state, to be read only."""
        return self._current(ctx, copy=False)

    def presence(self, ctx: Context, app: App) -> Presence:
        """Where an app is and must not go."""
        hosts = dict.fromkeys(lease.node for lease in self._book.open_of_app(app.id))
        return Presence(tuple(hosts), self._book.excluded(ctx, app))

    def rebuilt(self, ctx: Context) -> Fleet:
        """The fleet of this state from nothing but records; for invariants."""
        everybody = range(1, self._book.nodes.count(ctx) + 1)
        return Fleet.of((self._facts(NodeId(U32(id))) for id in everybody), self._book.price(ctx))

    def _current(self, ctx: Context, *, copy: bool) -> Fleet:
        state = self._book.state
        touched = list(state.touched)
        known = self._fleets.find(state.fleet_version.get())
        if known is None:
            return self.rebuilt(ctx)
        price = self._book.price(ctx)
        if not touched and not copy and known.price == price:
            return known
        fleet = known.copy()
        fleet.reprice(price)
        for node in touched:
            fleet.put(self._facts(node))
        return fleet

    def _facts(self, node: NodeId) -> NodeFacts:
        book = self._book
        record = book.nodes.find(node)
        assert record is not None, "node ids are dense"
        load = book.load(node)
        used = Needs(load.cpu_milli, load.memory_mib, load.disk_mib, load.gpu_count)
        slots = book.params.max_leases_per_node - len(load.leases)
        return NodeFacts(record, book.nodes.network(record.endpoint.host), load.suspect, used, slots)

    def _touched_version(self, price: UsdPrice) -> Hash:
        """The version that follows the stored one when the price and the facts of touched nodes are taken over."""
        state = self._book.state
        parts: list[bytes] = [state.fleet_version.get(), price.to_bytes(8, "big")]
        for node in state.touched:
            record = self._book.nodes.find(node)
            assert record is not None, "only nodes that exist are touched"
            parts += [_NODE.encode(record), _LOAD.encode(self._book.load(node))]
        return _version(parts)

    def _try(self, ctx: Context, fleet: Fleet, version: Hash) -> Hash:
        """Go through what waits, from the start or from where the last block stopped. Returns the fleet's new version.

        What changes while a pass is under way makes the market dirty again, so that another pass follows it.
        """
        state = self._book.state
        if state.cursor.get() == 0:
            state.is_dirty.set(False)
        batch, goes_on = self._batch(ctx)
        apps = [app for app in (self._book.apps.app(ctx, id) for id in batch) if app.status is AppStatus.ACTIVE]
        demands = [self._demand(ctx, app, batch[app.id], fleet.price) for app in apps]
        choices = place(fleet, ctx.block.seed, demands)
        parts: list[bytes] = [version]
        first = LeaseId(U64(state.last_lease.get() + 1))
        for app, demand, chosen in zip(apps, demands, choices, strict=True):
            self._assign(ctx, fleet, app, demand, batch[app.id], chosen)
            parts += _taken(demand, chosen)
        self._book.expect_starts(ctx, first)
        for app, demand, chosen in zip(apps, demands, choices, strict=True):
            left = [item for item, choice in zip(batch[app.id], chosen, strict=True) if choice is None]
            if left:
                self._explain(ctx, fleet, demand.wish, app, left)
        state.cursor.set(goes_on)
        if goes_on or state.is_dirty.get():
            self._book.host.schedule(ctx.now, TRY_AGAIN, 0)
        return _version(parts)

    def _batch(self, ctx: Context) -> tuple[Batch, AppId]:
        """Waiting instances from the cursor on, whole apps, about as many as a block may try; and where to go on.

        Those that a fence holds back are looked at too, so they count.
        """
        state, limit = self._book.state, self._book.params.max_placements_per_block
        batch: Batch = {}
        last = state.cursor.get()
        entries = state.waiting.items(start=last.to_bytes(8, "big"))
        for count, ((app, ordinal), waiting) in enumerate(entries):
            if count >= limit and app != last:
                return batch, app
            last = app
            if not self._book.fences.holds(ctx, app, ordinal):
                batch.setdefault(app, []).append((ordinal, waiting))
        return batch, AppId(U64(0))

    def _demand(self, ctx: Context, app: App, instances: Instances, price: UsdPrice) -> Demand:
        replaced = {waiting.replaces for _, waiting in instances if waiting.replaces}
        leases = self._book.open_of_app(app.id)
        leaving = {lease.id: lease.node for lease in leases if lease.id in replaced}
        spec = self._book.spec(app.id, app.revision)
        wish = wish_of(spec, price)
        preferred: tuple[NodeId | None, ...] = ()
        if spec.volumes:
            preferred = tuple([self._book.volume_holder(ctx, app.id, ordinal) for ordinal, _ in instances])
        presence = Presence(tuple(dict.fromkeys(lease.node for lease in leases)), self._book.excluded(ctx, app))
        return Demand(
            wish,
            presence,
            tuple([leaving.get(waiting.replaces) for _, waiting in instances]),
            preferred,
            self._standbys.ready_for(ctx, app, spec),
        )

    def _assign(
        self,
        ctx: Context,
        fleet: Fleet,
        app: App,
        demand: Demand,
        instances: Instances,
        chosen: Iterable[Choice | None],
    ) -> None:
        wish = demand.wish
        assignments = [
            Assignment(
                ordinal,
                choice.node,
                terms_of(wish.bill, wish.needs, fleet.ask_of(choice.node), fleet.price),
                waiting.replaces,
            )
            for (ordinal, waiting), choice in zip(instances, chosen, strict=True)
            if choice is not None
        ]
        for assignment in assignments:
            self._book.state.waiting.delete((app.id, assignment.ordinal))
        if assignments:
            first = self._book.state.last_lease.get() + 1
            self._book.open(ctx, app, demand.wish.needs, assignments)
            if demand.preferred:
                self._tell_kept(app, demand, instances, assignments, first)
            for lease, assignment in enumerate(assignments, first):
                if assignment.node in demand.ready:
                    self._book.host.emit(StandbyUsed(LeaseId(U64(lease)), app.id, assignment.node))
            if app.id in self._book.state.standbys:
                self._book.state.standby_looks.add(app.id)

    def _tell_kept(
        self, app: App, demand: Demand, instances: Instances, assignments: Iterable[Assignment], first: int
    ) -> None:
        """Say which instances were placed where their volumes are."""
        holders = {ordinal: node for (ordinal, _), node in zip(instances, demand.preferred, strict=True)}
        for lease, assignment in enumerate(assignments, first):
            if holders[assignment.ordinal] == assignment.node:
                self._book.host.emit(VolumesKept(LeaseId(U64(lease)), app.id, assignment.node))

    def _explain(self, ctx: Context, fleet: Fleet, wish: Wish, app: App, left: Instances) -> None:
        """Say why instances still wait, once for each change of the reasons."""
        rejections = count_rejections(fleet, wish, self.presence(ctx, app))
        for ordinal, waiting in left:
            if waiting.rejections != rejections:
                self._book.state.waiting.set((app.id, ordinal), waiting.but(rejections=rejections))
                self._book.host.emit(InstancePending(app.id, ordinal, rejections))


def _taken(demand: Demand, chosen: Iterable[Choice | None]) -> Iterator[bytes]:
    """What choices change of a fleet."""
    needs = b"".join([need.to_bytes(4, "big") for need in demand.wish.needs])
    return (choice.node.to_bytes(4, "big") + needs for choice in chosen if choice is not None)


def _version(parts: Iterable[bytes]) -> Hash:
    return Hash(b"\x01" + keccak256(b"".join(parts))[1:])

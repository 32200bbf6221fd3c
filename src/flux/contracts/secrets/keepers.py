"""Who keeps shares of a seed: the draw, the votes of lease holders, and the count of those that are left."""

from collections.abc import Iterator

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import Lease
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.secrets import rules
from flux.contracts.secrets.ports import EpochPort, MarketPort, NodesPort, StakingPort
from flux.contracts.secrets.state import SecretsState
from flux.contracts.secrets.types import (
    AlreadyShared,
    Generation,
    InvalidSharing,
    KeepersLow,
    Keeping,
    Seat,
    SecretsParams,
    SeedShared,
    SharedSeed,
    Sharing,
    Vote,
    Votes,
    WrongGeneration,
)
from flux.kernel.context import Context, Host
from flux.primitives.draw import draw_numbers
from flux.primitives.types import U8, U32, Address, ChainTime


class Keepers:
    """The keepers of every revision that has a private half."""

    def __init__(
        self,
        host: Host,
        state: SecretsState,
        params: SecretsParams,
        market: MarketPort,
        nodes: NodesPort,
        staking: StakingPort,
        epochs: EpochPort,
    ) -> None:
        self._host = host
        self._state = state
        self._params = params
        self._market = market
        self._nodes = nodes
        self._staking = staking
        self._epochs = epochs

    def make_room(self, ctx: Context, app: AppId, revision: Revision) -> None:
        """Store what a first sharing will overwrite: whoever publishes the revision pays for it."""
        room = rules.empty_sharing(self._params.keepers, self._params.threshold)
        self._state.keepings.set((app, revision), Keeping(room, ctx.now, low=False))

    def check(self, ctx: Context, app: AppId, revision: Revision, shared: SharedSeed) -> ChainTime:
        """Whether this can be the next sharing, and from when on nodes may bring it about.

        Raises WrongGeneration, InvalidSharing.
        """
        expected = self._next(app, revision)
        if shared.generation != expected:
            raise WrongGeneration(app, revision, expected)
        status = self.sharing(ctx, app, revision)
        if (fault := rules.find_fault(shared, status.seats, self._params.threshold)) is not None:
            raise InvalidSharing(app, fault)
        return status.opens_at

    def vote(self, ctx: Context, app: AppId, revision: Revision, node: NodeId, shared: SharedSeed) -> bool:
        """Count what a lease holder says; whether enough have said the same. Raises AlreadyShared."""
        leases = self._market.leases_of_app(ctx, app)
        draw = rules.draw_digest([rules.seat_of(keeper) for keeper in shared.keepers])
        votes = self._votes(app, revision, draw)
        if any(vote.node == node for vote in votes):
            raise AlreadyShared(node, app, shared.generation)
        digest = rules.digest_of(shared)
        present = [*(vote for vote in votes if rules.has_run(leases, vote.node, revision)), Vote(node, digest)]
        agreeing = self._operators(vote.node for vote in present if vote.digest == digest)
        running = self._operators(rules.nodes_that_run(leases, revision))
        if len(agreeing) >= min(2, len(running)):
            return True
        self._state.votes.set((app, revision), Votes(draw, tuple(present)))
        return False

    def replace(self, ctx: Context, app: AppId, revision: Revision, shared: SharedSeed) -> None:
        """The next sharing holds; the one before is forgotten."""
        low = len(shared.keepers) <= shared.threshold
        self._state.keepings.set((app, revision), Keeping(shared, ctx.now, low))
        self._state.votes.delete((app, revision))
        count = U8(len(shared.keepers))
        self._host.emit(SeedShared(app, revision, shared.generation, count, shared.threshold))
        if low:
            self._host.emit(KeepersLow(app, revision, count, shared.threshold))

    def count(self, ctx: Context, app: AppId, revision: Revision) -> None:
        """Give the alarm once when too few keepers are left, and take it back when enough are there again."""
        keeping = self._state.keepings.find((app, revision))
        if keeping is None:
            return
        left = len(self._there(keeping))
        low = left <= keeping.shared.threshold
        if low != keeping.low:
            self._state.keepings.set((app, revision), keeping.but(low=low))
            if low:
                self._host.emit(KeepersLow(app, revision, U8(left), keeping.shared.threshold))

    def sharing(self, ctx: Context, app: AppId, revision: Revision) -> Sharing:
        """How the keepers stand, and what the next generation would be."""
        keeping = self._state.keepings.get((app, revision))
        shared = keeping.shared
        is_shared = shared.generation != rules.NOT_SHARED
        there = self._there(keeping)
        holders = self._holders(self._market.leases_of_app(ctx, app))
        seats = self._draw(ctx, app, revision, self._next(app, revision), holders)
        opens_at = rules.opens_at(keeping, len(there), len(seats), self._params.keeper_interval)
        return Sharing(
            generation=shared.generation,
            threshold=shared.threshold,
            keepers=U8(len(shared.keepers) if is_shared else 0),
            left=U8(len(there)),
            is_due=len(seats) >= self._params.threshold
            and rules.is_due(there, [seat.node for seat in seats], holders, shared.threshold),
            opens_at=opens_at,
            is_open=ctx.now >= opens_at,
            next_threshold=self._params.threshold,
            seats=tuple(seats),
            voted=tuple(vote.node for vote in self._votes(app, revision, rules.draw_digest(seats))),
        )

    def _next(self, app: AppId, revision: Revision) -> Generation:
        return Generation(U32(self._state.keepings.get((app, revision)).shared.generation + 1))

    def _votes(self, app: AppId, revision: Revision, draw: bytes) -> tuple[Vote, ...]:
        kept = self._state.votes.find((app, revision))
        return kept.votes if kept is not None and kept.draw == draw else ()

    def _there(self, keeping: Keeping) -> list[NodeId]:
        """Keepers that can still be asked for a good share."""
        if keeping.shared.generation == rules.NOT_SHARED:
            return []
        there = []
        for keeper in keeping.shared.keepers:
            node = self._nodes.find(keeper.node)
            if node is not None and self._may_keep(node, keeping) and node.endpoint.seal_key == keeper.key:
                there.append(keeper.node)
        return there

    def _may_keep(self, node: Node, keeping: Keeping) -> bool:
        """Whether a node is there and was not slashed since the last sharing; a later one may draw it again."""
        return rules.may_keep(node) and self._staking.last_slashed(node.id) <= keeping.since

    def _draw(
        self, ctx: Context, app: AppId, revision: Revision, generation: Generation, holders: tuple[NodeId, ...]
    ) -> list[Seat]:
        """The same for everybody in one epoch, as long as the nodes and who runs the app stay what they are."""
        seed = self._epochs.epoch(ctx).seed
        base = seed + b"keepers" + app.to_bytes(8, "big") + revision.to_bytes(4, "big") + generation.to_bytes(4, "big")
        return rules.seats_in_order(
            self._candidates(ctx, base, self._state.keepings.get((app, revision))),
            holders,
            self._operators(holders),
            self._params.keepers,
            self._params.threshold,
        )

    def _candidates(self, ctx: Context, base: bytes, keeping: Keeping) -> Iterator[Node]:
        for number in draw_numbers(base, self._nodes.count(ctx), self._params.keepers):
            node = self._nodes.find(NodeId(U32(number)))
            if node is not None and self._may_keep(node, keeping):
                yield node

    def _holders(self, leases: list[Lease]) -> tuple[NodeId, ...]:
        return tuple(dict.fromkeys(lease.node for lease in leases if rules.is_open(lease)))

    def _operators(self, nodes: Iterator[NodeId] | tuple[NodeId, ...]) -> tuple[Address, ...]:
        found = (self._nodes.find(node) for node in nodes)
        return tuple(dict.fromkeys(node.operator for node in found if node is not None))

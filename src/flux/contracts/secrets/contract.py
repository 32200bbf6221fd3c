"""Secrets: the private half as ciphertext, its seed sealed to those that hold a lease, and shares of it with keepers.

Who keeps shares, and what a next sharing must look like, is in keepers.py.
"""

from flux.contracts.addresses import SECRETS
from flux.contracts.apps.types import AppId, AppStatus, NotOwner, Revision, UnknownApp
from flux.contracts.market.types import Lease, LeaseId, UnknownLease
from flux.contracts.nodes.types import NodeId
from flux.contracts.secrets import rules
from flux.contracts.secrets.keepers import Keepers
from flux.contracts.secrets.ports import AppsPort, EpochPort, MarketPort, NodesPort, StakingPort
from flux.contracts.secrets.state import SecretsState
from flux.contracts.secrets.types import (
    AlreadyShared,
    Box,
    Boxes,
    InvalidBox,
    InvalidSeal,
    InvalidSharing,
    KeepersLow,
    Keeping,
    MaySealNot,
    MayShareNot,
    NoPrivateHalf,
    PrivateHalfPublished,
    SealedSeed,
    SecretsParams,
    SeedSealed,
    SeedShared,
    SharedSeed,
    SharedTooSoon,
    Sharing,
    WrongGeneration,
)
from flux.kernel.context import SYSTEM_ADDRESS, Context, Host
from flux.kernel.contract import Contract, method, scheduled, view
from flux.primitives.keccak import keccak256
from flux.primitives.types import NO_WEI, U32, U64, ChainTime

NO_NODE = NodeId(U32(0))
COUNT_KEEPERS = 1


class Secrets(Contract):
    """Keeps ciphertexts and sealed seeds; nothing in it can be read without a lease holder's key."""

    name = "Secrets"
    address = SECRETS
    events = (PrivateHalfPublished, SeedSealed, SeedShared, KeepersLow)
    errors = (
        NoPrivateHalf, InvalidBox, InvalidSeal, MaySealNot, NotOwner, UnknownApp, UnknownLease, MayShareNot,
        WrongGeneration, SharedTooSoon, InvalidSharing, AlreadyShared,
    )  # fmt: skip

    def __init__(
        self,
        host: Host,
        params: SecretsParams,
        apps: AppsPort,
        market: MarketPort,
        nodes: NodesPort,
        staking: StakingPort,
        epochs: EpochPort,
    ) -> None:
        super().__init__(host)
        self.params = params
        self.state = SecretsState(host.storage)
        self._apps = apps
        self._market = market
        self._nodes = nodes
        self._keepers = Keepers(host, self.state, params, market, nodes, staking, epochs)

    @method(gas=40_000)
    def seal(self, ctx: Context, app: AppId, seeds: list[SealedSeed]) -> None:
        """The owner gives the seed to lease holders; a second box for a lease replaces the owner's first.

        Raises NotOwner, InvalidBox, InvalidSeal, NoPrivateHalf, UnknownLease.
        """
        record = self._apps.app(ctx, app)
        if record.owner != ctx.sender:
            raise NotOwner(app, record.owner, ctx.sender)
        limit = self.params.max_seals_per_call
        if len(seeds) > limit:
            raise InvalidSeal(seeds[limit].lease, f"at most {limit} seeds fit in one call")
        for seed in seeds:
            self._check_target(ctx, app, seed)
            boxes = rules.with_owners(self._boxes(seed.lease), ctx.sender, seed.box)
            self.state.boxes.set(seed.lease, Boxes(app, boxes))
            self.host.emit(SeedSealed(app, seed.lease))

    @method(gas=40_000, lane=True)
    def hand_over(self, ctx: Context, app: AppId, seed: SealedSeed) -> None:
        """The agent of a node that runs the app, in any revision, gives a seed to another lease holder, once each.

        Raises MaySealNot, InvalidBox, InvalidSeal, NoPrivateHalf, UnknownLease.
        """
        lease = self._check_target(ctx, app, seed)
        node = self._nodes.node_of_agent(ctx, ctx.sender)
        if node == NO_NODE or not rules.has_run_any(self._market.leases_of_app(ctx, app), node):
            raise MaySealNot(app)
        if lease.node == node:
            raise InvalidSeal(seed.lease, "it is the giver's own")
        boxes = self._boxes(seed.lease)
        if any(box.giver == ctx.sender for box in boxes):
            raise InvalidSeal(seed.lease, "this node has given it the seed already")
        if rules.given_by_nodes(boxes, self._apps.app(ctx, app).owner) >= self.params.max_boxes:
            raise InvalidSeal(seed.lease, f"{self.params.max_boxes} nodes have given it the seed already")
        self.state.boxes.set(seed.lease, Boxes(app, (*boxes, Box(ctx.sender, seed.box))))
        self.host.emit(SeedSealed(app, seed.lease))

    @method(gas=200_000)
    def keep(self, ctx: Context, app: AppId, revision: Revision, shared: SharedSeed) -> None:
        """The owner shares the seed of a revision among the keepers drawn now; it holds at once.

        Raises UnknownApp, NotOwner, NoPrivateHalf, WrongGeneration, InvalidSharing.
        """
        record = self._apps.app(ctx, app)
        if record.owner != ctx.sender:
            raise NotOwner(app, record.owner, ctx.sender)
        self._check_private(app, revision)
        self._keepers.check(ctx, app, revision, shared)
        self._keepers.replace(ctx, app, revision, shared)

    @method(gas=200_000, lane=True)
    def share(self, ctx: Context, app: AppId, revision: Revision, shared: SharedSeed) -> None:
        """The agent of a node that runs the revision says what the next sharing is, once for each draw.

        It holds when nodes of two operators said the same, or of the only one that runs the revision.
        Raises UnknownApp, NoPrivateHalf, MayShareNot, WrongGeneration, SharedTooSoon, InvalidSharing, AlreadyShared.
        """
        self._apps.app(ctx, app)
        self._check_private(app, revision)
        node = self._nodes.node_of_agent(ctx, ctx.sender)
        if node == NO_NODE or not rules.has_run(self._market.leases_of_app(ctx, app), node, revision):
            raise MayShareNot(app)
        opens_at = self._keepers.check(ctx, app, revision, shared)
        if ctx.now < opens_at:
            raise SharedTooSoon(opens_at)
        if self._keepers.vote(ctx, app, revision, node, shared):
            self._keepers.replace(ctx, app, revision, shared)

    @view(gas=10_000)
    def keepers(self, ctx: Context, app: AppId, revision: Revision) -> Keeping:
        """Who holds shares of a revision's seed; generation 0 while nobody does. Raises NoPrivateHalf."""
        self._check_private(app, revision)
        return self.state.keepings.get((app, revision))

    @view(gas=100_000)
    def sharing(self, ctx: Context, app: AppId, revision: Revision) -> Sharing:
        """How a revision's keepers stand, and what the next generation would be. Raises NoPrivateHalf."""
        self._check_private(app, revision)
        return self._keepers.sharing(ctx, app, revision)

    @view(gas=10_000)
    def ciphertext(self, ctx: Context, app: AppId, revision: Revision) -> bytes:
        """The encrypted private half of a revision. Raises NoPrivateHalf."""
        data = self.state.ciphertexts.find((app, revision))
        if data is None:
            raise NoPrivateHalf(app, revision)
        return data

    @view()
    def boxes(self, ctx: Context, lease: LeaseId) -> list[bytes]:
        """What was sealed to the lease, the owner's box first; the holder tries one after the other."""
        return [box.data for box in self._boxes(lease)]

    def publish(self, ctx: Context, app: AppId, revision: Revision, ciphertext: bytes) -> None:
        """For apps: keep the private half of a revision."""
        self.state.ciphertexts.set((app, revision), ciphertext)
        self._keepers.make_room(ctx, app, revision)
        self.app_woke(ctx, app)
        self.host.emit(PrivateHalfPublished(app, revision, keccak256(ciphertext)))

    def app_woke(self, ctx: Context, app: AppId) -> None:
        """For apps: the app is paid for, so its keepers are counted from now on, if it has a private half."""
        if app not in self.state.counted and self._has_private_half(app):
            self.state.counted.add(app)
            self._count_again(ctx, app)

    def drop(self, ctx: Context, app: AppId, revision: Revision) -> None:
        """For apps: the revision is gone."""
        self.state.ciphertexts.delete((app, revision))
        self.state.keepings.delete((app, revision))
        self.state.votes.delete((app, revision))

    def forget(self, ctx: Context, lease: LeaseId) -> None:
        """For the market: the lease is closed, so nobody needs its boxes."""
        self.state.boxes.delete(lease)

    @scheduled(COUNT_KEEPERS)
    def count_keepers(self, ctx: Context, subject: int) -> None:
        """Give the alarm when too few keepers of an app's current revision are left; look again later.

        Nobody pays for looks at an app that is not active, so they begin again when it is.
        """
        app = AppId(U64(subject))
        record = self._apps.app(ctx, app)
        if record.status is not AppStatus.ACTIVE or not self._has_private_half(app):
            self.state.counted.discard(app)
            return
        self._keepers.count(ctx, app, record.revision)
        self._count_again(ctx, app)

    def is_active(self, app: AppId) -> bool:
        """Whether the app runs and pays; for invariants."""
        return self._apps.app(Context(SYSTEM_ADDRESS, NO_WEI, self.host.block), app).status is AppStatus.ACTIVE

    def is_open(self, lease: LeaseId) -> bool:
        """Whether the market still has the lease open."""
        context = Context(SYSTEM_ADDRESS, NO_WEI, self.host.block)
        return rules.is_open(self._market.lease(context, lease))

    def _has_private_half(self, app: AppId) -> bool:
        return any(True for _ in self.state.ciphertexts.under(app.to_bytes(8, "big")))

    def _count_again(self, ctx: Context, app: AppId) -> None:
        self.host.schedule(ChainTime(U64(ctx.now + self.params.keeper_interval)), COUNT_KEEPERS, app)

    def _check_private(self, app: AppId, revision: Revision) -> None:
        if (app, revision) not in self.state.ciphertexts:
            raise NoPrivateHalf(app, revision)

    def _boxes(self, lease: LeaseId) -> tuple[Box, ...]:
        kept = self.state.boxes.find(lease)
        return () if kept is None else kept.boxes

    def _check_target(self, ctx: Context, app: AppId, seed: SealedSeed) -> Lease:
        rules.check_box(seed)
        lease = self._market.lease(ctx, seed.lease)
        if (obstacle := rules.find_obstacle(lease, app)) is not None:
            raise InvalidSeal(seed.lease, obstacle)
        self._check_private(app, lease.revision)
        return lease

"""Secrets: the private half as ciphertext, and its seed sealed to those that hold a lease."""

from flux.contracts.addresses import SECRETS
from flux.contracts.apps.types import AppId, NotOwner, Revision, UnknownApp
from flux.contracts.market.types import Lease, LeaseId, UnknownLease
from flux.contracts.nodes.types import NodeId
from flux.contracts.secrets import rules
from flux.contracts.secrets.ports import AppsPort, MarketPort, NodesPort
from flux.contracts.secrets.state import SecretsState
from flux.contracts.secrets.types import (
    Box,
    Boxes,
    InvalidBox,
    InvalidSeal,
    MaySealNot,
    NoPrivateHalf,
    PrivateHalfPublished,
    SealedSeed,
    SecretsParams,
    SeedSealed,
)
from flux.kernel.context import SYSTEM_ADDRESS, Context, Host
from flux.kernel.contract import Contract, method, view
from flux.primitives.keccak import keccak256
from flux.primitives.types import NO_WEI, U32

NO_NODE = NodeId(U32(0))


class Secrets(Contract):
    """Keeps ciphertexts and sealed seeds; nothing in it can be read without a lease holder's key."""

    name = "Secrets"
    address = SECRETS
    events = (PrivateHalfPublished, SeedSealed)
    errors = (NoPrivateHalf, InvalidBox, InvalidSeal, MaySealNot, NotOwner, UnknownApp, UnknownLease)

    def __init__(self, host: Host, params: SecretsParams, apps: AppsPort, market: MarketPort, nodes: NodesPort) -> None:
        super().__init__(host)
        self.params = params
        self.state = SecretsState(host.storage)
        self._apps = apps
        self._market = market
        self._nodes = nodes

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
        """The agent of a node that runs the same revision gives the seed to another lease holder, once per lease.

        Raises MaySealNot, InvalidBox, InvalidSeal, NoPrivateHalf, UnknownLease.
        """
        lease = self._check_target(ctx, app, seed)
        node = self._nodes.node_of_agent(ctx, ctx.sender)
        if node == NO_NODE or not rules.has_run(self._market.leases_of_app(ctx, app), node, lease.revision):
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
        self.host.emit(PrivateHalfPublished(app, revision, keccak256(ciphertext)))

    def drop(self, ctx: Context, app: AppId, revision: Revision) -> None:
        """For apps: the revision is gone."""
        self.state.ciphertexts.delete((app, revision))

    def forget(self, ctx: Context, lease: LeaseId) -> None:
        """For the market: the lease is closed, so nobody needs its boxes."""
        self.state.boxes.delete(lease)

    def is_open(self, lease: LeaseId) -> bool:
        """Whether the market still has the lease open."""
        context = Context(SYSTEM_ADDRESS, NO_WEI, self.host.block)
        return rules.is_open(self._market.lease(context, lease))

    def _boxes(self, lease: LeaseId) -> tuple[Box, ...]:
        kept = self.state.boxes.find(lease)
        return () if kept is None else kept.boxes

    def _check_target(self, ctx: Context, app: AppId, seed: SealedSeed) -> Lease:
        rules.check_box(seed)
        lease = self._market.lease(ctx, seed.lease)
        if (obstacle := rules.find_obstacle(lease, app)) is not None:
            raise InvalidSeal(seed.lease, obstacle)
        if (app, lease.revision) not in self.state.ciphertexts:
            raise NoPrivateHalf(app, lease.revision)
        return lease

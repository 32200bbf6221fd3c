"""Reads from the chain what this node should run, and whether a lease that is gone from the list is really over.

Specs, names and opened private halves never change for a revision, so each is read once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from nacl.public import PrivateKey

from flux.agent.desired import DesiredInstance, Ending, Lock
from flux.agent.head_clock import HeadClock
from flux.contracts.apps.types import AppId, AppSpec, PrivateSpec, Revision, Update, decode_spec
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.types import CloseReason, Lease, LeaseId, LeaseState, UnknownLease
from flux.contracts.nodes.types import NodeId
from flux.primitives.hexadecimal import quantity
from flux.runtime.labels import InstanceKey
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.errors import Refused
from flux.specs.private_half import PrivateHalfError, decrypt, open_box, opens

K = TypeVar("K")
V = TypeVar("V")
Key = tuple[AppId, Revision]
_MOVING = (RolloutState.ROLLING, RolloutState.ROLLING_BACK)
_PLANNED = (
    CloseReason.UPDATED,
    CloseReason.ROLLED_BACK,
    CloseReason.MOVED,
    CloseReason.SCALED_DOWN,
    CloseReason.NODE_LEAVING,
    CloseReason.DRAINED,
)
"""Ends of instances that serve to the last, while others take over."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A private half with the seed that opens it, kept to hand the seed on."""

    seed: bytes = field(repr=False)
    private: PrivateSpec = field(repr=False)


class ChainSource:
    """The chain as this node's agent reads it. Every method may raise sdk.errors.Unreachable."""

    def __init__(self, client: FluxClient, node: NodeId, seal_key: PrivateKey, heads: HeadClock) -> None:
        self._client = client
        self._heads = heads
        self._market = Market(client)
        self._apps = Apps(client)
        self._secrets = Secrets(client)
        self._node = node
        self._seal_key = seal_key
        self._specs: dict[Key, AppSpec | None] = {}
        self._names: dict[AppId, str] = {}
        self._opened: dict[Key, Opened] = {}
        self._moves: dict[LeaseId, bool] = {}

    async def desired(self) -> dict[LeaseId, DesiredInstance]:
        """All open leases of this node, with specs and as far as possible opened private halves.

        As of one head, which must not be older than one already seen. Raises Behind.
        """
        asked_at = self._heads.now()
        head = (await self._client.head()).number
        self._heads.check(head)
        leases = await self._market.leases_of_node(self._node, block=quantity(head))
        wanted = {lease.id: await self._instance(lease) for lease in leases}
        self._forget({(lease.app, lease.revision) for lease in leases})
        _keep(self._moves, lambda lease: lease in wanted)
        self._heads.saw(head, asked_at)
        return wanted

    async def ending(self, instance: InstanceKey) -> Ending:
        """Whether the chain says that the lease of what runs here is over.

        An RPC that does not know the lease is behind, and one that means another instance by its number serves another
        chain: not closed.
        """
        try:
            lease = await self._market.lease(instance.lease, block=quantity(self._heads.number))
        except Refused as refused:
            if isinstance(refused.revert, UnknownLease):
                return Ending.OPEN
            raise
        ours = (lease.node, lease.app, lease.ordinal) == (instance.node, instance.app, instance.ordinal)
        if not ours or lease.state is not LeaseState.CLOSED:
            return Ending.OPEN
        return Ending.DRAINS if lease.reason in _PLANNED and await self._drains(lease) else Ending.CLOSED

    async def _drains(self, lease: Lease) -> bool:
        """Whether visitors come to the instance through an ingress, and it may run beside the one that follows it."""
        try:
            spec = _read_spec(await self._apps.spec(lease.app, lease.revision))
        except Refused:
            return False
        return spec is not None and spec.http is not None and not spec.at_most_one

    def seed(self, lease: Lease) -> bytes | None:
        """The seed of a lease that this node opened."""
        opened = self._opened.get((lease.app, lease.revision))
        return None if opened is None else opened.seed

    async def offer(self, lease: Lease, seed: bytes) -> bool:
        """Whether a seed that came some other way than in a box opens the lease's private half; then it is kept."""
        ciphertext = await self._secrets.ciphertext(lease.app, lease.revision)
        try:
            self._opened[lease.app, lease.revision] = Opened(seed, decrypt(ciphertext, seed))
        except PrivateHalfError:
            return False
        return True

    async def _instance(self, lease: Lease) -> DesiredInstance:
        key = (lease.app, lease.revision)
        spec, name, moving = await asyncio.gather(self._spec(key), self._name(lease.app), self._moving(lease))
        if spec is None:
            return DesiredInstance(lease, name, AppSpec(()), Lock.UNREADABLE)
        watched = float((spec.update or Update()).monitor_seconds) if moving else None
        if not spec.private:
            return DesiredInstance(lease, name, spec, Lock.OPEN, watched=watched)
        if key not in self._opened and (lock := await self._open(lease)) is not Lock.OPEN:
            return DesiredInstance(lease, name, spec, lock, watched=watched)
        return DesiredInstance(lease, name, spec, Lock.OPEN, self._opened[key].private, watched)

    async def _spec(self, key: Key) -> AppSpec | None:
        if key not in self._specs:
            self._specs[key] = _read_spec(await self._apps.spec(*key))
        return self._specs[key]

    async def _name(self, app: AppId) -> str:
        if app not in self._names:
            self._names[app] = (await self._apps.app(app)).name
        return self._names[app]

    async def _moving(self, lease: Lease) -> bool:
        """Whether the lease came by a rollout. Asked once, when it is new."""
        if lease.id not in self._moves:
            is_new = lease.state is LeaseState.ASSIGNED
            self._moves[lease.id] = is_new and (await self._market.rollout(lease.app)).state in _MOVING
        return self._moves[lease.id]

    async def find_seed(self, lease: Lease) -> bytes | None:
        """The seed of a lease's private half, if this node opened that revision or another one with the same seed."""
        key = (lease.app, lease.revision)
        if key in self._opened:
            return self._opened[key].seed
        seeds = {opened.seed: None for (app, _), opened in self._opened.items() if app == lease.app}
        if not seeds:
            return None
        ciphertext = await self._secrets.ciphertext(lease.app, lease.revision)
        return next((seed for seed in seeds if opens(ciphertext, seed)), None)

    async def _open(self, lease: Lease) -> Lock:
        known = await self.find_seed(lease)
        if known is not None and await self.offer(lease, known):
            return Lock.OPEN
        boxes = await self._secrets.boxes(lease.id)
        if not boxes:
            return Lock.WAITING
        ciphertext = await self._secrets.ciphertext(lease.app, lease.revision)
        for box in boxes:
            try:
                seed = open_box(box, bytes(self._seal_key))
                private = decrypt(ciphertext, seed)
            except PrivateHalfError:
                continue
            self._opened[lease.app, lease.revision] = Opened(seed, private)
            return Lock.OPEN
        return Lock.BROKEN

    def _forget(self, held: set[Key]) -> None:
        apps = {app for app, _ in held}
        _keep(self._specs, lambda key: key in held)
        # Also of revisions that ran here before: the app may go back while its owner is away.
        _keep(self._opened, lambda key: key[0] in apps)
        _keep(self._names, lambda app: app in apps)


def _read_spec(data: bytes) -> AppSpec | None:
    """None for a spec with what this agent does not know; the chain took it, so a newer agent does."""
    try:
        return decode_spec(data)
    except ValueError:
        return None


def _keep(values: dict[K, V], wanted: Callable[[K], bool]) -> None:
    for key in [key for key in values if not wanted(key)]:
        del values[key]

"""Following an app until it runs, and giving its seed to each node that gets a lease meanwhile.

Sealing itself is the caller's (`specs.private_half.seal`), so that this needs no cryptography: `seal(seal_key)` gives a
box for one node.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import Lease, LeaseId, LeaseState, PendingInstance
from flux.contracts.nodes.types import NodeId
from flux.contracts.secrets.types import SealedSeed
from flux.primitives.types import Hash
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError, Refused, Unreachable
from flux.sdk.signer import Signer

T = TypeVar("T")
Seal = Callable[[Hash], bytes]
SEALS_PER_CALL = 100
LOOK_AGAIN = 1.0
"""Seconds after which an app is looked at without a new block: the first may come before the subscription is there."""


class SeedGiver:
    """Seals an app's seed to the nodes that are about to run it, for each lease once."""

    def __init__(self, client: FluxClient, signer: Signer, app: AppId, seal: Seal) -> None:
        self._client = client
        self._signer = signer
        self._app = app
        self._seal = seal
        self._given: set[LeaseId] = set()
        self._keys: dict[NodeId, Hash] = {}

    async def give(self, leases: list[Lease], revision: Revision) -> int:
        """Seal to those leases of the revision that have not been given it; how many were.

        A lease that closed meanwhile is no error: whoever comes instead is given it next time.
        """
        wanted = [lease for lease in leases if lease.id not in self._given and _may_need(lease, revision)]
        wanted = wanted[:SEALS_PER_CALL]
        if not wanted:
            return 0
        keys = await asyncio.gather(*(self._seal_key(lease.node) for lease in wanted))
        seeds = [SealedSeed(lease.id, self._seal(key)) for lease, key in zip(wanted, keys, strict=True)]
        try:
            await Secrets(self._client).seal(self._signer, self._app, seeds)
        except Refused as refused:
            if type(refused.revert).__name__ not in ("InvalidSeal", "UnknownLease"):
                raise
            return 0
        self._given.update(lease.id for lease in wanted)
        return len(wanted)

    async def _seal_key(self, node: NodeId) -> Hash:
        if node not in self._keys:
            self._keys[node] = (await Nodes(self._client).node(node)).endpoint.seal_key
        return self._keys[node]


@dataclass(frozen=True, slots=True)
class Progress:
    """An app's leases and pending instances at one block."""

    leases: tuple[Lease, ...]
    """Open and lately closed ones, as the market lists them."""
    pending: tuple[PendingInstance, ...]

    @property
    def running(self) -> tuple[Lease, ...]:
        return tuple(lease for lease in self.leases if lease.state is LeaseState.RUNNING)

    @property
    def open(self) -> tuple[Lease, ...]:
        return tuple(lease for lease in self.leases if lease.state is not LeaseState.CLOSED)


async def progress(client: FluxClient, app: AppId) -> Progress:
    """Where an app stands now."""
    market = Market(client)
    leases, pending = await asyncio.gather(market.leases_of_app(app), market.pending(app))
    return Progress(tuple(leases), tuple(pending))


def runs(state: Progress, revision: Revision, instances: int) -> bool:
    """Whether every instance of the revision runs, and nothing waits or starts (a replacement, say)."""
    starting = any(lease.state is LeaseState.ASSIGNED for lease in state.leases)
    ordinals = {lease.ordinal for lease in state.running if lease.revision == revision}
    return not state.pending and not starting and len(ordinals) >= instances


def follow(client: FluxClient, app: AppId) -> AsyncGenerator[Progress, None]:
    """Where an app stands, as `watch` tells it."""
    return watch(client, lambda: progress(client, app))


async def watch(client: FluxClient, read: Callable[[], Awaitable[T]]) -> AsyncGenerator[T, None]:
    """What `read` says now, after every new block, and at least once a second.

    A lost subscription is taken up again. Raises Unreachable when the chain stays away.
    """
    while True:
        heads = client.heads()
        waiting: asyncio.Future[object] = asyncio.ensure_future(_next(heads))
        try:
            while True:
                yield await read()
                await asyncio.wait((waiting,), timeout=LOOK_AGAIN)
                if waiting.done():
                    await waiting
                    waiting = asyncio.ensure_future(_next(heads))
        except Unreachable:
            await _reachable(client)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def _next(heads: AsyncIterator[object]) -> object:
    return await anext(heads)


async def _reachable(client: FluxClient) -> None:
    """Return once the chain answers. Raises Unreachable when it does not for a while."""
    for attempt in range(20):
        try:
            await client.head()
        except ClientError:
            if attempt == 19:
                raise
            await asyncio.sleep(0.5)
        else:
            return


def _may_need(lease: Lease, revision: Revision) -> bool:
    """Whoever runs it has opened it already."""
    return lease.revision == revision and lease.state is LeaseState.ASSIGNED

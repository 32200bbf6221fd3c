"""Shares the seeds of what this node runs among keepers, and looks whether what others shared is right."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from flux.contracts.apps.types import AppId, Revision
from flux.contracts.market.types import Lease, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.contracts.secrets.types import Generation, Keeping, SharedSeed, Sharing
from flux.primitives.types import U32
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.specs.keepers import is_right, share_out

log = structlog.get_logger(__name__)
LOOK_AGAIN = 30.0
"""Seconds between two looks at a sharing that was in order."""
TURN_SECONDS = 5.0
"""Two nodes speak at once; each further one waits this long for those before it."""
Key = tuple[AppId, Revision]


class SharingChain(Protocol):
    """The chain as this needs it. May raise sdk.errors.ClientError."""

    async def sharing(self, app: AppId, revision: Revision) -> Sharing: ...
    async def keepers(self, app: AppId, revision: Revision) -> Keeping: ...
    async def turn(self, lease: Lease) -> int:
        """How many other nodes that run the revision come before this one."""
        ...


class Reporter(Protocol):
    """How a sharing reaches the chain."""

    async def share(self, app: AppId, revision: Revision, shared: SharedSeed) -> bool: ...


class ChainSharing:
    """Reads the contracts."""

    def __init__(self, client: FluxClient, node: NodeId) -> None:
        self._market = Market(client)
        self._node = node
        self.sharing = Secrets(client).sharing
        self.keepers = Secrets(client).keepers

    async def turn(self, lease: Lease) -> int:
        """By node number."""
        leases = await self._market.leases_of_app(lease.app)
        running = {
            other.node for other in leases if other.revision == lease.revision and other.state is LeaseState.RUNNING
        }
        return sum(node < self._node for node in running)


class SeedSharing:
    """Level-triggered: each round looks at some of the revisions that this node runs and has the seed of."""

    def __init__(
        self,
        node: NodeId,
        chain: SharingChain,
        seed_of: Callable[[Lease], bytes | None],
        reporter: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._chain = chain
        self._seed_of = seed_of
        self._reporter = reporter
        self._clock = clock
        self._look_at: dict[Key, float] = {}
        self._due_since: dict[tuple[Key, Generation], float] = {}
        self._right: dict[Key, tuple[Generation, bool]] = {}
        """The generation looked at last, and whether it is the seed's."""

    async def run_once(self, held: Iterable[Lease]) -> None:
        """Look at what is due for a look. May raise sdk.errors.ClientError."""
        running = {(lease.app, lease.revision): lease for lease in held if lease.state is LeaseState.RUNNING}
        self._forget(set(running))
        for key, lease in running.items():
            seed = self._seed_of(lease)
            if seed is not None and self._clock() >= self._look_at.get(key, 0.0):
                is_done = await self._look(key, lease, seed)
                self._look_at[key] = self._clock() + (LOOK_AGAIN if is_done else 0.0)

    async def _look(self, key: Key, lease: Lease, seed: bytes) -> bool:
        """Whether there is nothing to do before the next regular look."""
        app, revision = key
        status = await self._chain.sharing(app, revision)
        is_right = await self._is_right(key, status.generation, seed)
        if is_right and not status.is_due:
            return True
        if status.generation and status.left <= status.threshold:
            log.warning("too few keepers are left", app=app, left=status.left, threshold=status.threshold)
        if not status.is_open or len(status.seats) < status.next_threshold or self._node in status.voted:
            return True
        if not await self._is_our_turn(key, lease, status):
            return False
        generation = Generation(U32(status.generation + 1))
        shared = share_out(seed, app, revision, generation, status.next_threshold, status.seats)
        return await self._reporter.share(app, revision, shared)

    async def _is_right(self, key: Key, generation: Generation, seed: bytes) -> bool:
        if not generation:
            return False
        known = self._right.get(key)
        if known is None or known[0] != generation:
            shared = (await self._chain.keepers(*key)).shared
            known = self._right[key] = (shared.generation, is_right(shared, seed, *key))
            if not known[1]:
                log.error("keepers hold shares of another seed", app=key[0], generation=shared.generation)
        return known[1]

    async def _is_our_turn(self, key: Key, lease: Lease, status: Sharing) -> bool:
        """Two voices are enough: later nodes speak only where those before them stay silent or disagree."""
        begun = self._due_since.setdefault((key, status.generation), self._clock())
        before = await self._chain.turn(lease)
        return self._clock() >= begun + TURN_SECONDS * max(0, before - 1)

    def _forget(self, running: set[Key]) -> None:
        self._look_at = {key: value for key, value in self._look_at.items() if key in running}
        self._right = {key: value for key, value in self._right.items() if key in running}
        self._due_since = {key: value for key, value in self._due_since.items() if key[0] in running}

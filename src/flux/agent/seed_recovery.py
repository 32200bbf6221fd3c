"""Asks the keepers for the seed of a lease that nobody gave it to: all who had it are gone, and the tenant sleeps."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from flux.agent.desired import DesiredInstance, Lock
from flux.agent.identity import NodeIdentity
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.secrets.types import SharedSeed
from flux.sdk.agent_api import AgentClient
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError
from flux.sdk.http import decode_json
from flux.specs.keepers import combine, open_share
from flux.specs.private_half import PrivateHalfError

log = structlog.get_logger(__name__)
GIVERS_FIRST = 3.0
"""Seconds in which nodes that run the app may give the seed before keepers are asked."""
ASK_AGAIN = 2.0
ANSWER_SECONDS = 5.0
_MAX_ANSWER = 1024


class SeedSource(Protocol):
    """Where a seed that was found goes."""

    async def offer(self, lease: Lease, seed: bytes) -> bool:
        """Whether the seed opens the private half of the lease; then it is used."""
        ...


class Keepers(Protocol):
    """The chain and other nodes as this needs them. May raise sdk.errors.ClientError."""

    async def has_giver(self, lease: Lease) -> bool:
        """Whether another node runs the revision, and so will give the seed."""
        ...

    async def shared(self, lease: Lease) -> SharedSeed:
        """Who keeps shares."""
        ...

    async def ask(self, keeper: NodeId, lease: LeaseId) -> bytes:
        """A keeper's answer: its share, sealed to this node."""
        ...


class ChainKeepers:
    """Reads who keeps from the chain and asks them over pinned TLS, signing as this node's agent."""

    def __init__(self, client: FluxClient, identity: NodeIdentity, agents: AgentClient) -> None:
        self._market = Market(client)
        self._nodes = Nodes(client)
        self._secrets = Secrets(client)
        self._signer = identity.signer
        self._agents = agents

    async def has_giver(self, lease: Lease) -> bool:
        """Whether another node runs the revision."""
        others = await self._market.leases_of_app(lease.app)
        return any(
            other.revision == lease.revision and other.node != lease.node and other.state is LeaseState.RUNNING
            for other in others
        )

    async def shared(self, lease: Lease) -> SharedSeed:
        """Who keeps shares."""
        return (await self._secrets.keepers(lease.app, lease.revision)).shared

    async def ask(self, keeper: NodeId, lease: LeaseId) -> bytes:
        """A keeper's box. Raises ClientError for an answer that is none."""
        node: Node = await self._nodes.node(keeper)
        target = f"/v1/leases/{lease}/share"
        answer = await self._agents.download(node, self._signer, target, ANSWER_SECONDS, _MAX_ANSWER)
        try:
            return bytes.fromhex(decode_json(answer.body)["box"])
        except (ValueError, KeyError, TypeError) as error:
            raise ClientError(f"node {keeper} did not answer with a share") from error


class SeedRecovery:
    """Level-triggered: each round looks at the leases that are locked, and asks for those that are due."""

    def __init__(
        self,
        source: SeedSource,
        keepers: Keepers,
        seal_key: bytes,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seal_key` is this node's secret X25519 key, `wake` is called when a seed was found."""
        self._source = source
        self._keepers = keepers
        self._seal_key = seal_key
        self._wake = wake
        self._clock = clock
        self._first_seen: dict[LeaseId, float] = {}
        self._ask_at: dict[LeaseId, float] = {}

    async def run_once(self, instances: Iterable[DesiredInstance]) -> None:
        """Ask for every locked lease at once. May raise sdk.errors.ClientError."""
        locked = {item.lease.id: item.lease for item in instances if item.lock is not Lock.OPEN}
        now = self._clock()
        self._first_seen = {lease: self._first_seen.get(lease, now) for lease in locked}
        self._ask_at = {lease: self._ask_at.get(lease, now) for lease in locked}
        due = [lease for lease in locked.values() if self._ask_at[lease.id] <= now]
        await asyncio.gather(*(self._recover(lease) for lease in due))

    async def _recover(self, lease: Lease) -> None:
        waited = self._clock() - self._first_seen[lease.id]
        if waited < GIVERS_FIRST and await self._keepers.has_giver(lease):
            return
        shared = await self._keepers.shared(lease)
        if not shared.generation:
            return
        self._ask_at[lease.id] = self._clock() + ASK_AGAIN
        shares = await self._gather(lease, shared)
        if len(shares) < shared.threshold:
            log.warning(
                "too few keepers answered", lease=lease.id, app=lease.app, shares=len(shares), needed=shared.threshold
            )
            return
        seed = combine(dict(list(shares.items())[: shared.threshold]))
        if await self._source.offer(lease, seed):
            log.info("seed recovered from keepers", lease=lease.id, app=lease.app, generation=shared.generation)
            self._wake()
        else:
            log.warning("the keepers' seed does not open the private half", lease=lease.id, app=lease.app)

    async def _gather(self, lease: Lease, shared: SharedSeed) -> dict[int, bytes]:
        """Shares by index, as many as are needed or as come: all keepers are asked, the first answers count."""
        tasks = [asyncio.create_task(self._share(lease, shared, index)) for index in range(1, len(shared.keepers) + 1)]
        shares: dict[int, bytes] = {}
        try:
            for answered in asyncio.as_completed(tasks):
                index, share = await answered
                if share is not None:
                    shares[index] = share
                if len(shares) == shared.threshold:
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return shares

    async def _share(self, lease: Lease, shared: SharedSeed, index: int) -> tuple[int, bytes | None]:
        keeper, box = shared.keepers[index - 1].node, shared.keepers[index - 1].box
        try:
            if keeper != lease.node:
                box = await self._keepers.ask(keeper, lease.id)
            return index, open_share(box, self._seal_key, shared, index, lease.app, lease.revision)
        except (ClientError, PrivateHalfError) as error:
            log.info("no share from a keeper", lease=lease.id, keeper=keeper, reason=str(error))
            return index, None

"""Hands an app's seed on: a node that opened it seals it to each open lease of the app that has none yet."""

import time
from collections.abc import Callable

import structlog

from flux.agent.reports import ChainReporter
from flux.agent.source import ChainSource
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.specs.private_half import PrivateHalfError, seal

log = structlog.get_logger(__name__)
DOUBT_AFTER = 10.0
"""Seconds after which a lease that was given a box and does not run is given another: nobody but its node can tell
whether the first one held the seed."""


class SeedHandover:
    """Level-triggered: looks at the apps of this node and fills what is missing."""

    def __init__(
        self,
        client: FluxClient,
        node: NodeId,
        source: ChainSource,
        reporter: ChainReporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._market = Market(client)
        self._nodes = Nodes(client)
        self._secrets = Secrets(client)
        self._node = node
        self._source = source
        self._reporter = reporter
        self._clock = clock
        self._seen: dict[LeaseId, float] = {}
        """When leases that wait were first looked at, or last tried."""
        self._given: set[LeaseId] = set()

    async def run_once(self, held: list[Lease]) -> None:
        """Hand over the seeds of the leases this node holds. May raise sdk.errors.Unreachable."""
        apps = dict.fromkeys(lease.app for lease in held if self._source.seed(lease) is not None)
        leases = [lease for app in apps for lease in await self._market.leases_of_app(app)]
        waiting = [item for item in leases if item.state is LeaseState.ASSIGNED and item.node != self._node]
        now = self._clock()
        self._seen = {lease.id: self._seen.get(lease.id, now) for lease in waiting}
        self._given &= set(self._seen)
        for lease in waiting:
            if lease.id in self._given:
                continue
            if now - self._seen[lease.id] < DOUBT_AFTER and await self._secrets.boxes(lease.id):
                continue
            # Another revision has the same seed, unless its owner lost it in between.
            if (seed := await self._source.find_seed(lease)) is not None:
                self._seen[lease.id] = now
                await self._give(lease, seed)

    async def _give(self, lease: Lease, seed: bytes) -> None:
        node = await self._nodes.node(lease.node)
        try:
            box = seal(seed, node.endpoint.seal_key)
        except PrivateHalfError as error:
            log.warning("seed not handed over", lease=lease.id, node=node.id, reason=str(error))
            return
        if await self._reporter.hand_over(lease.id, lease.app, box):
            self._given.add(lease.id)

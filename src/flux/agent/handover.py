"""Hands an app's seed on: a node that opened it seals it to each open lease of the app that has none yet.

What a block placed is read from its logs, whatever the number of instances here; each app is looked at on its own when
it is placed, while one of its leases waits, and now and then in any case.
"""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from flux.agent.reports import ChainReporter
from flux.agent.source import ChainSource
from flux.contracts import addresses
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, LeaseAssigned, LeaseId, LeaseState
from flux.contracts.nodes.types import NodeId
from flux.kernel.events import event_codec
from flux.primitives.hexadecimal import quantity, to_hex
from flux.primitives.types import U64
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient, parse_log
from flux.sdk.errors import RpcError
from flux.specs.private_half import PrivateHalfError, seal

log = structlog.get_logger(__name__)
DOUBT_AFTER = 10.0
"""Seconds after which a lease that was given a box and does not run is given another: nobody but its node can tell
whether the first one held the seed."""
LOOK_AGAIN = 30.0
"""Seconds between two looks at an app of which nothing was heard."""
MAX_BLOCKS = 1_000
"""Logs of more blocks at once are not asked for: all apps are looked at instead."""


class Placements(Protocol):
    """The chain's record of what was placed. May raise sdk.errors.ClientError."""

    async def placed(self, first: int, last: int) -> set[AppId]:
        """Apps of which blocks `first` to `last` placed an instance."""
        ...


class ChainPlacements:
    """Reads the market's logs."""

    def __init__(self, client: FluxClient) -> None:
        self._client = client

    async def placed(self, first: int, last: int) -> set[AppId]:
        """Apps of which blocks `first` to `last` placed an instance."""
        codec = event_codec(LeaseAssigned)
        query = {
            "fromBlock": quantity(first),
            "toBlock": quantity(last),
            "address": to_hex(addresses.MARKET),
            "topics": [to_hex(codec.topic0)],
        }
        logs = [parse_log(log) for log in await self._client.transport.request("eth_getLogs", query)]
        return {AppId(U64(int.from_bytes(log.topics[2], "big"))) for log in logs}


class SeedHandover:
    """Level-triggered: looks at apps of this node and fills what is missing."""

    def __init__(
        self,
        client: FluxClient,
        node: NodeId,
        source: ChainSource,
        reporter: ChainReporter,
        clock: Callable[[], float] = time.monotonic,
        placements: Placements | None = None,
    ) -> None:
        self._placements = placements or ChainPlacements(client)
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
        self._head = 0
        """The newest block whose placements were read."""
        self._look_at: dict[AppId, float] = {}
        """When each app is looked at though nothing is heard of it; at once while one of its leases waits."""

    async def run_once(self, held: list[Lease], head: int) -> None:
        """Hand over the seeds of the leases this node holds, as of block `head`. May raise sdk.errors.ClientError."""
        apps = dict.fromkeys(lease.app for lease in held if self._source.seed(lease) is not None)
        self._look_at = {app: at for app, at in self._look_at.items() if app in apps}
        for app in await self._placed(head):
            self._look_at.pop(app, None)
        now = self._clock()
        due = [app for app in apps if self._look_at.get(app, now) <= now]
        waiting: list[Lease] = []
        for app in due:
            leases = await self._market.leases_of_app(app)
            found = [item for item in leases if item.state is LeaseState.ASSIGNED and item.node != self._node]
            waiting += found
            self._look_at[app] = now if found else now + LOOK_AGAIN
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

    async def _placed(self, head: int) -> set[AppId]:
        """Apps looked at before of which something was placed since; all of them where that is too long ago."""
        known, missed = set(self._look_at), head - self._head
        if not known or missed <= 0:
            placed = set[AppId]()
        elif missed > MAX_BLOCKS:
            placed = known
        else:
            try:
                placed = await self._placements.placed(self._head + 1, head)
            except RpcError as error:  # more was placed than an endpoint answers at once, say
                log.info("logs of placements refused, all apps are looked at", reason=str(error))
                placed = known
        self._head = max(self._head, head)
        return placed

    async def _give(self, lease: Lease, seed: bytes) -> None:
        node = await self._nodes.node(lease.node)
        try:
            box = seal(seed, node.endpoint.seal_key)
        except PrivateHalfError as error:
            log.warning("seed not handed over", lease=lease.id, node=node.id, reason=str(error))
            return
        if await self._reporter.hand_over(lease.id, lease.app, box):
            self._given.add(lease.id)

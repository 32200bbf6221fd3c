"""Looks at the volumes of this node once a minute, and deletes those whose quarantine is over (`quarantine`)."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Protocol

import structlog

from flux.agent.desired import NodeFacts
from flux.agent.quarantine import Moment, Sighting, judge
from flux.agent.sightings import Notes, SightingStore
from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, Ordinal
from flux.runtime.errors import InUse, RuntimeFailure
from flux.runtime.labels import VolumeKey, find_volume_owner, node_labels
from flux.runtime.port import ContainerRuntime
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError

log = structlog.get_logger(__name__)
LOOK_INTERVAL = 60.0
Holder = tuple[AppId, Ordinal]


class QuarantineSource(Protocol):
    """The chain as the keeper needs it. Every method may raise sdk.errors.ClientError."""

    async def leases_of_app(self, app: AppId) -> list[Lease]: ...
    async def times(self) -> tuple[int, int, int]:
        """Protocol time and Unix time of the newest block, and the protocol's quarantine in seconds."""
        ...


class ChainQuarantineSource:
    """Reads from the chain."""

    def __init__(self, client: FluxClient) -> None:
        self._client = client
        self._market = Market(client)

    async def leases_of_app(self, app: AppId) -> list[Lease]:
        return await self._market.leases_of_app(app)

    async def times(self) -> tuple[int, int, int]:
        request = self._client.transport.request
        clock, params = await request("flux_clock"), await request("flux_params")
        head = await self._client.head()
        return int(clock["now"], 16), head.timestamp, int(params["escrow"]["volumeGrace"], 16)


class VolumeKeeper:
    """Keeps one node's volumes. `held` are the instances that its loop works for: theirs are never touched."""

    def __init__(
        self,
        node: NodeFacts,
        source: QuarantineSource,
        runtime: ContainerRuntime,
        store: SightingStore,
        keep_seconds: int,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._source = source
        self._runtime = runtime
        self._store = store
        self._keep_seconds = keep_seconds
        self._wall = wall
        self._monotonic = monotonic
        self._looked_at: float | None = None

    async def run(self, held: Callable[[], Collection[Holder]]) -> None:
        """Look again and again, until cancelled; what can't be asked now is asked at the next look."""
        limits_said = False
        while True:
            try:
                if not limits_said:
                    _say_limits(await self._runtime.volume_limits())
                    limits_said = True
                await self.run_once(held())
            except (ClientError, RuntimeFailure, OSError) as error:
                log.warning("volumes not looked through, all are kept", reason=str(error))
            await asyncio.sleep(LOOK_INTERVAL)

    async def run_once(self, held: Collection[Holder]) -> None:
        """One look. May raise sdk.errors.ClientError and runtime.errors.RuntimeFailure; nothing is lost then."""
        volumes = await self._runtime.list_volumes(node_labels(self._node.chain, self._node.node))
        chain_now, block_time, floor = await self._source.times()
        owners = {view.name: owner for view in volumes if (owner := find_volume_owner(view.labels)) is not None}
        idle = {name: owner for name, owner in owners.items() if (owner.app, owner.ordinal) not in held}
        leases = {app: await self._source.leases_of_app(app) for app in sorted({owner.app for owner in idle.values()})}
        moment = Moment(chain_now, block_time, self._wall(), self._passed(), max(floor, self._keep_seconds))
        before = self._store.load()
        noted: dict[str, Sighting] = {}
        for name, owner in sorted(idle.items()):
            verdict = judge(owner, leases[owner.app], before.volumes.get(name), moment)
            if verdict.delete and await self._delete(name, owner, moment):
                continue
            if verdict.sighting is not None:
                noted[name] = verdict.sighting
        if (after := Notes(self._keep_seconds, noted)) != before:
            self._store.save(after)

    def _passed(self) -> float:
        now, before = self._monotonic(), self._looked_at
        self._looked_at = now
        return 0.0 if before is None else now - before

    async def _delete(self, name: str, owner: VolumeKey, moment: Moment) -> bool:
        try:
            await self._runtime.remove_volume(name)
        except InUse:
            log.warning("volume kept", volume=name, app=owner.app, reason="a container still uses it")
            return False
        log.info("volume deleted", volume=name, app=owner.app, instance=owner.ordinal, quarantine_seconds=moment.grace)
        return True


def _say_limits(obstacle: str) -> None:
    if obstacle:
        log.warning("sizes of volumes are only counted", reason=obstacle)
    else:
        log.info("sizes of volumes are enforced")

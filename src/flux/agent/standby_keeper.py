"""Looks every few seconds at whom this node stands by for, and does what `standby` plans: fetch, say so.

It gives way to instances: nothing is fetched while one is being started, and a transfer ends when one needs an image.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from flux.agent.standby import Duty, Failure, Fetch, Hold, Holdings, LetGo, Step, plan_standby
from flux.contracts.apps.types import AppId, AppSpec, Revision, decode_spec
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import Hash
from flux.runtime.errors import ImageNotFound, OutOfDisk, RequestRefused, RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ImageReference
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError, Refused

log = structlog.get_logger(__name__)
LOOK_INTERVAL = 5.0
RETRY_SECONDS = 30.0
"""Between two tries to fetch an image that may come after all; more where the registry says so."""


class StandbySource(Protocol):
    """The chain as the keeper needs it. May raise sdk.errors.ClientError."""

    async def duties(self) -> list[Duty]: ...


class StandbyReporter(Protocol):
    """How the keeper reports; a report that the chain refuses is over, not an error."""

    async def hold(self, app: AppId, images: Hash) -> bool: ...
    async def let_go(self, app: AppId) -> bool: ...


class Host(Protocol):
    """What the node does for its leases, which comes first."""

    def is_busy(self) -> bool:
        """Whether one is being started or changed."""
        ...


class ChainStandbySource:
    """Reads from the chain; a revision's spec never changes, so each is read once."""

    def __init__(self, client: FluxClient, node: NodeId) -> None:
        self._market = Market(client)
        self._apps = Apps(client)
        self._node = node
        self._specs: dict[tuple[AppId, Revision], AppSpec] = {}

    async def images(self) -> set[ImageReference]:
        """All that this node is to hold."""
        return {image for duty in await self.duties() for image in duty.images}

    async def duties(self) -> list[Duty]:
        """Whose images this node is to hold. One whose spec this agent does not understand is left out."""
        found = await self._market.standby_duties(self._node)
        wanted = {(duty.app, duty.revision): None for duty in found}
        self._specs = {key: spec for key, spec in self._specs.items() if key in wanted}
        duties = []
        for duty in found:
            key = (duty.app, duty.revision)
            if key not in self._specs:
                try:
                    self._specs[key] = decode_spec(await self._apps.spec(*key))
                except (Refused, ValueError) as error:
                    log.warning("spec not understood, not standing by", app=duty.app, reason=str(error))
                    continue
            names = dict.fromkeys(ImageReference(part.image) for part in self._specs[key].components)
            duties.append(Duty(duty.app, tuple(names), duty.images, duty.ready))
        return duties


class StandbyKeeper:
    """Holds images for one node."""

    def __init__(
        self,
        source: StandbySource,
        runtime: ContainerRuntime,
        reporter: StandbyReporter,
        pull: Callable[[ImageReference], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pull` fetches an image and notes whose it is; `clock` is monotonic."""
        self._source = source
        self._runtime = runtime
        self._reporter = reporter
        self._pull = pull
        self._clock = clock
        self._failures: dict[ImageReference, Failure] = {}
        self._transfer: asyncio.Task[None] | None = None

    @property
    def is_fetching(self) -> bool:
        """Whether an image is being transferred."""
        return self._transfer is not None

    def give_way(self) -> None:
        """An instance needs an image now: what is being fetched here waits until later."""
        if self._transfer is not None:
            self._transfer.cancel()

    async def run(self, host: Host) -> None:
        """Look again and again, until cancelled; what can't be asked now is asked at the next look."""
        while True:
            try:
                await self.run_once(host)
            except (ClientError, RuntimeFailure) as error:
                log.warning("not looked at whom this node stands by for", reason=str(error))
            await asyncio.sleep(LOOK_INTERVAL)

    async def run_once(self, host: Host) -> None:
        """One look. May raise sdk.errors.ClientError, runtime.errors.RuntimeFailure; nothing is lost then."""
        duties = await self._source.duties()
        asked = dict.fromkeys(image for duty in duties for image in duty.images)
        present = [image for image in asked if await self._runtime.has_image(image)]
        self._failures = {
            image: failure for image, failure in self._failures.items() if image in asked and image not in present
        }
        for step in plan_standby(duties, Holdings(present, self._failures), self._clock()):
            await self._take(step, host)

    async def _take(self, step: Step, host: Host) -> None:
        match step:
            case Hold(duty):
                await self._reporter.hold(duty.app, duty.fingerprint)
            case LetGo(duty):
                await self._reporter.let_go(duty.app)
            case Fetch(image):
                if not host.is_busy():
                    await self._fetch(image)

    async def _fetch(self, image: ImageReference) -> None:
        task = self._transfer = asyncio.ensure_future(self._pull(image))
        try:
            await asyncio.wait([task])
        finally:
            self._transfer = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if task.cancelled():
            log.info("image fetched later: an instance comes first", image=image)
        elif (error := task.exception()) is None:
            log.info("image fetched to stand by", image=image)
        elif isinstance(error, RuntimeFailure):
            for_good = not error.retry or isinstance(error, ImageNotFound | OutOfDisk | RequestRefused)
            self._failures[image] = Failure(for_good, self._clock() + max(error.delay, RETRY_SECONDS))
            log.warning("image not fetched", image=image, reason=str(error), for_good=for_good)
        else:
            raise error

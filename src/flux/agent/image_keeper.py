"""Fetches images for leases and standby, notes which this agent fetched, and removes those when they are used no more.

Images that were here before, or that somebody else brought, are never touched. `images` decides; this looks once a
minute.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from flux.agent.desired import DesiredInstance
from flux.agent.images import is_short, removable, watched
from flux.agent.quarantine import MAX_BLOCK_AGE
from flux.contracts.apps.types import AppId, Revision, decode_spec
from flux.contracts.market.rollout_types import RolloutState
from flux.contracts.market.types import LeaseId
from flux.durable import write_whole
from flux.runtime.errors import InUse, RequestRefused, RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ImageReference, RegistryLogin
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError, Refused

log = structlog.get_logger(__name__)
LOOK_INTERVAL = 60.0
READ_FRESH = 30.0
"""Seconds that the loop's last reading of the chain may be old: longer, and its leases are not known."""
FILE = "images.json"
_UNDECIDED = (RolloutState.ROLLING, RolloutState.ROLLING_BACK, RolloutState.PAUSED)
"""An app may come to either of two revisions."""


class ImageSource(Protocol):
    """The chain as the keeper needs it. May raise sdk.errors.ClientError."""

    async def block_time(self) -> int:
        """Unix time of the newest block."""
        ...

    async def standby(self) -> set[ImageReference]:
        """What this node holds, or is to hold, for apps that it stands by for."""
        ...

    async def undecided(self, apps: Iterable[AppId]) -> set[ImageReference]:
        """What apps are made of that may come to another revision, or back to the last one, at any moment."""
        ...


class Host(Protocol):
    """What the node does for its leases."""

    chain_read_at: float | None
    """When the chain was last read, by the monotonic clock."""

    def images(self) -> Collection[ImageReference]:
        """What its instances need."""
        ...

    def desired(self) -> Mapping[LeaseId, DesiredInstance]:
        """Its open leases."""
        ...

    def forget_image(self, image: ImageReference) -> None:
        """Told before an image is removed."""
        ...


class Duties(Protocol):
    """Of standby: whose images a node is to hold."""

    async def images(self) -> set[ImageReference]: ...


class ChainImageSource:
    """Reads from the chain."""

    def __init__(self, client: FluxClient, duties: Duties) -> None:
        self._client = client
        self._market = Market(client)
        self._apps = Apps(client)
        self._duties = duties

    async def block_time(self) -> int:
        return (await self._client.head()).timestamp

    async def standby(self) -> set[ImageReference]:
        return await self._duties.images()

    async def undecided(self, apps: Iterable[AppId]) -> set[ImageReference]:
        needed: set[ImageReference] = set()
        for app in apps:
            rollout = await self._market.rollout(app)
            if rollout.state in _UNDECIDED:
                for revision in {rollout.source, rollout.target} - {0}:
                    needed |= await self._images(app, revision)
        return needed

    async def _images(self, app: AppId, revision: Revision) -> set[ImageReference]:
        try:
            spec = decode_spec(await self._apps.spec(app, revision))
        except (Refused, ValueError):
            return set()  # forgotten, or not understood: this agent starts nothing of it
        return {ImageReference(component.image) for component in spec.components}


class ImageStore:
    """Which images are this agent's and for how long each was unused, in seconds, in a file of the node's folder.

    Losing it only leaves the images there.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def load(self) -> dict[ImageReference, float]:
        """Nothing where the file is missing or damaged."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            return {}
        return {ImageReference(name): seconds for name, seconds in found.items()}

    def save(self, unused: Mapping[ImageReference, float]) -> None:
        """Raises OSError."""
        write_whole(self._path, msgspec.json.encode(dict(sorted(unused.items()))))


class ImageKeeper:
    """The images that one agent fetched."""

    def __init__(
        self,
        source: ImageSource,
        runtime: ContainerRuntime,
        store: ImageStore,
        keep_seconds: float,
        removed: Callable[[str], None] = lambda reason: None,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`removed` is told of each removal, and why: `unused` or `disk`."""
        self._source = source
        self._runtime = runtime
        self._store = store
        self._keep = keep_seconds
        self._removed = removed
        self._wall = wall
        self._monotonic = monotonic
        self._saved = store.load()
        self._unused = dict(self._saved)
        self._pulls: Counter[ImageReference] = Counter()
        self._looked_at: float | None = None
        """When the last look ended well; None where the time since is not to be counted."""

    def held(self) -> Mapping[ImageReference, float]:
        """For how many seconds each image that this agent fetched has been unused."""
        return dict(self._unused)

    async def pull(self, image: ImageReference, login: RegistryLogin | None = None) -> None:
        """As the runtime's; an image that was not here is this agent's from now on, also if it dies on the way."""
        if image in self._unused or not await self._runtime.has_image(image):
            self._unused[image] = 0.0
            self._save()
        self._pulls[image] += 1
        try:
            await self._runtime.pull(image, login)
        finally:
            self._pulls[image] -= 1

    async def run(self, host: Host) -> None:
        """Look again and again, until cancelled; what can't be asked now is asked at the next look."""
        while True:
            try:
                await self.run_once(host)
            except (ClientError, RuntimeFailure) as error:
                log.warning("images not looked through, all are kept", reason=str(error))
            await asyncio.sleep(LOOK_INTERVAL)

    async def run_once(self, host: Host) -> None:
        """One look. May raise sdk.errors.ClientError and runtime.errors.RuntimeFailure; nothing is removed then."""
        before, self._looked_at = self._looked_at, None
        if not self._unused or not await self._is_current(host):
            return
        now = self._monotonic()
        standby = await self._source.standby()
        self._unused = watched(self._unused, self._used(host, standby), 0.0 if before is None else now - before)
        await self._forget_missing()
        disk_is_short = is_short(await self._runtime.disk())
        if removable(self._unused, self._keep, short=disk_is_short):
            undecided = await self._source.undecided(sorted({item.lease.app for item in host.desired().values()}))
            await self._remove(host, standby | undecided)
        self._looked_at = now
        self._save()

    async def _is_current(self, host: Host) -> bool:
        """Whether the leases are known and the chain's newest block is of now."""
        read_at = host.chain_read_at
        if read_at is None or self._monotonic() - read_at > READ_FRESH:
            return False
        return abs(await self._source.block_time() - self._wall()) <= MAX_BLOCK_AGE

    def _used(self, host: Host, others: Collection[ImageReference]) -> set[ImageReference]:
        return {*host.images(), *others, *(image for image, pulls in self._pulls.items() if pulls)}

    async def _forget_missing(self) -> None:
        """What somebody else removed is no longer ours, should somebody bring it again."""
        for image in [image for image, seconds in self._unused.items() if seconds > 0]:
            if not await self._runtime.has_image(image) and not self._pulls[image]:
                del self._unused[image]

    async def _remove(self, host: Host, needed: set[ImageReference]) -> None:
        """Remove what is due one by one; for lack of room, no more than it takes."""
        while True:
            short = is_short(await self._runtime.disk())
            used = self._used(host, needed)
            self._unused = watched(self._unused, used, 0.0)
            due = removable(self._unused, self._keep, short=short)
            if not due:
                return
            await self._remove_one(host, due[0])

    async def _remove_one(self, host: Host, image: ImageReference) -> None:
        unused = self._unused[image]
        reason = "unused" if unused >= self._keep else "disk"
        host.forget_image(image)
        try:
            await self._runtime.remove_image(image)
        except (InUse, RequestRefused) as error:
            self._unused[image] = 0.0  # tried again when it was unused for as long once more
            log.info("image kept", image=image, reason=str(error))
            return
        if not self._pulls[image]:  # else it is fetched again by now
            del self._unused[image]
        self._removed(reason)
        log.info("image removed", image=image, reason=reason, unused_seconds=round(unused))

    def _save(self) -> None:
        """Best effort: what is not written is only not known after a restart, and is written at the next look."""
        if self._unused == self._saved:
            return
        try:
            self._store.save(self._unused)
        except OSError as error:
            log.warning("images not noted", reason=str(error))
        else:
            self._saved = dict(self._unused)

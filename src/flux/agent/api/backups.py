"""Backup and restore of an instance's volumes by the app's owner: tar streams over the node's own connection.

A backup runs the app's own commands around it (`x-flux.backup`), and those after it also when the stream breaks. A
restore unpacks everything first; then it stops the components that mount the volumes, swaps all of them or none, and
starts the components again.
The operator has no such verb here: hosting an app is not owning it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from flux.agent.container_specs import start_order
from flux.agent.desired import DesiredInstance, NodeFacts
from flux.agent.loop import AgentLoop
from flux.agent.observed import ObservedContainer
from flux.contracts.market.types import LeaseId
from flux.runtime.errors import BadArchive, InUse, OutOfDisk, RuntimeFailure, VolumesNotReadable
from flux.runtime.labels import volume_name
from flux.runtime.port import ContainerRuntime, UnpackedVolumes

log = structlog.get_logger(__name__)
_PIECE = 256 * 1024
_MOST_WORDS = 200
"""Characters of a failed command's output that its owner is told."""


@dataclass(frozen=True, slots=True)
class BackupLimits:
    """What backups and restores may take of a node."""

    per_node: int = 2
    stall_seconds: float = 60
    """How long the other side may take for the next piece: an app may be waiting for its second command."""
    start_seconds: float = 600
    least_rate: int = 256 * 1024
    """Bytes a second: all pieces together may take `start_seconds` and as long as they need at this rate."""
    command_seconds: float = 300


class Pace:
    """How long the next piece of one stream may take; who is too slow as a whole holds an app and a place up."""

    def __init__(self, limits: BackupLimits) -> None:
        self._limits = limits
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._bytes = 0

    def next_piece(self) -> asyncio.Timeout:
        """Around the wait for a piece. Raises TimeoutError."""
        allowed = self._begun + self._limits.start_seconds + self._bytes / self._limits.least_rate
        return asyncio.timeout_at(min(self._clock() + self._limits.stall_seconds, allowed))

    def count(self, size: int) -> None:
        """A piece is through."""
        self._bytes += size


class BackupApi:
    """Answers requests that were authorised before."""

    def __init__(
        self, node: NodeFacts, loop: AgentLoop, runtime: ContainerRuntime, limits: BackupLimits | None = None
    ) -> None:
        self._node = node
        self._loop = loop
        self._runtime = runtime
        self._limits = limits or BackupLimits()
        self._active: set[LeaseId] = set()

    async def backup(self, request: web.Request, lease: LeaseId) -> web.StreamResponse:
        """The volumes' contents as one tar; `volume` may be given several times, none means all."""
        desired = self._desired(lease)
        volumes = self._chosen(request, desired)
        with self._slot(lease), _told():
            async with self._quiet(desired), aclosing(self._runtime.read_volumes(volumes)) as pieces:
                # What can't be read at all is refused before the answer begins.
                first = await anext(pieces)
                pace = Pace(self._limits)
                response = web.StreamResponse(headers={"Content-Type": "application/x-tar"})
                await response.prepare(request)
                try:
                    await _write(response, first, pace)
                    async for piece in pieces:
                        await _write(response, piece, pace)
                    await response.write_eof()
                except (RuntimeFailure, TimeoutError, OSError) as error:
                    # A body that just ended would be taken for whole.
                    if request.transport is not None:
                        request.transport.abort()
                    log.warning("backup broken off", lease=lease, reason=str(error) or type(error).__name__)
                else:
                    log.info("backup made", lease=lease, volumes=sorted(volumes))
                return response

    async def restore(self, request: web.Request, lease: LeaseId) -> web.Response:
        """Replace the contents of the volumes named by `volume` with those of the tar in the body."""
        desired = self._desired(lease)
        volumes = self._chosen(request, desired)
        if request.content_length is None:
            raise web.HTTPLengthRequired(text="a restore says its length, so that a broken one is known")
        with self._slot(lease), _told():
            # Refused requests never get here, and their clients never send a body.
            if request.transport is not None and request.headers.get("Expect", "").lower() == "100-continue":
                request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            async with self._runtime.write_volumes(volumes, self._body(request)) as unpacked:
                await self._replace(desired, volumes, unpacked)
        log.info("volumes restored", lease=lease, volumes=sorted(volumes))
        return web.json_response({"volumes": sorted(volumes)})

    async def _body(self, request: web.Request) -> AsyncIterator[bytes]:
        missing, pace = request.content_length or 0, Pace(self._limits)
        while missing:
            try:
                async with pace.next_piece():
                    data = await request.content.read(_PIECE)
            except TimeoutError as error:
                raise BadArchive("The archive stopped coming, or comes too slowly.", "Nothing was changed.") from error
            if not data:
                raise BadArchive("The archive was broken off.", "Nothing was changed.")
            missing -= len(data)
            pace.count(len(data))
            yield data

    async def _replace(self, desired: DesiredInstance, volumes: Mapping[str, str], unpacked: UnpackedVolumes) -> None:
        async with self._loop.hold(desired.lease.id):
            containers = self._containers(desired.lease.id)
            users = [
                item.name for item in start_order(desired) if any(mount.volume in volumes for mount in item.mounts)
            ]
            running = [containers[name] for name in users if name in containers and containers[name].is_running]
            for container in reversed(running):
                await self._runtime.stop(container.view.id)
            try:
                await unpacked.swap()
            finally:
                for container in running:
                    try:
                        await self._runtime.start(container.view.id)
                    except RuntimeFailure as error:
                        # The loop starts it as soon as it may; what became of the volumes is the answer.
                        log.warning("not started after a restore", lease=desired.lease.id, reason=str(error))

    @asynccontextmanager
    async def _quiet(self, desired: DesiredInstance) -> AsyncIterator[None]:
        """Between the commands that the app's components want before and after a backup."""
        begun: list[str] = []
        try:
            for component in start_order(desired):
                begun.append(component.name)
                await self._command(desired, component.name, "pre")
            yield
        finally:
            for name in reversed(begun):
                try:
                    await self._command(desired, name, "post")
                except (web.HTTPConflict, RuntimeFailure) as error:
                    # The answer has been given; the others' commands must run all the same.
                    reason = error.text if isinstance(error, web.HTTPConflict) else str(error)
                    log.warning("command after a backup failed", lease=desired.lease.id, reason=reason)

    async def _command(self, desired: DesiredInstance, name: str, when: str) -> None:
        """Run one of a component's commands, if it has it and runs. Raises HTTPConflict when it fails."""
        private = desired.private_component(name)
        argv = private.backup_pre if when == "pre" else private.backup_post
        container = self._containers(desired.lease.id).get(name)
        if argv is None or container is None or not container.is_running:
            return
        seconds = self._limits.command_seconds
        try:
            result = await self._runtime.exec(container.view.id, argv, timeout_seconds=seconds)
        except TimeoutError as error:
            raise web.HTTPConflict(text=f"the {when} command of {name} took longer than {seconds:g} s") from error
        if result.exit_code != 0:
            words = (result.stderr or result.stdout).decode(errors="replace")[-_MOST_WORDS:]
            text = f"the {when} command of {name} ended with status {result.exit_code}: {' '.join(words.split())}"
            raise web.HTTPConflict(text=text)

    def _desired(self, lease: LeaseId) -> DesiredInstance:
        desired = self._loop.status(lease).desired
        if desired is None:
            raise web.HTTPNotFound(text=f"this node has no open lease {lease}")
        return desired

    def _containers(self, lease: LeaseId) -> Mapping[str, ObservedContainer]:
        observed = self._loop.status(lease).observed
        return {} if observed is None else observed.containers

    def _chosen(self, request: web.Request, desired: DesiredInstance) -> dict[str, str]:
        """The engine's names of the volumes that are meant, by the spec's."""
        known = {mount.volume for component in desired.spec.components for mount in component.mounts}
        wanted = request.query.getall("volume", sorted(known))
        if unknown := sorted(set(wanted) - known):
            there = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise web.HTTPNotFound(text=f"the app has no volume {', '.join(unknown)[:200]}: {there}")
        if not wanted:
            raise web.HTTPConflict(text="the app has no volumes")
        lease = desired.lease
        return {name: volume_name(self._node.chain, self._node.node, lease.app, lease.ordinal, name) for name in wanted}

    @contextmanager
    def _slot(self, lease: LeaseId) -> Iterator[None]:
        if lease in self._active:
            raise web.HTTPTooManyRequests(text="a backup or restore of this instance is under way; wait for its end")
        if len(self._active) >= self._limits.per_node:
            raise web.HTTPTooManyRequests(text="this node is busy with other backups; try again in a few minutes")
        self._active.add(lease)
        try:
            yield
        finally:
            self._active.discard(lease)


async def _write(response: web.StreamResponse, piece: bytes, pace: Pace) -> None:
    async with pace.next_piece():
        await response.write(piece)
    pace.count(len(piece))


@contextmanager
def _told() -> Iterator[None]:
    """Failures that the owner can do something about are told as such."""
    try:
        yield
    except VolumesNotReadable as error:
        raise web.HTTPConflict(text=f"{error.message} {error.hint}") from error
    except BadArchive as error:
        raise web.HTTPUnprocessableEntity(text=f"{error.message} {error.hint}") from error
    except InUse as error:
        words = "a container uses the volumes again, after an update perhaps, and nothing was changed"
        raise web.HTTPConflict(text=f"{words}: restore once more when the app runs") from error
    except OutOfDisk as error:
        words = "this node's disk has no room for the new contents beside the old, and nothing was changed"
        raise web.HTTPInsufficientStorage(text=f"{words}: move the instance (flux app move), or try later") from error


async def no_continue(_: web.Request) -> None:
    """Say nothing to `Expect: 100-continue` yet: `restore` does, once the request is authorised."""

"""The runtime port on an in-memory engine."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from flux.runtime.checks import check_image, check_name, check_spec
from flux.runtime.errors import (
    ContainerNotRunning,
    ContainerRunning,
    ImageNotFound,
    InUse,
    NameConflict,
)
from flux.runtime.memory import volume_files
from flux.runtime.memory.container import Container
from flux.runtime.memory.engine import MemoryEngine, carries
from flux.runtime.memory.exec_session import open_exec
from flux.runtime.memory.process import Process, execute
from flux.runtime.port import NOTHING_KNOWN, ExecSession, UnpackedVolumes
from flux.runtime.types import (
    MIB,
    ContainerEvent,
    ContainerId,
    ContainerSpec,
    ContainerStats,
    ContainerView,
    DiskSpace,
    EngineInfo,
    EventKind,
    ExecResult,
    ImageReference,
    LogLine,
    NetworkView,
    PullProgress,
    RegistryLogin,
    SecretFile,
    TerminalSize,
    VolumeView,
)


class MemoryRuntime:
    """Meets `runtime.port.ContainerRuntime`, where each operation is described."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine

    async def ping(self) -> EngineInfo:
        self.engine.check_up()
        return EngineInfo("memory", "0", "amd64", cpus=8, memory_mib=16_384, storage="memory")

    async def list_containers(
        self, labels: Mapping[str, str], known: Mapping[ContainerId, ContainerView] = NOTHING_KNOWN
    ) -> list[ContainerView]:
        self.engine.check_up()
        found = (container for container in self.engine.containers.values() if carries(container.spec.labels, labels))
        seen = [container.view() for container in found]
        return sorted((_unless_changed(view, known.get(view.id)) for view in seen), key=lambda view: view.name)

    async def find_container(self, container: ContainerId) -> ContainerView | None:
        self.engine.check_up()
        check_name(container)
        found = self.engine.look_up(container)
        return found.view() if found is not None else None

    async def has_image(self, image: ImageReference) -> bool:
        self.engine.check_up()
        check_image(image)
        return image in self.engine.images

    async def pull(
        self,
        image: ImageReference,
        login: RegistryLogin | None = None,
        on_progress: Callable[[PullProgress], None] | None = None,
    ) -> None:
        self.engine.check_up()
        check_image(image)
        if on_progress is not None:
            on_progress(PullProgress(layers_done=0, layers=1, bytes_done=0, bytes_total=MIB))
        await self.engine.pull(image)
        if on_progress is not None:
            on_progress(PullProgress(layers_done=1, layers=1, bytes_done=MIB, bytes_total=MIB))

    async def remove_image(self, image: ImageReference) -> None:
        self.engine.check_up()
        check_image(image)
        self.engine.remove_image(image)

    async def disk(self) -> DiskSpace | None:
        self.engine.check_up()
        return self.engine.disk

    async def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        self.engine.check_up()
        check_name(name)
        existing = self.engine.networks.setdefault(name, NetworkView(name, dict(labels)))
        if not carries(existing.labels, labels):
            raise NameConflict(f"Network {name} exists and belongs to something else.", "Remove it first.")

    async def remove_network(self, name: str) -> None:
        self.engine.check_up()
        check_name(name)
        if any(other.is_running and other.spec.network == name for other in self.engine.containers.values()):
            raise InUse("A container still uses it.")
        self.engine.networks.pop(name, None)

    async def list_networks(self, labels: Mapping[str, str]) -> list[NetworkView]:
        self.engine.check_up()
        return [view for _, view in sorted(self.engine.networks.items()) if carries(view.labels, labels)]

    async def ensure_volume(self, name: str, labels: Mapping[str, str], size_mib: int) -> VolumeView:
        self.engine.check_up()
        check_name(name)
        limited = not self.engine.volume_obstacle
        existing = self.engine.volumes.setdefault(name, VolumeView(name, dict(labels), size_mib, limited))
        if not carries(existing.labels, labels):
            raise NameConflict(f"Volume {name} exists and belongs to something else.", "Remove it first.")
        grown = replace(existing, size_mib=max(existing.size_mib, size_mib)) if existing.limited else existing
        self.engine.volumes[name] = grown
        return grown

    async def volume_limits(self) -> str:
        self.engine.check_up()
        return self.engine.volume_obstacle

    async def remove_volume(self, name: str) -> None:
        self.engine.check_up()
        check_name(name)
        mounts = (mount for other in self.engine.containers.values() for mount in other.spec.mounts)
        if any(mount.volume == name for mount in mounts):
            raise InUse("A container still uses it.")
        self.engine.volumes.pop(name, None)
        self.engine.files.pop(name, None)

    async def release_volumes(self, labels: Mapping[str, str]) -> None:
        self.engine.check_up()

    async def list_volumes(self, labels: Mapping[str, str]) -> list[VolumeView]:
        self.engine.check_up()
        return [view for _, view in sorted(self.engine.volumes.items()) if carries(view.labels, labels)]

    def read_volumes(self, volumes: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        return volume_files.read(self.engine, volumes)

    def write_volumes(
        self, volumes: Mapping[str, str], tar: AsyncIterator[bytes]
    ) -> AbstractAsyncContextManager[UnpackedVolumes]:
        return volume_files.write(self.engine, volumes, tar)

    async def create(self, spec: ContainerSpec) -> ContainerId:
        self.engine.check_up()
        check_spec(spec)
        existing = self.engine.look_up(ContainerId(spec.name))
        if existing is not None:
            if carries(existing.spec.labels, spec.labels):
                return existing.id
            raise NameConflict(f"Container {spec.name} exists and is another one.", "Remove it first.")
        if spec.image not in self.engine.images:
            raise ImageNotFound("The engine does not hold the image.", "Pull it first.")
        await self.place_secrets(spec.name, spec.secrets)
        container = Container(self.engine.next_id(), spec, self.engine.clock, self.engine.tell)
        self.engine.containers[container.id] = container
        self.engine.tell(container, EventKind.CREATED)
        return container.id

    async def place_secrets(self, name: str, secrets: Sequence[SecretFile]) -> None:
        self.engine.check_up()
        check_name(name)
        if secrets:
            self.engine.secrets[name] = tuple(secrets)

    async def start(self, container: ContainerId) -> None:
        self.engine.check_up()
        self.engine.start(self.engine.find(container))

    async def stop(self, container: ContainerId, grace_seconds: int | None = None) -> None:
        self.engine.check_up()
        found = self.engine.look_up(container)
        if found is not None:
            await found.stop(found.spec.stop_grace_seconds if grace_seconds is None else grace_seconds)

    async def remove(self, container: ContainerId, *, force: bool = False) -> None:
        self.engine.check_up()
        found = self.engine.look_up(container)
        if found is None:
            return
        if found.is_running and not force:
            raise ContainerRunning("The container runs.", "Stop it first, or remove it with force.")
        found.kill()
        await found.shut_down()
        # Another removal may have been quicker.
        self.engine.secrets.pop(found.spec.name, None)
        if self.engine.containers.pop(found.id, None) is not None:
            self.engine.tell(found, EventKind.REMOVED)

    async def logs(
        self, container: ContainerId, *, follow: bool = False, tail: int | None = None, since_ns: int = 0
    ) -> AsyncGenerator[LogLine, None]:
        self.engine.check_up()
        async for line in self.engine.find(container).lines(follow=follow, tail=tail, since_ns=since_ns):
            self.engine.check_up()
            yield line

    async def stats(self, container: ContainerId) -> ContainerStats:
        found, process = self._running(container)
        now = self.engine.clock.now()
        return ContainerStats(
            read_at=now,
            cpu_ns=int((now - found.started_at) * 1_000_000),
            memory_bytes=MIB,
            memory_limit_bytes=found.spec.memory_mib * MIB,
            received_bytes=0,
            sent_bytes=0,
            read_bytes=0,
            written_bytes=0,
            pids=1 + process.commands,
        )

    async def exec(self, container: ContainerId, argv: Sequence[str], *, timeout_seconds: float = 30) -> ExecResult:
        _, process = self._running(container)
        return execute(process, argv)

    @asynccontextmanager
    async def open_exec(
        self, container: ContainerId, argv: Sequence[str], *, terminal: TerminalSize | None = None
    ) -> AsyncIterator[ExecSession]:
        _, process = self._running(container)
        async with open_exec(process, argv, terminal) as session:
            yield session

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[ContainerEvent]]:
        return self.engine.events(labels)

    async def close(self) -> None:
        """The engine and what runs in it stay."""

    def _running(self, container: ContainerId) -> tuple[Container, Process]:
        self.engine.check_up()
        found = self.engine.find(container)
        if not found.is_running or found.process is None:
            raise ContainerNotRunning(f"Container {container} does not run.")
        return found, found.process


def _unless_changed(seen: ContainerView, known: ContainerView | None) -> ContainerView:
    if known is None or (known.state, known.health, known.bindings) != (seen.state, seen.health, seen.bindings):
        return seen
    return known

"""The runtime port on a Docker Engine (20.10 or newer)."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from flux.runtime.checks import check_image
from flux.runtime.docker.connection import Connection
from flux.runtime.docker.containers import Containers
from flux.runtime.docker.exec_session import execute, open_exec
from flux.runtime.docker.images import remove_image
from flux.runtime.docker.networks import Networks
from flux.runtime.docker.observation import Observation
from flux.runtime.docker.pull import find_disk, pull_image
from flux.runtime.docker.volume_files import VolumeFiles
from flux.runtime.docker.volumes import Volumes
from flux.runtime.errors import ContainerNotFound, ImageNotFound
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

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class DockerRuntime:
    """Meets `runtime.port.ContainerRuntime`, where each operation is described.

    `host` as in DOCKER_HOST; None finds the Engine as the Docker client does. In `volumes` new volumes get disks of
    their own, where the machine allows it and Docker has no quotas; None: their size is then only counted.
    """

    def __init__(self, host: str | None = None, volumes: Path | None = None) -> None:
        self._connection = Connection(host)
        self._containers = Containers(self._connection)
        self._networks = Networks(self._connection)
        self._volumes = Volumes(self._connection, volumes)
        self._files = VolumeFiles(self._volumes)
        self._observation = Observation(self._connection)
        self._root: Path | None = None
        """Where the Engine keeps its data, once it was asked."""

    async def ping(self) -> EngineInfo:
        await self._connection.forget_version()
        docker = await self._connection.docker()
        info = await self._connection.ask(docker.system.info())
        return EngineInfo(
            version=info["ServerVersion"],
            api_version=docker.api_version.removeprefix("v"),
            architecture=_ARCHITECTURES.get(info["Architecture"], info["Architecture"]),
            cpus=info["NCPU"],
            memory_mib=info["MemTotal"] // MIB,
            storage=info["Driver"],
        )

    async def list_containers(
        self, labels: Mapping[str, str], known: Mapping[ContainerId, ContainerView] = NOTHING_KNOWN
    ) -> list[ContainerView]:
        return await self._containers.find_all(labels, known)

    async def find_container(self, container: ContainerId) -> ContainerView | None:
        return await self._containers.find(container)

    async def has_image(self, image: ImageReference) -> bool:
        check_image(image)
        docker = await self._connection.docker()
        try:
            await self._connection.ask(docker.images.inspect(image))
        except (ImageNotFound, ContainerNotFound):
            return False
        return True

    async def pull(
        self,
        image: ImageReference,
        login: RegistryLogin | None = None,
        on_progress: Callable[[PullProgress], None] | None = None,
    ) -> None:
        await pull_image(self._connection, image, login, on_progress, await self._data_root())

    async def remove_image(self, image: ImageReference) -> None:
        await remove_image(self._connection, image)

    async def disk(self) -> DiskSpace | None:
        return find_disk(await self._data_root())

    async def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        await self._networks.ensure(name, labels)

    async def remove_network(self, name: str) -> None:
        await self._networks.remove(name)

    async def list_networks(self, labels: Mapping[str, str]) -> list[NetworkView]:
        return await self._networks.find_all(labels)

    async def ensure_volume(self, name: str, labels: Mapping[str, str], size_mib: int) -> VolumeView:
        return await self._volumes.ensure(name, labels, size_mib)

    async def remove_volume(self, name: str) -> None:
        await self._volumes.remove(name)

    async def release_volumes(self, labels: Mapping[str, str]) -> None:
        await self._volumes.release(labels)

    async def list_volumes(self, labels: Mapping[str, str]) -> list[VolumeView]:
        return await self._volumes.find_all(labels)

    async def volume_limits(self) -> str:
        return await self._volumes.obstacle()

    def read_volumes(self, volumes: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        return self._files.read(volumes)

    def write_volumes(
        self, volumes: Mapping[str, str], tar: AsyncIterator[bytes]
    ) -> AbstractAsyncContextManager[UnpackedVolumes]:
        return self._files.write(volumes, tar)

    async def create(self, spec: ContainerSpec) -> ContainerId:
        return await self._containers.create(spec)

    async def place_secrets(self, name: str, secrets: Sequence[SecretFile]) -> None:
        await self._containers.place_secrets(name, secrets)

    async def start(self, container: ContainerId) -> None:
        await self._volumes.attach(await self._containers.volumes_of(container))
        await self._containers.start(container)

    async def stop(self, container: ContainerId, grace_seconds: int | None = None) -> None:
        await self._containers.stop(container, grace_seconds)

    async def remove(self, container: ContainerId, *, force: bool = False) -> None:
        await self._containers.remove(container, force=force)

    def logs(
        self, container: ContainerId, *, follow: bool = False, tail: int | None = None, since_ns: int = 0
    ) -> AsyncGenerator[LogLine, None]:
        return self._observation.logs(container, follow=follow, tail=tail, since_ns=since_ns)

    async def stats(self, container: ContainerId) -> ContainerStats:
        return await self._observation.stats(container)

    async def exec(self, container: ContainerId, argv: Sequence[str], *, timeout_seconds: float = 30) -> ExecResult:
        return await execute(self._connection, container, argv, timeout_seconds)

    def open_exec(
        self, container: ContainerId, argv: Sequence[str], *, terminal: TerminalSize | None = None
    ) -> AbstractAsyncContextManager[ExecSession]:
        return open_exec(self._connection, container, argv, terminal)

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[ContainerEvent]]:
        return self._observation.events(labels)

    async def close(self) -> None:
        await self._connection.close()

    async def _data_root(self) -> Path:
        if self._root is None:
            docker = await self._connection.docker()
            self._root = Path((await self._connection.ask(docker.system.info()))["DockerRootDir"])
        return self._root

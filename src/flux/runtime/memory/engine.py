"""A container engine in memory, as a whole machine's Docker would be: several runtimes may share it.

Tests and users script it: what images do (`Program`), how long a pull takes, which faults occur. Everything happens by
its clock.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from flux.runtime.errors import (
    ContainerNotFound,
    ImageNotFound,
    InUse,
    PortTaken,
    RuntimeFailure,
    RuntimeUnavailable,
    StartFailed,
)
from flux.runtime.memory.clock import Clock, SystemClock
from flux.runtime.memory.container import Container
from flux.runtime.memory.process import Program, run_until_stopped
from flux.runtime.types import (
    MIB,
    Binding,
    ContainerEvent,
    ContainerId,
    ContainerState,
    DiskSpace,
    EventKind,
    ImageReference,
    NetworkView,
    SecretFile,
    VolumeView,
)

_FIRST_CHOSEN_PORT = 49153
_NANOSECONDS = 1_000_000_000
_Listener = asyncio.Queue[ContainerEvent | None]


class MemoryEngine:
    """Use it as a context: leaving it ends every program."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.registry: dict[ImageReference, Program] = {}
        """What can be pulled, and what it runs."""
        self.images: set[ImageReference] = set()
        """What has been pulled."""
        self.pull_seconds = 0.0
        self.pull_faults: dict[ImageReference, RuntimeFailure] = {}
        """Raised by the next pull of the image, once."""
        self.start_faults: dict[str, RuntimeFailure] = {}
        """By container name; raised by the next start, once."""
        self.taken_ports: set[int] = set()
        """By programs outside of the engine."""
        self.volume_obstacle = ""
        """Why sizes of volumes are only counted; empty: they are taken for enforced."""
        self.containers: dict[ContainerId, Container] = {}
        self.disk: DiskSpace | None = DiskSpace(900_000 * MIB, 1_000_000 * MIB)
        """What images are on."""
        self.image_bytes = 0
        """Of each image, on that disk."""
        self.networks: dict[str, NetworkView] = {}
        self.secrets: dict[str, tuple[SecretFile, ...]] = {}
        """Files in the host's memory, by container name; a reboot clears them."""
        self.volumes: dict[str, VolumeView] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        """Contents of volumes: by volume, then by path."""
        self._is_up = True
        self._listeners: list[tuple[Mapping[str, str], _Listener]] = []
        self._numbers = itertools.count(1)
        self._ports = itertools.count(_FIRST_CHOSEN_PORT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for container in self.containers.values():
            await container.shut_down()

    def add_image(self, image: ImageReference, program: Program = run_until_stopped) -> None:
        """Put an image into the registry."""
        self.registry[image] = program

    def go_down(self) -> None:
        """Stop answering; containers keep running, as under Docker's live restore."""
        self._is_up = False
        for _, listener in self._listeners:
            listener.put_nowait(None)

    def come_back(self) -> None:
        """Answer again."""
        self._is_up = True

    def crash(self, name: str, exit_code: int = 1, *, out_of_memory: bool = False) -> None:
        """End a container's program as if by itself."""
        self.find(ContainerId(name)).kill(exit_code, out_of_memory=out_of_memory)

    def check_up(self) -> None:
        """Raises RuntimeUnavailable while it is down."""
        if not self._is_up:
            raise RuntimeUnavailable("The in-memory engine is down.", "Bring it back with come_back().")

    def next_id(self) -> ContainerId:
        return ContainerId(f"{next(self._numbers):064x}")

    def look_up(self, container: ContainerId) -> Container | None:
        """By id or name."""
        found = self.containers.get(container)
        return found or next((other for other in self.containers.values() if other.spec.name == container), None)

    def find(self, container: ContainerId) -> Container:
        """By id or name; raises ContainerNotFound."""
        found = self.look_up(container)
        if found is None:
            raise ContainerNotFound(f"There is no container {container}.")
        return found

    async def pull(self, image: ImageReference) -> None:
        await self.clock.sleep(self.pull_seconds)
        self.check_up()
        if image in self.pull_faults:
            raise self.pull_faults.pop(image)
        if image not in self.registry:
            raise ImageNotFound(f"The registry has no image {image}.", "Check its name and digest.")
        self._take_room(self.image_bytes if image not in self.images else 0)
        self.images.add(image)

    def _take_room(self, size: int) -> None:
        if self.disk is not None:
            self.disk = DiskSpace(self.disk.free - size, self.disk.total)

    def remove_image(self, image: ImageReference) -> None:
        if any(container.spec.image == image for container in self.containers.values()):
            raise InUse(f"Containers are made of {image}.", "Remove them first.")
        self._take_room(-self.image_bytes if image in self.images else 0)
        self.images.discard(image)

    def start(self, container: Container) -> None:
        if container.is_running:
            return
        spec = container.spec
        try:
            if spec.name in self.start_faults:
                raise self.start_faults.pop(spec.name)
            if spec.network not in self.networks:
                raise StartFailed("The container's network is gone.", "Create the network, then the container, again.")
            if spec.secrets and spec.name not in self.secrets:
                raise StartFailed("The container's secrets are gone.", "Place them again.")
            bindings = tuple(self._bind(container))
        except RuntimeFailure as error:
            if container.state is ContainerState.CREATED:
                container.error = error.message
            raise
        container.start(self.registry[spec.image], bindings)

    def tell(self, container: Container, kind: EventKind) -> None:
        """Pass an event on to those who listen."""
        event = ContainerEvent(
            kind=kind,
            container=container.id,
            name=container.spec.name,
            labels=dict(container.spec.labels),
            time_ns=int(self.clock.now() * _NANOSECONDS),
            exit_code=container.exit_code if kind is EventKind.DIED else None,
            health=container.health if kind is EventKind.HEALTH_CHANGED else None,
        )
        for labels, listener in self._listeners:
            if carries(event.labels, labels):
                listener.put_nowait(event)

    @asynccontextmanager
    async def events(self, labels: Mapping[str, str]) -> AsyncIterator[AsyncIterator[ContainerEvent]]:
        self.check_up()
        listener: _Listener = asyncio.Queue()
        entry = (labels, listener)
        self._listeners.append(entry)
        try:
            yield self._heard(listener)
        finally:
            self._listeners.remove(entry)

    async def _heard(self, listener: _Listener) -> AsyncIterator[ContainerEvent]:
        while (event := await listener.get()) is not None:
            yield event
        raise RuntimeUnavailable("The in-memory engine went down.")

    def _bind(self, container: Container) -> list[Binding]:
        taken = {(port, protocol) for port in self.taken_ports for protocol in ("tcp", "udp")}
        for other in self.containers.values():
            if other.is_running:
                taken |= {(binding.host, binding.protocol) for binding in other.bindings}
        bindings = []
        for port in container.spec.ports:
            host = port.host or next(chosen for chosen in self._ports if (chosen, port.protocol) not in taken)
            if (host, port.protocol) in taken:
                raise PortTaken(f"Host port {host} is taken.", "Choose another port.", port=host)
            bindings.append(Binding(port.container, port.protocol, host, port.host_ip))
        return sorted(bindings, key=lambda binding: (binding.container, binding.protocol, binding.host))


def carries(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether all wanted labels are among the found ones."""
    return all(found.get(name) == value for name, value in wanted.items())

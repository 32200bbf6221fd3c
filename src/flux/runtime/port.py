"""The container engine as Flux sees it: one port, met by Docker (`runtime.docker`) and by memory (`runtime.memory`).

Every operation may be repeated: creating what exists returns it, stopping or removing what is gone does nothing.
Errors are those of `runtime.errors`, data is in `runtime.types`, names and labels are in `runtime.labels`.

The engine restarts nothing by itself: the agent does, with back-off. It runs *command* health checks; http and tcp
checks are the agent's own work, because they need no program inside the container.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Protocol

from flux.runtime.types import (
    ContainerEvent,
    ContainerId,
    ContainerSpec,
    ContainerStats,
    ContainerView,
    DiskSpace,
    EngineInfo,
    ExecOutput,
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

NOTHING_KNOWN: Mapping[ContainerId, ContainerView] = MappingProxyType({})


class ExecSession(Protocol):
    """A command that runs inside a container while somebody talks to it. Any method may raise RuntimeUnavailable."""

    async def read(self) -> ExecOutput | None:
        """The next piece of its output; None when the output has ended. Not reading makes the command wait."""
        ...

    async def write(self, data: bytes) -> None:
        """Its input; returns when the engine has taken it. What comes after its end is lost."""
        ...

    async def close_input(self) -> None:
        """The end of its input; output goes on. RequestRefused where the connection to the engine has no half-close."""
        ...

    async def resize(self, size: TerminalSize) -> None:
        """The window of its terminal; nothing happens without a terminal."""
        ...

    async def signal(self, number: int) -> None:
        """Send it a signal. RequestRefused where the agent may not: the engine is on another machine."""
        ...

    async def wait(self) -> int:
        """Its exit code, after the output has ended; 128 + n when a signal ended it."""
        ...


class UnpackedVolumes(Protocol):
    """New contents of volumes, that wait to take the place of the old; dropped with their context."""

    async def swap(self) -> None:
        """Put them in place of the old: all of them or none, also when power fails in between.

        Raises InUse, and nothing changed, while a container that runs uses one.
        """
        ...


class ContainerRuntime(Protocol):
    """A container engine. Any operation may raise RuntimeUnavailable; only further errors are named."""

    async def ping(self) -> EngineInfo:
        """Whether the engine answers, and what it is."""
        ...

    async def list_containers(
        self, labels: Mapping[str, str], known: Mapping[ContainerId, ContainerView] = NOTHING_KNOWN
    ) -> list[ContainerView]:
        """All containers, in whatever state, that carry all of `labels`; ordered by name.

        A view in `known` is returned as it is while state, health and bindings are still the same: asking again costs
        little where nothing changed. Leave out those that may have ended and begun anew: times are not compared.
        """
        ...

    async def find_container(self, container: ContainerId) -> ContainerView | None:
        """One container by id or name, or None."""
        ...

    async def has_image(self, image: ImageReference) -> bool:
        """Whether the engine holds the image."""
        ...

    async def pull(
        self,
        image: ImageReference,
        login: RegistryLogin | None = None,
        on_progress: Callable[[PullProgress], None] | None = None,
    ) -> None:
        """Fetch the image; afterwards `has_image` is true. Cancelling ends the transfer.

        Raises ImageNotFound, ImagePullFailed, OutOfDisk, RequestRefused.
        """
        ...

    async def remove_image(self, image: ImageReference) -> None:
        """Give back the room of an image; nothing happens when it is not there.

        Raises InUse while containers are made of it, running or not; RequestRefused.
        """
        ...

    async def disk(self) -> DiskSpace | None:
        """The disk that images are on; None where the engine is on another machine."""
        ...

    async def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        """A bridge network of its own: members reach each other by alias, nothing routes to other networks.

        Raises NameConflict when a network of that name has other labels, OutOfNetworks.
        """
        ...

    async def remove_network(self, name: str) -> None:
        """Raises InUse while containers are attached."""
        ...

    async def list_networks(self, labels: Mapping[str, str]) -> list[NetworkView]:
        """All networks that carry all of `labels`; ordered by name."""
        ...

    async def ensure_volume(self, name: str, labels: Mapping[str, str], size_mib: int) -> VolumeView:
        """A named volume; an existing one is kept with its contents, and grown where it can be.

        It is never made smaller: the view says what it has. Raises NameConflict, OutOfDisk.
        """
        ...

    async def volume_limits(self) -> str:
        """Why the sizes of new volumes are only counted here; empty when they are enforced."""
        ...

    async def remove_volume(self, name: str) -> None:
        """With its contents. Raises InUse while a container uses it."""
        ...

    async def release_volumes(self, labels: Mapping[str, str]) -> None:
        """Give back what volumes with these labels hold of the machine while no container runs; contents stay.

        The next start of a container that mounts one takes it again. Those in use are left alone.
        """
        ...

    async def list_volumes(self, labels: Mapping[str, str]) -> list[VolumeView]:
        """All volumes that carry all of `labels`; ordered by name."""
        ...

    def read_volumes(self, volumes: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The contents of volumes as one tar, in pieces. `volumes` are engine names by the folder each has in the tar.

        Owners, modes, links and holes are kept. What changes meanwhile is there as it was at one moment or another.
        Close it with `contextlib.aclosing`; only a stream that ends without an error is whole. Raises
        VolumesNotReadable.
        """
        ...

    def write_volumes(
        self, volumes: Mapping[str, str], tar: AsyncIterator[bytes]
    ) -> AbstractAsyncContextManager["UnpackedVolumes"]:
        """A tar as `read_volumes` makes them, unpacked beside the volumes; entered when all of it is there.

        Nothing of the volumes changes before `swap`. Raises BadArchive, VolumesNotReadable, OutOfDisk, and whatever the
        tar's iterator raises.
        """
        ...

    async def create(self, spec: ContainerSpec) -> ContainerId:
        """The container of `spec.name`, created if absent; it is not started.

        An existing one is returned when its labels are those of the spec (put a hash of the plan into a label);
        otherwise NameConflict. Raises also ImageNotFound (pull first), RequestRefused, OutOfDisk.
        """
        ...

    async def place_secrets(self, name: str, secrets: Sequence[SecretFile]) -> None:
        """The files of a container that was created with them are there again, as after `create`.

        `name` is the container's. Raises OutOfDisk.
        """
        ...

    async def start(self, container: ContainerId) -> None:
        """Start or start again; nothing happens when it runs. Returns when its program runs, not when it is ready.

        Raises ContainerNotFound, PortTaken, StartFailed, OutOfDisk.
        """
        ...

    async def stop(self, container: ContainerId, grace_seconds: int | None = None) -> None:
        """Ask the program to end and kill it after the grace (None: the spec's). Returns when it has ended."""
        ...

    async def remove(self, container: ContainerId, *, force: bool = False) -> None:
        """Remove the container with its writable layer; `force` kills it first, otherwise ContainerRunning."""
        ...

    def logs(
        self, container: ContainerId, *, follow: bool = False, tail: int | None = None, since_ns: int = 0
    ) -> AsyncGenerator[LogLine, None]:
        """Its output, oldest first, earlier runs included: the last `tail` lines (None: all kept) from `since_ns` on.

        With `follow` it goes on until the container stops. Close it with `contextlib.aclosing`.
        Raises ContainerNotFound.
        """
        ...

    async def stats(self, container: ContainerId) -> ContainerStats:
        """Counters of a running container. Raises ContainerNotFound, ContainerNotRunning."""
        ...

    async def exec(self, container: ContainerId, argv: Sequence[str], *, timeout_seconds: float = 30) -> ExecResult:
        """Run a command to its end inside a running container; exit codes 126 and 127 say that it can't be run.

        Raises ContainerNotFound, ContainerNotRunning; TimeoutError when it takes too long: it is ended then as
        `open_exec` ends it.
        """
        ...

    def open_exec(
        self, container: ContainerId, argv: Sequence[str], *, terminal: TerminalSize | None = None
    ) -> AbstractAsyncContextManager[ExecSession]:
        """A command to talk to, with a terminal or with separate outputs. Leaving the context hangs up: the command
        gets SIGHUP, then SIGKILL, where signals can be sent at all.

        Entering raises ContainerNotFound, ContainerNotRunning. Exit codes 126 and 127 say that it can't be run.
        """
        ...

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[ContainerEvent]]:
        """Events of containers with `labels`, from the moment the context is entered.

        The iterator raises RuntimeUnavailable when the engine goes away; list again after entering a new one.
        """
        ...

    async def close(self) -> None:
        """Let go of the engine; containers are untouched."""
        ...

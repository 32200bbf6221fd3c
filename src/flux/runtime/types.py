"""What goes in and out of a container engine: what to run (specs) and what is there (views).

Everything is frozen. What is private (environment, arguments, passwords) is left out of every repr and of every view.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

ContainerId = NewType("ContainerId", str)
"""The engine's id. Operations take a container's name as well: ContainerId(name)."""
ImageReference = NewType("ImageReference", str)
"""Repository with digest: host/repo@sha256:…"""

MIB = 1024 * 1024


class ContainerState(StrEnum):
    """What a container is doing."""

    CREATED = "created"
    """Never started, or its last start failed."""
    RUNNING = "running"
    EXITED = "exited"
    DEAD = "dead"
    """The engine failed to remove it; remove it again."""


class ContainerHealth(StrEnum):
    """What its command health check says."""

    NONE = "none"
    """It has no command health check."""
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class LogStream(StrEnum):
    """Which of a program's outputs a line came from."""

    OUT = "stdout"
    ERR = "stderr"


class EventKind(StrEnum):
    """What happened to a container."""

    CREATED = "create"
    STARTED = "start"
    DIED = "die"
    """Its program ended, for whatever reason."""
    OUT_OF_MEMORY = "oom"
    HEALTH_CHANGED = "health_status"
    REMOVED = "destroy"


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """Login of the registry that an image comes from."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A container port that the host offers at `host_ip`."""

    container: int
    protocol: str = "tcp"
    """tcp or udp."""
    host: int = 0
    """Host port. 0 lets the engine choose, and it may choose anew at each start: what must stay needs a number."""
    host_ip: str = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A named volume in a container."""

    volume: str
    """The engine's name of it (`labels.volume_name`)."""
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that a container sees at a path, read-only. Its bytes are in memory only, and in no view of the engine."""

    path: str
    data: bytes = field(repr=False)
    mode: int = 0o444


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Of the file system that images are on, in bytes."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class HealthCommand:
    """A health check that runs inside the container; exit status 0 is healthy."""

    argv: tuple[str, ...] = field(repr=False)
    interval_ms: int = 30_000
    timeout_ms: int = 30_000
    retries: int = 3
    start_period_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container to create. What is private (environment, arguments) is not in its repr."""

    name: str
    image: ImageReference
    cpu_milli: int
    memory_mib: int
    """Memory limit; there is no swap beyond it."""
    network: str
    """Name of the one network it joins (`ensure_network`)."""
    alias: str
    """Name by which the others in that network reach it: the component's."""
    labels: Mapping[str, str]
    disk_mib: int = 0
    """Writable layer; limited where the engine's storage can, otherwise only counted. 0 means no limit."""
    pids_limit: int = 512
    entrypoint: tuple[str, ...] | None = field(default=None, repr=False)
    """argv; None keeps the image's."""
    command: tuple[str, ...] | None = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    ports: tuple[PublishedPort, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    """Paths, each with an in-memory file system (counted in memory_mib)."""
    secrets: tuple[SecretFile, ...] = field(default=(), repr=False)
    """Placed when it is created; after a reboot of the host they must be placed again before it starts."""
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    """Empty: the alias."""
    read_only: bool = False
    """Root file system."""
    init: bool = False
    """Run a minimal init as process 1."""
    shm_mib: int = 0
    """0: the engine's default (64)."""
    stop_signal: str = ""
    """Empty: the image's (SIGTERM)."""
    stop_grace_seconds: int = 10
    health: HealthCommand | None = None
    """None keeps what the image declares."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a container port is reachable on the host, while it runs."""

    container: int
    protocol: str
    host: int
    host_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """What is really there. Environment and arguments are left out on purpose."""

    id: ContainerId
    name: str
    labels: Mapping[str, str]
    image: str
    """As it was asked for in the spec."""
    state: ContainerState
    exit_code: int | None
    """Of the last run; None while it runs or never ran."""
    oom_killed: bool
    """Whether the last run ended because it used more than its memory."""
    error: str
    """Why the engine could not start it; empty when it could. Scrubbed of arguments and environment."""
    health: ContainerHealth
    bindings: tuple[Binding, ...]
    """Empty unless running."""
    created_at: float
    """Unix seconds, as the next two."""
    started_at: float | None
    finished_at: float | None
    """End of the last run; None while it runs or never ran."""


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A network that is there."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VolumeView:
    """A volume that is there."""

    name: str
    labels: Mapping[str, str]
    size_mib: int
    """What was asked for."""
    limited: bool
    """Whether the engine enforces that size; otherwise it is only counted."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself and its host."""

    version: str
    api_version: str
    architecture: str
    """amd64 or arm64."""
    cpus: int
    memory_mib: int
    storage: str
    """Storage driver."""


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is. Totals grow while the registry reveals the layers."""

    layers_done: int
    layers: int
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a container's output, without its line end."""

    time_ns: int
    """Unix nanoseconds."""
    stream: LogStream
    text: str
    """Bytes that are not UTF-8 are replaced; a line over 64 KiB comes in pieces."""


@dataclass(frozen=True, slots=True)
class ContainerStats:
    """Counters since the container started; rates are the caller's arithmetic between two readings."""

    read_at: float
    """Unix seconds."""
    cpu_ns: int
    """CPU time used, all cores together."""
    memory_bytes: int
    """In use, page cache that can be dropped left out."""
    memory_limit_bytes: int
    received_bytes: int
    sent_bytes: int
    read_bytes: int
    """Block devices, as the next."""
    written_bytes: int
    pids: int


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command inside a container did."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    """Whether output beyond the limit was dropped."""


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """Of a terminal's window, in characters."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class ExecOutput:
    """A piece of what a command wrote, as it came; a terminal has one output for both."""

    stream: LogStream
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """A hint that something changed; the truth is what `list_containers` says."""

    kind: EventKind
    container: ContainerId
    name: str
    labels: Mapping[str, str]
    time_ns: int
    exit_code: int | None = None
    """Only with DIED."""
    health: ContainerHealth | None = None
    """Only with HEALTH_CHANGED."""

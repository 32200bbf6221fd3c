"""A service while it is being read: everything it asks for, before names are resolved between services."""

from dataclasses import dataclass, field

from flux.contracts.apps.types import Health
from flux.specs.field import Field


@dataclass(frozen=True, slots=True)
class PublishedPort:
    container: int
    protocol: str
    published: int | None
    """The host port that the file wishes for."""
    is_loopback: bool
    """Bound to the host's loopback: meant for the host itself, not for the public."""
    place: Field


@dataclass(frozen=True, slots=True)
class DraftMount:
    volume: str | None
    """None for an anonymous volume."""
    path: str
    read_only: bool
    place: Field


@dataclass(frozen=True, slots=True)
class DraftDependency:
    service: str
    condition: str
    required: bool
    place: Field


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name under which the service wants to be reached."""

    name: str
    place: Field


@dataclass(slots=True)
class Draft:
    """One service."""

    name: str
    place: Field
    image: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    file_environment: dict[str, str] = field(default_factory=dict)
    """From env_file; `environment` goes before it."""
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    health: Health | None = None
    health_command: tuple[str, ...] | None = None
    ports: list[PublishedPort] = field(default_factory=list)
    exposed: list[int] = field(default_factory=list)
    mounts: list[DraftMount] = field(default_factory=list)
    tmpfs: list[str] = field(default_factory=list)
    dependencies: list[DraftDependency] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    cpu_limit: int | None = None
    cpu_reservation: int | None = None
    memory_limit: int | None = None
    memory_reservation: int | None = None
    disk_mib: int | None = None
    shm_mib: int = 0
    gpu_count: int = 0
    gpu_place: Field | None = None
    restart: str | None = None
    replicas: int | None = None
    replicas_place: Field | None = None
    profiles: list[str] = field(default_factory=list)
    architecture: str = ""
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    read_only: bool = False
    stop_grace_seconds: int = 10
    stop_signal: str = ""
    init: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """Where the app's own words may name another service."""
        lists = (self.entrypoint, self.command, self.health_command)
        return [
            *self.environment.values(),
            *self.file_environment.values(),
            *(word for words in lists for word in words or ()),
        ]

"""A service while it is being read: everything it asks for, before names are resolved between services."""

import re
from dataclasses import dataclass, field

from flux.contracts.apps.types import Health, Update
from flux.specs.field import Field

_HOST_VARIABLE = re.compile(r"HOST|SERVER|ADDR|ENDPOINT|UPSTREAM", re.IGNORECASE)


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
class DraftSecret:
    source: str
    """Name under the top-level secrets."""
    path: str
    """Empty: the usual one."""
    mode: int
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
    backup_pre: tuple[str, ...] | None = None
    backup_post: tuple[str, ...] | None = None
    ports: list[PublishedPort] = field(default_factory=list)
    exposed: list[int] = field(default_factory=list)
    mounts: list[DraftMount] = field(default_factory=list)
    tmpfs: list[str] = field(default_factory=list)
    secrets: list[DraftSecret] = field(default_factory=list)
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
    update: Update | None = None
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

    def uses_host(self, name: str) -> bool:
        """Whether the service's variables or words address a host of this name."""
        address = re.compile(rf"(?:@|://|(?<![\w.-])){re.escape(name)}:[0-9]|(?:@|://){re.escape(name)}(?![\w.-])")
        lists = (self.entrypoint, self.command, self.health_command, self.backup_pre, self.backup_post)
        variables = [*self.environment.items(), *self.file_environment.items()]
        return any(value == name and _HOST_VARIABLE.search(key) for key, value in variables) or any(
            address.search(text)
            for text in (*(value for _, value in variables), *(word for words in lists for word in words or ()))
        )

"""Apps: the canonical spec a tenant deploys, and the chain's record of an app.

The spec is canonical JSON (`encode_spec`), kept on chain as it is, so that every node needs nothing else. What must
stay private (environment, arguments, credentials) is a `PrivateSpec`, which reaches the chain only as ciphertext.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

import msgspec

from flux.kernel.errors import Revert
from flux.kernel.events import Event, Indexed
from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, Hash

AppId = NewType("AppId", U64)
"""Dense and never reused; the first app is 1."""
Revision = NewType("Revision", U32)
"""Counts from 1; each update adds one."""


class AppStatus(IntEnum):
    """What the app as a whole is doing."""

    ACTIVE = 1
    PAUSED = 2
    """By its owner."""
    DEPLETED = 3
    """Its escrow ran dry; a top-up resumes it."""
    CLOSED = 4


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of the spec's structures: unknown keys are refused, defaults are left out of the canonical form."""


class Port(Spec, frozen=True):
    """A container port that the app offers to the outside."""

    container: int
    protocol: str = "tcp"
    """tcp or udp."""


class Mount(Spec, frozen=True):
    """A named volume in a component."""

    volume: str
    path: str
    read_only: bool = False


class Dependency(Spec, frozen=True):
    """Start order inside the instance."""

    component: str
    condition: str = "started"
    """started, healthy or completed."""


class Health(Spec, frozen=True):
    """When a component counts as healthy. A command's text is private; the chain sees only that there is one."""

    kind: str
    """command, http or tcp."""
    port: int = 0
    path: str = ""
    interval_ms: int = 30_000
    timeout_ms: int = 30_000
    retries: int = 3
    start_period_ms: int = 0


class Component(Spec, frozen=True):
    """One container of an instance."""

    name: str
    """DNS label; other components reach it by this name."""
    image: str
    """Repository with digest: host/repo@sha256:…"""
    cpu_milli: int
    memory_mib: int
    disk_mib: int = 0
    """Writable layer, without named volumes."""
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    health: Health | None = None
    restart: str = "always"
    """always, on-failure or no."""
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    read_only: bool = False
    stop_grace_seconds: int = 10
    stop_signal: str = ""
    shm_mib: int = 0
    init: bool = False
    labels: tuple[tuple[str, str], ...] = ()


class Volume(Spec, frozen=True):
    """A named volume of an instance."""

    name: str
    size_mib: int


class Http(Spec, frozen=True):
    """What the ingress serves."""

    component: str
    port: int
    sticky: bool = True
    """Keep a visitor on one instance by cookie."""


class Constraints(Spec, frozen=True):
    """Where instances may run and what they may cost."""

    geo: tuple[str, ...] = ()
    """Flux 2.0 rules: acEU, acEU_FR, a!cEU_CZ. Any deny rejects, allows are OR-ed, none means anywhere."""
    min_tier: int = 1
    max_price_gwei_hour: int = 0
    """Highest price of one instance, gwei per hour; 0 means any. It makes the bill one in FLUX."""
    architectures: tuple[str, ...] = ("amd64",)
    """amd64 and/or arm64, sorted: what all images support."""
    spread: str = "operator"
    """Fault domain that instances should not share: operator, prefix, country or none."""
    gpu_model: str = ""
    gpu_count: int = 0
    static_ip: bool = False
    max_price_nanousd_hour: int = 0
    """The same in billionths of a dollar, instead of in FLUX. It makes the bill one in dollars."""


UPDATE_ORDERS = ("auto", "start-first", "stop-first")
UPDATE_ACTIONS = ("rollback", "pause", "continue")
MAX_PARALLELISM = 1_000
MAX_UPDATE_SECONDS = 86_400
MAX_STANDBY = 5
"""Nodes that may stand by for one app."""


class Update(Spec, frozen=True):
    """How a new revision comes in, one step after another, and what a step that fails does."""

    parallelism: int = 1
    """Instances that may be on their way at one time."""
    order: str = "auto"
    """start-first, stop-first, or auto: start-first unless the app has volumes or its node no room for two."""
    delay_seconds: int = 0
    """Between an instance that runs and the next one; `monitor_seconds` where that is longer."""
    monitor_seconds: int = 10
    """How long an instance must stay well after it was confirmed."""
    on_failure: str = "rollback"
    """One of UPDATE_ACTIONS."""


class AppSpec(Spec, frozen=True):
    """The public half of what a tenant deploys; the same for all instances."""

    components: tuple[Component, ...]
    volumes: tuple[Volume, ...] = ()
    http: Http | None = None
    constraints: Constraints = Constraints()
    private: bool = False
    """Whether a private half exists; containers start only once the node holds its seed."""
    update: Update | None = None
    """None where nothing was said: the defaults of `Update`."""
    at_most_one: bool = False
    """Whether no instance may ever run twice at a time, not even across a cut network; longer outages are the price."""
    standby: int = 0
    """Nodes that hold the images ready without running anything, so that a lost instance starts at once there."""


class PrivateComponent(Spec, frozen=True):
    """The private half of one component."""

    name: str
    environment: tuple[tuple[str, str], ...] = ()
    """Sorted by name."""
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    health_command: tuple[str, ...] | None = None
    """argv of a command health check; a shell form is ("/bin/sh", "-c", text)."""
    backup_pre: tuple[str, ...] | None = None
    """argv that runs in it before its instance's volumes are read for a backup."""
    backup_post: tuple[str, ...] | None = None
    """argv that runs afterwards, also when the backup failed."""


class RegistryCredential(Spec, frozen=True):
    """Login of one image registry."""

    host: str
    username: str
    password: str


class Secret(Spec, frozen=True):
    """A value that components get as a file in memory, or in their environment. Its repr leaves the value out."""

    name: str
    value: bytes
    components: tuple[str, ...] = ()
    """Who gets it; empty: all."""
    in_environment: bool = False
    """As the variable `name` instead of a file."""
    path: str = ""
    """Where the file is; empty: /run/secrets/NAME."""
    mode: int = 0o444
    """Permissions of the file, which belongs to root."""
    set_at: int = 0
    """Unix seconds of `flux app secret set`; 0 for one that came with the spec's file and changes with it."""

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"


class PrivateSpec(Spec, frozen=True):
    """What only lease holders may read."""

    components: tuple[PrivateComponent, ...] = ()
    registries: tuple[RegistryCredential, ...] = ()
    secrets: tuple[Secret, ...] = ()
    """Sorted by name and components."""


_spec_encoder = msgspec.json.Encoder()
_spec_decoder = msgspec.json.Decoder(AppSpec, strict=True)
_private_decoder = msgspec.json.Decoder(PrivateSpec, strict=True)


def encode_spec(spec: AppSpec | PrivateSpec) -> bytes:
    """Canonical JSON: fields in declaration order, defaults left out, no spaces."""
    return _spec_encoder.encode(spec)


def decode_spec(data: bytes) -> AppSpec:
    """The spec of canonical JSON. Raises ValueError for anything malformed or not canonical."""
    spec = _spec_decoder.decode(data)
    if encode_spec(spec) != data:
        raise ValueError("the spec is not in canonical form: fields in order, defaults left out, no spaces")
    return spec


def decode_private_spec(data: bytes) -> PrivateSpec:
    """The private half of its JSON. Raises ValueError."""
    return _private_decoder.decode(data)


class App(Record, frozen=True):
    """The chain's record of an app."""

    id: AppId
    owner: Address
    name: str
    """Globally unique DNS label; free again when the app is closed."""
    status: AppStatus
    revision: Revision
    instances: U16
    """How many instances should run."""
    created_at: ChainTime
    spec_hash: Hash
    """keccak of the current revision's spec."""
    highest: Revision
    """The newest revision there ever was; the current one is older after the app went back. No number is used twice."""


class KeptRevision(Record, frozen=True):
    """A revision whose spec is still on chain."""

    revision: Revision
    created_at: ChainTime
    spec_hash: Hash


class AppsParams(Record, frozen=True):
    """Governance parameters of the apps contract."""

    max_spec_bytes: U32
    max_components: U8
    max_instances: U16
    max_ciphertext_bytes: U32
    max_cpu_milli: U32
    """Per instance."""
    max_memory_mib: U32
    max_disk_mib: U32
    revisions_kept: U16
    """Newest specs kept per app; older ones stay only while a lease runs them."""


class AppDeployed(Event, frozen=True):
    """An app was created."""

    app: Indexed[AppId]
    owner: Indexed[Address]
    name: str
    instances: U16


class AppUpdated(Event, frozen=True):
    """An app has another revision or instance count; a revision lower than the last one means that it went back."""

    app: Indexed[AppId]
    revision: Revision
    instances: U16


class AppStatusChanged(Event, frozen=True):
    """An app was paused, resumed, depleted or closed."""

    app: Indexed[AppId]
    status: U8


@dataclass(eq=False)
class UnknownApp(Revert):
    """There is no app {app}."""

    app: AppId


@dataclass(eq=False)
class NameTaken(Revert):
    """The name {name} belongs to app {app}; choose another with --name."""

    name: str
    app: AppId


@dataclass(eq=False)
class InvalidName(Revert):
    """{name} is not a valid app name: 1–63 of a–z, 0–9 and inner hyphens, beginning with a letter."""

    name: str


@dataclass(eq=False)
class InvalidSpec(Revert):
    """The spec is not valid: {reason}."""

    reason: str


@dataclass(eq=False)
class NotOwner(Revert):
    """App {app} belongs to {owner}; {caller} may not change it."""

    app: AppId
    owner: Address
    caller: Address


@dataclass(eq=False)
class UnknownRevision(Revert):
    """The spec of app {app} revision {revision} is not (or no longer) on chain."""

    app: AppId
    revision: Revision


@dataclass(eq=False)
class RevisionIsCurrent(Revert):
    """App {app} is on revision {revision} already."""

    app: AppId
    revision: Revision


@dataclass(eq=False)
class InvalidInstances(Revert):
    """{instances} instances were asked for; between 1 and {limit} are allowed."""

    instances: U16
    limit: U16


@dataclass(eq=False)
class WrongAppStatus(Revert):
    """App {app} is in status {status}, which does not allow this."""

    app: AppId
    status: U8

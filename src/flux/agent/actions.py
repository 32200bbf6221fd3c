"""The named actions of a plan: what `apply` can do, and nothing else. Each may be repeated without harm."""

from dataclasses import dataclass

from flux.contracts.apps.types import RegistryCredential
from flux.contracts.market.types import FailReason, LeaseId, PortBinding
from flux.runtime.types import ContainerId, ContainerSpec, ImageReference, SecretFile


@dataclass(frozen=True, slots=True)
class PullImage:
    """Fetch an image by digest."""

    image: ImageReference
    credential: RegistryCredential | None


@dataclass(frozen=True, slots=True)
class EnsureNetwork:
    """Create the instance's network."""

    name: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class EnsureVolume:
    """Create a named volume, or keep the one that is there."""

    name: str
    labels: dict[str, str]
    size_mib: int


@dataclass(frozen=True, slots=True)
class CreateContainer:
    """Create a component's container; host ports left 0 are chosen when it is applied."""

    component: str
    spec: ContainerSpec


@dataclass(frozen=True, slots=True)
class PlaceSecrets:
    """Put a container's secrets into memory again: a reboot takes them."""

    component: str
    container: str
    """Its name."""
    secrets: tuple[SecretFile, ...]


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Start a container."""

    component: str
    container: ContainerId
    """Its name where the same plan creates it."""


@dataclass(frozen=True, slots=True)
class StopContainer:
    """Stop a container with its grace."""

    component: str
    container: ContainerId
    unhealthy: bool = False
    """Whether because its health checks fail: it is started again, and that counts like a crash."""


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Remove a stopped container."""

    component: str
    container: ContainerId


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Remove the instance's network."""

    name: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Tell the chain that the instance runs, and where its ports are."""

    lease: LeaseId
    bindings: tuple[PortBinding, ...]


@dataclass(frozen=True, slots=True)
class ReportFailure:
    """Tell the chain that the instance cannot run here."""

    lease: LeaseId
    reason: FailReason
    detail: str


@dataclass(frozen=True, slots=True)
class ReportStalled:
    """Tell the chain that nothing of a running lease runs until it is started again: it need not be paid meanwhile."""

    lease: LeaseId


@dataclass(frozen=True, slots=True)
class ReportResumed:
    """Tell the chain that a stalled lease runs again."""

    lease: LeaseId


@dataclass(frozen=True, slots=True)
class ReportStopped:
    """Tell the chain that nothing of a closed lease runs any more: another instance need not wait longer."""

    lease: LeaseId


Telling = Confirm | ReportFailure | ReportStalled | ReportResumed | ReportStopped
"""What is told to the chain, which then says something else of the lease."""
Action = (
    PullImage
    | EnsureNetwork
    | EnsureVolume
    | CreateContainer
    | PlaceSecrets
    | StartContainer
    | StopContainer
    | RemoveContainer
    | RemoveNetwork
    | Telling
)

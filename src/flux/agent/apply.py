"""Carries out a plan's actions, one after another, and says what became of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from flux.agent.actions import (
    Action,
    Confirm,
    CreateContainer,
    EnsureNetwork,
    EnsureVolume,
    PlaceSecrets,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    ReportFailure,
    ReportResumed,
    ReportStalled,
    ReportStopped,
    StartContainer,
    StopContainer,
)
from flux.agent.ports import NoPortLeft, PortPool
from flux.contracts.market.types import FailReason, LeaseId, PortBinding
from flux.runtime.errors import (
    ContainerNotFound,
    ImageNotFound,
    ImagePullFailed,
    OutOfDisk,
    OutOfNetworks,
    PortTaken,
    RequestRefused,
    RuntimeFailure,
    StartFailed,
)
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerId, ImageReference, RegistryLogin

log = structlog.get_logger(__name__)
MAX_DETAIL = 200
"""Characters of a failure that go on chain."""
PORT_PATIENCE = 20
"""Starts of a lease that may meet a taken port before it is given back."""


class Pull(Protocol):
    """Fetches an image. Raises what the runtime's `pull` does."""

    async def __call__(self, image: ImageReference, login: RegistryLogin | None = None) -> None: ...


class Reporter(Protocol):
    """How the agent reports to the chain; a report that the chain refuses is over, not an error."""

    async def confirm(self, lease: LeaseId, bindings: tuple[PortBinding, ...]) -> bool: ...
    async def fail(self, lease: LeaseId, reason: FailReason, detail: str) -> bool: ...
    async def stalled(self, lease: LeaseId) -> bool: ...
    async def resumed(self, lease: LeaseId) -> bool: ...
    async def stopped(self, lease: LeaseId) -> bool: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan."""

    failure: tuple[FailReason, str] | None = None
    """Set when it failed for good: the lease should be given back."""
    retry_after: float = 0.0
    """Seconds to wait before looking again, when something failed that may pass."""
    confirmed: bool = False
    missing: ImageReference | None = None
    """An image that was taken for held and is not: somebody removed it."""


class Applier:
    """Applies actions to one engine and one chain."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        reporter: Reporter,
        ports: PortPool,
        acted: Callable[[str, str], None] = lambda action, outcome: None,
        pull: Pull | None = None,
    ) -> None:
        """`acted` is told of each action and its outcome: applied, retried or failed. `pull` fetches images and notes
        whose they are; by default the runtime does, and nobody notes."""
        self._runtime = runtime
        self._pull: Pull = pull or runtime.pull
        self._reporter = reporter
        self._ports = ports
        self._acted = acted
        self._port_conflicts: dict[LeaseId, int] = {}

    async def apply(self, lease: LeaseId, actions: tuple[Action, ...]) -> Outcome:
        """Carry out the actions in order; stop at the first that fails and say whether it may pass."""
        confirmed = False
        made: dict[str, ContainerId] = {}
        for planned in actions:
            action = _named(planned, made)
            try:
                if isinstance(action, Confirm):
                    confirmed = await self._reporter.confirm(action.lease, action.bindings)
                elif isinstance(action, CreateContainer):
                    made[action.spec.name] = await self._runtime.create(self._ports.fill(action.spec))
                else:
                    await self._apply(action)
            except (RuntimeFailure, NoPortLeft) as error:
                outcome = await self._recover(lease, action, error)
                self._acted(type(action).__name__, "retried" if outcome.failure is None else "failed")
                log.warning(
                    "action failed",
                    lease=lease,
                    action=type(action).__name__,
                    error=type(error).__name__,
                    reason=str(error),
                    retry_after=outcome.retry_after,
                )
                return outcome
            self._acted(type(action).__name__, "applied")
            log.info("action applied", lease=lease, action=type(action).__name__, **_facts(action))
        self._port_conflicts.pop(lease, None)
        return Outcome(confirmed=confirmed)

    async def _apply(self, action: Action) -> None:
        runtime = self._runtime
        match action:
            case PullImage(image, credential):
                login = None if credential is None else RegistryLogin(credential.username, credential.password)
                await self._pull(image, login)
            case EnsureNetwork(name, labels):
                await runtime.ensure_network(name, labels)
            case EnsureVolume(name, labels, size_mib):
                await runtime.ensure_volume(name, labels, size_mib)
            case PlaceSecrets(_, name, secrets):
                await runtime.place_secrets(name, secrets)
            case StartContainer(_, container):
                await runtime.start(container)
            case StopContainer(component=_, container=container):
                await runtime.stop(container)
            case RemoveContainer(_, container):
                await runtime.remove(container, force=True)
            case RemoveNetwork(name):
                await runtime.remove_network(name)
            case ReportFailure(lease, reason, detail):
                await self._reporter.fail(lease, reason, detail[:MAX_DETAIL])
            case ReportStalled(lease):
                await self._reporter.stalled(lease)
            case ReportResumed(lease):
                await self._reporter.resumed(lease)
            case ReportStopped(lease):
                await self._reporter.stopped(lease)
            case Confirm() | CreateContainer():
                raise AssertionError("apply does what it needs the answer of")

    async def _recover(self, lease: LeaseId, action: Action, error: RuntimeFailure | NoPortLeft) -> Outcome:
        if isinstance(error, PortTaken) and isinstance(action, StartContainer):
            # Somebody took the port between choosing and starting: a new container gets another one, unless the chain
            # has the port on record; then whoever holds it may let go (an old container on its way out).
            await self._runtime.remove(action.container, force=True)
            conflicts = self._port_conflicts[lease] = self._port_conflicts.get(lease, 0) + 1
            if conflicts < PORT_PATIENCE:
                return Outcome(retry_after=0.1 * conflicts)
            del self._port_conflicts[lease]
            return Outcome((FailReason.START, str(error)))
        detail = str(error)
        match error:
            case ImageNotFound() if isinstance(action, CreateContainer):
                return Outcome(retry_after=0.1, missing=action.spec.image)
            case ImageNotFound():
                return Outcome((FailReason.IMAGE_PULL, detail))
            case ImagePullFailed(retry=False):
                return Outcome((FailReason.IMAGE_PULL, detail))
            case OutOfDisk() | OutOfNetworks() | NoPortLeft():
                return Outcome((FailReason.NO_RESOURCES, detail))
            case RequestRefused():
                return Outcome((FailReason.CREATE, detail))
            case StartFailed():
                return Outcome((FailReason.START, detail))
            case ContainerNotFound():
                return Outcome(retry_after=0.1)
            case _:
                return Outcome(retry_after=max(error.delay, 1.0))


def _named(action: Action, made: Mapping[str, ContainerId]) -> Action:
    """A start of what the same plan created is one of that very container, in the log too."""
    if isinstance(action, StartContainer) and action.container in made:
        return replace(action, container=made[action.container])
    return action


def _facts(action: Action) -> dict[str, object]:
    facts: dict[str, object] = {}
    for name in ("component", "container", "image", "name", "reason"):
        if (value := getattr(action, name, None)) is not None:
            facts[name] = str(value)
    return facts

"""What to do next for one instance: pure, from what is desired, what is observed and what was remembered.

A plan holds the actions that are possible now, in order; once they are applied the loop looks again. It never removes
anything of a lease that the chain has not closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
from flux.agent.container_specs import PROTOCOL_NUMBERS, container_spec, plan_hash, secret_files, start_order
from flux.agent.desired import DesiredInstance, Lock, NodeFacts
from flux.agent.observed import ObservedContainer, ObservedInstance
from flux.agent.restarts import Crashes
from flux.contracts.apps.types import Component, Dependency
from flux.contracts.market.types import FailReason, LeaseState, PortBinding
from flux.primitives.types import U16
from flux.runtime.labels import AT_MOST_ONE, container_name, network_name, volume_name
from flux.runtime.types import ContainerHealth, ContainerId, ContainerState, ImageReference

SEED_PATIENCE = 60.0
"""Seconds that a new lease waits for its seed before the agent gives it back."""
CRASHES_BEFORE_REPORT = 5
"""Crashes without a stable run in between after which the lease is given back."""
WATCHED_STARTS = 2
"""The same for a revision that is being rolled out: the sooner it goes back, the better."""
UNHEALTHY_STARTS = 2
"""The same for an instance that was never healthy here: another node may do better before the start deadline."""

LONG_WAIT = 5.0
"""Seconds without anything running that are worth telling the chain, which then does not charge them."""
TELL_AGAIN = 20.0
"""Seconds after which the chain is told once more that an instance waits, or runs again, if it did not take it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the agent remembers of an instance between two looks; lost on its restart, which is harmless."""

    first_seen: float
    """Clock of the agent when the lease was first seen."""
    crashes: Mapping[str, Crashes] = field(default_factory=dict)
    """By component."""
    failure: tuple[FailReason, str] | None = None
    """Set when an action failed for good."""
    confirmed: bool = False
    """Whether the chain accepted our confirmation; the lease read may be older."""
    running_since: float | None = None
    """Clock of the agent when it found the instance well and told the chain; None before."""
    told: tuple[LeaseState, float] | None = None
    """What the chain was last told of a confirmed lease, and when by the agent's clock: stalled, or running again."""

    def after(self, actions: tuple[Action, ...], now: float) -> "Memory":
        """With what is to be remembered of actions that begin now."""
        memory = self
        for action in actions:
            match action:
                case Confirm():
                    memory = replace(
                        memory, running_since=now if memory.running_since is None else memory.running_since
                    )
                case ReportStalled():
                    memory = replace(memory, told=(LeaseState.STALLED, now))
                case ReportResumed():
                    memory = replace(memory, told=(LeaseState.RUNNING, now))
        return memory


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now and why nothing more."""

    actions: tuple[Action, ...] = ()
    waiting_for: str = ""
    """A sentence for people; empty when the instance is as it should be."""
    wake_at: float | None = None
    """When to look again even if nothing changes."""


def plan_instance(
    node: NodeFacts,
    desired: DesiredInstance,
    observed: ObservedInstance | None,
    images: frozenset[ImageReference],
    memory: Memory,
    now: float,
) -> Plan:
    """The next actions for an open lease. `images` are those that the engine holds, `now` is the agent's clock."""
    lease = desired.lease
    if memory.failure is not None:
        return Plan((ReportFailure(lease.id, *memory.failure),), "the chain closes the lease")
    if desired.lock is Lock.UNREADABLE:
        return _plan_unreadable(desired, observed)
    if desired.lock is not Lock.OPEN and not (observed and observed.containers):
        return _plan_locked(node, desired, observed, memory, now)
    containers = observed.containers if observed is not None else {}
    if stale := _plan_stale(node, desired, containers):
        return Plan(stale, "containers of an older plan are replaced")
    if missing := _missing_images(desired, images, containers):
        return Plan(missing, "images are pulled")
    creations = _plan_creation(node, desired, observed, memory)
    if creations:
        return Plan(creations, "containers are created")
    return _plan_running(node, desired, containers, memory, now)


def plan_removal(observed: ObservedInstance) -> Plan:
    """The actions that end an instance whose lease the chain has closed; volumes are left to quarantine."""
    actions: list[Action] = []
    for name, container in sorted(observed.containers.items()):
        if container.is_running:
            actions.append(StopContainer(name, container.view.id))
        actions.append(RemoveContainer(name, container.view.id))
    actions += [RemoveNetwork(name) for name in observed.networks]
    if any(AT_MOST_ONE in container.view.labels for container in observed.containers.values()):
        actions.append(ReportStopped(observed.key.lease))
    return Plan(tuple(actions), "the lease is closed")


def _plan_unreadable(desired: DesiredInstance, observed: ObservedInstance | None) -> Plan:
    if observed is not None and observed.containers:
        return Plan((), "this agent does not understand the spec: what runs is kept; update the agent")
    detail = "the node's agent is older than the spec"
    return Plan((ReportFailure(desired.lease.id, FailReason.BAD_SPEC, detail),), detail)


def _plan_locked(
    node: NodeFacts, desired: DesiredInstance, observed: ObservedInstance | None, memory: Memory, now: float
) -> Plan:
    """The network can be made meanwhile: it has no secrets."""
    give_up = memory.first_seen + SEED_PATIENCE
    if now < give_up:
        network = _missing_network(node, desired, observed)
        return Plan(network, "the seed of the private half has not arrived", give_up)
    detail = "no seed was sealed to this node" if desired.lock is Lock.WAITING else "no sealed seed opens the spec"
    return Plan((ReportFailure(desired.lease.id, FailReason.NO_SEED, detail),), detail)


def _plan_stale(
    node: NodeFacts, desired: DesiredInstance, containers: Mapping[str, ObservedContainer]
) -> tuple[Action, ...]:
    if desired.lock is not Lock.OPEN:
        return ()  # without the private half the right hash is unknown: what runs is kept
    actions: list[Action] = []
    for name, container in sorted(containers.items()):
        component = desired.component(name)
        current = component is not None and container.plan_hash == plan_hash(node, desired, component)
        if current and container.view.state is not ContainerState.DEAD:
            continue
        if container.is_running:
            actions.append(StopContainer(name, container.view.id))
        actions.append(RemoveContainer(name, container.view.id))
    return tuple(actions)


def _missing_images(
    desired: DesiredInstance, images: frozenset[ImageReference], containers: Mapping[str, ObservedContainer]
) -> tuple[Action, ...]:
    wanted: dict[ImageReference, PullImage] = {}
    for component in desired.spec.components:
        image = ImageReference(component.image)
        if image not in images and component.name not in containers:
            wanted[image] = PullImage(image, desired.credential(component.image))
    return tuple(wanted.values())


def _missing_network(
    node: NodeFacts, desired: DesiredInstance, observed: ObservedInstance | None
) -> tuple[Action, ...]:
    name = network_name(node.chain, node.node, desired.lease.id)
    if observed is not None and name in observed.networks:
        return ()
    return (EnsureNetwork(name, desired.key(node).labels()),)


def _plan_creation(
    node: NodeFacts, desired: DesiredInstance, observed: ObservedInstance | None, memory: Memory
) -> tuple[Action, ...]:
    """What is missing is created; what waits for nothing else and never crashed is started with it.

    Not where at most one may run: whether it still may is looked at between the two.
    """
    if desired.lock is not Lock.OPEN:
        return ()
    lease = desired.lease
    containers = observed.containers if observed is not None else {}
    missing = [component for component in start_order(desired) if component.name not in containers]
    if not missing:
        return ()
    key = desired.key(node)
    actions: list[Action] = list(_missing_network(node, desired, observed))
    mounted = {mount.volume for component in missing for mount in component.mounts}
    actions += [
        EnsureVolume(
            volume_name(node.chain, node.node, lease.app, lease.ordinal, volume.name),
            key.volume_labels(),
            volume.size_mib,
        )
        for volume in desired.spec.volumes
        if volume.name in mounted
    ]
    specs = {item.name: container_spec(node, desired, item) for item in missing}
    actions += [CreateContainer(name, spec) for name, spec in specs.items()]
    actions += [
        StartContainer(item.name, ContainerId(specs[item.name].name))
        for item in missing
        if not item.depends_on and item.name not in memory.crashes and not desired.spec.at_most_one
    ]
    return tuple(actions)


def _plan_running(
    node: NodeFacts, desired: DesiredInstance, containers: Mapping[str, ObservedContainer], memory: Memory, now: float
) -> Plan:
    actions: list[Action] = []
    waiting: list[str] = []
    wake: list[float] = []
    for component in start_order(desired):
        container = containers.get(component.name)
        if container is None:
            waiting.append(f"{component.name} is missing and its private half is locked")
            continue
        crashes = memory.crashes.get(component.name, Crashes())
        if crashes.count >= _patience(desired, memory, crashes, now):
            return _give_up(desired, component, container, crashes)
        if container.is_running:
            if container.health is ContainerHealth.UNHEALTHY:
                actions.append(StopContainer(component.name, container.view.id, unhealthy=True))
                waiting.append(f"{component.name} is unhealthy and is restarted")
            elif not container.is_healthy:
                waiting.append(f"{component.name} is not healthy yet")
            continue
        if _is_finished(component, container, crashes):
            if crashes.unhealthy or not container.has_completed:
                return _give_up(desired, component, container, crashes)
            continue
        unmet = [needed for needed in component.depends_on if not _is_met(needed, containers)]
        if unmet:
            waiting.append(f"{component.name} waits for {', '.join(needed.component for needed in unmet)}")
        elif now < crashes.restart_at():
            what = "was unhealthy" if crashes.unhealthy else "crashed"
            waiting.append(f"{component.name} {what} and waits to be restarted")
            wake.append(crashes.restart_at())
        elif desired.lock is not Lock.OPEN and now < memory.first_seen + SEED_PATIENCE:
            waiting.append(f"{component.name} waits for the seed, for secrets that a reboot took")
            wake.append(memory.first_seen + SEED_PATIENCE)
        else:
            if secrets := secret_files(desired, component):
                name = container_name(node.chain, node.node, desired.lease.id, component.name)
                actions.append(PlaceSecrets(component.name, name, secrets))
            actions.append(StartContainer(component.name, container.view.id))
            waiting.append(f"{component.name} starts")
    if not waiting and desired.lease.state is LeaseState.ASSIGNED and not memory.confirmed:
        return Plan((Confirm(desired.lease.id, _bindings(desired, containers)),), "the chain is told that it runs")
    wake_at = min(wake, default=None)
    actions += _billing(desired, containers, memory, wake_at, now)
    return Plan(tuple(actions), "; ".join(waiting), wake_at)


def _billing(
    desired: DesiredInstance,
    containers: Mapping[str, ObservedContainer],
    memory: Memory,
    wake_at: float | None,
    now: float,
) -> tuple[Action, ...]:
    """What the chain should hear so that it charges for what runs: a lease of which nothing does stalls."""
    lease, runs = desired.lease, any(container.is_running for container in containers.values())
    waits = not runs and wake_at is not None and wake_at >= now + LONG_WAIT
    if lease.state is LeaseState.RUNNING and waits and _may_tell(memory, LeaseState.STALLED, now):
        return (ReportStalled(lease.id),)
    if lease.state is LeaseState.STALLED and runs and _may_tell(memory, LeaseState.RUNNING, now):
        return (ReportResumed(lease.id),)
    return ()


def _may_tell(memory: Memory, state: LeaseState, now: float) -> bool:
    """Unless it was told a moment ago: the lease that was read may be older."""
    return memory.told is None or memory.told[0] is not state or now >= memory.told[1] + TELL_AGAIN


def _patience(desired: DesiredInstance, memory: Memory, crashes: Crashes, now: float) -> int:
    never_ran = desired.lease.state is LeaseState.ASSIGNED and not memory.confirmed
    if crashes.count and desired.watched is not None:
        since = memory.running_since
        if since is None:
            return 1 if crashes.unhealthy or memory.confirmed else WATCHED_STARTS
        if crashes.last_at >= since and now < since + desired.watched:
            return 1
    return UNHEALTHY_STARTS if crashes.unhealthy and never_ran else CRASHES_BEFORE_REPORT


def _give_up(desired: DesiredInstance, component: Component, container: ObservedContainer, crashes: Crashes) -> Plan:
    """Give the lease back for a component that does not stay up."""
    status = container.view.exit_code
    if crashes.unhealthy:
        reason, detail = FailReason.UNHEALTHY, f"{component.name} stayed unhealthy after {crashes.count} runs"
    elif crashes.count >= CRASHES_BEFORE_REPORT:
        reason = FailReason.CRASH_LOOP
        detail = f"{component.name} stopped {crashes.count} times, last with exit status {status}"
    else:
        reason, detail = FailReason.START, f"{component.name} ended with exit status {status}"
    return Plan((ReportFailure(desired.lease.id, reason, detail),), detail)


def _is_finished(component: Component, container: ObservedContainer, crashes: Crashes) -> bool:
    if container.view.state is not ContainerState.EXITED:
        return False
    if crashes.unhealthy:
        return component.restart == "no"  # how it took the agent's signal says nothing of its work
    return component.restart == "no" or (component.restart == "on-failure" and container.has_completed)


def _is_met(needed: Dependency, containers: Mapping[str, ObservedContainer]) -> bool:
    container = containers.get(needed.component)
    if container is None:
        return False
    if needed.condition == "completed":
        return container.has_completed
    if needed.condition == "healthy":
        return container.is_healthy
    return container.is_running or container.has_completed


def _bindings(desired: DesiredInstance, containers: Mapping[str, ObservedContainer]) -> tuple[PortBinding, ...]:
    return tuple(
        PortBinding(component.name, U16(binding.container), U16(binding.host), PROTOCOL_NUMBERS[binding.protocol])
        for component in desired.spec.components
        for binding in containers[component.name].view.bindings
    )

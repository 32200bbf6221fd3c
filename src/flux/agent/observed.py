"""What the engine really runs for this node, grouped by instance."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flux.contracts.market.types import LeaseId
from flux.runtime.labels import COMPONENT, PLAN_HASH, InstanceKey, find_instance
from flux.runtime.types import ContainerHealth, ContainerState, ContainerView, NetworkView


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container and what the agent's own probes say of it."""

    view: ContainerView
    health: ContainerHealth
    """The engine's for command checks, the agent's for http and tcp ones."""

    @property
    def plan_hash(self) -> str:
        """Hash of the plan it was created from."""
        return self.view.labels.get(PLAN_HASH, "")

    @property
    def is_running(self) -> bool:
        """Whether its program runs."""
        return self.view.state is ContainerState.RUNNING

    @property
    def is_healthy(self) -> bool:
        """Running, and healthy where there is a health check."""
        return self.is_running and self.health in (ContainerHealth.NONE, ContainerHealth.HEALTHY)

    @property
    def has_completed(self) -> bool:
        """Ended with exit status 0."""
        return self.view.state is ContainerState.EXITED and self.view.exit_code == 0


@dataclass(frozen=True, slots=True)
class ObservedInstance:
    """Everything of one lease that the engine holds."""

    key: InstanceKey
    containers: Mapping[str, ObservedContainer]
    """By component name."""
    networks: tuple[str, ...]


def group(
    containers: Iterable[ContainerView],
    networks: Iterable[NetworkView],
    probed: Mapping[str, ContainerHealth],
) -> dict[LeaseId, ObservedInstance]:
    """Instances by lease. `probed` is the agent's own verdict by container name, where it checks itself."""
    keys: dict[LeaseId, InstanceKey] = {}
    by_lease: dict[LeaseId, dict[str, ObservedContainer]] = {}
    nets: dict[LeaseId, list[str]] = {}
    for view in containers:
        if (key := find_instance(view.labels)) is None:
            continue
        keys[key.lease] = key
        observed = ObservedContainer(view, probed.get(view.name, view.health))
        by_lease.setdefault(key.lease, {})[view.labels.get(COMPONENT, view.name)] = observed
    for network in networks:
        if (key := find_instance(network.labels)) is not None:
            keys[key.lease] = key
            nets.setdefault(key.lease, []).append(network.name)
    return {
        lease: ObservedInstance(key, by_lease.get(lease, {}), tuple(nets.get(lease, ())))
        for lease, key in sorted(keys.items())
    }

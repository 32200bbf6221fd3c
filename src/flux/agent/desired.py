"""What the chain wants of this node: its open leases with their specs. Plain data; `source.py` fetches it."""

from dataclasses import dataclass, field
from enum import Enum, auto

from flux.contracts.apps.types import AppSpec, Component, PrivateComponent, PrivateSpec, RegistryCredential, Secret
from flux.contracts.market.types import Lease
from flux.contracts.nodes.types import NodeId
from flux.runtime.labels import ChainName, InstanceKey


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What every container of this node is told and labelled with."""

    chain: ChainName
    node: NodeId
    country: str
    region: str
    bind_ip: str
    """Host address that published ports listen on."""


class Lock(Enum):
    """Whether the private half of an instance can be read."""

    OPEN = auto()
    """There is none, or it was opened."""
    WAITING = auto()
    """No seed was sealed to this node yet."""
    BROKEN = auto()
    """Boxes came and none of them opens the ciphertext."""
    UNREADABLE = auto()
    """The public half has what this agent does not know: it is older than the chain's rules."""


class Ending(Enum):
    """What the chain says of a lease that is not among the node's open ones."""

    OPEN = auto()
    """Nothing: whoever says so may be behind."""
    DRAINS = auto()
    """It is closed, and visitors may still be on their way to it."""
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class DesiredInstance:
    """One open lease and everything needed to run it."""

    lease: Lease
    app_name: str
    spec: AppSpec
    lock: Lock
    private: PrivateSpec = field(default_factory=PrivateSpec, repr=False)
    watched: float | None = None
    """Seconds after its confirmation for which a crash is reported at once, because its revision is being rolled out;
    None when it is not."""

    def key(self, node: NodeFacts) -> InstanceKey:
        """Identity of the instance on the engine."""
        lease = self.lease
        return InstanceKey(node.chain, node.node, lease.id, lease.app, lease.ordinal, lease.revision)

    def component(self, name: str) -> Component | None:
        """A component of the spec."""
        return next((component for component in self.spec.components if component.name == name), None)

    def private_component(self, name: str) -> PrivateComponent:
        """The private half of a component; empty when there is none."""
        found = (component for component in self.private.components if component.name == name)
        return next(found, PrivateComponent(name=name))

    def secrets(self, component: str) -> tuple[Secret, ...]:
        """The secrets that a component gets."""
        return tuple(
            secret for secret in self.private.secrets if not secret.components or component in secret.components
        )

    def credential(self, image: str) -> RegistryCredential | None:
        """Login for the registry of an image."""
        host = image.split("/", 1)[0]
        return next((item for item in self.private.registries if item.host == host), None)

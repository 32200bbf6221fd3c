"""From a desired instance to what the engine is asked to create. Pure."""

import hashlib

import msgspec

from flux.agent.desired import DesiredInstance, NodeFacts
from flux.contracts.apps.types import Component, Port, PrivateComponent, PrivateSpec, encode_spec
from flux.contracts.market.types import Lease
from flux.primitives.types import U8
from flux.runtime.labels import AT_MOST_ONE, PREFIX, container_name, network_name, volume_name
from flux.runtime.types import ContainerSpec, HealthCommand, ImageReference, PublishedPort, SecretFile, VolumeMount

SECRETS_FOLDER = "/run/secrets"
"""Where Compose has secrets, too."""
PROTOCOL_NUMBERS = {"tcp": U8(6), "udp": U8(17)}
"""IANA numbers, as the chain records bindings."""


def container_spec(node: NodeFacts, desired: DesiredInstance, component: Component) -> ContainerSpec:
    """The container of one component. Its plan hash covers all that would need a new container when it changed."""
    private = desired.private_component(component.name)
    lease = desired.lease
    return ContainerSpec(
        name=container_name(node.chain, node.node, lease.id, component.name),
        image=ImageReference(component.image),
        cpu_milli=component.cpu_milli,
        memory_mib=component.memory_mib,
        disk_mib=component.disk_mib,
        network=network_name(node.chain, node.node, lease.id),
        alias=component.name,
        labels={
            **{name: value for name, value in component.labels if not name.startswith(PREFIX)},
            **desired.key(node).component_labels(component.name, plan_hash(node, desired, component)),
            **({AT_MOST_ONE: "1"} if desired.spec.at_most_one else {}),
        },
        entrypoint=private.entrypoint,
        command=private.command,
        environment=_environment(node, desired, component),
        ports=tuple(
            PublishedPort(port.container, port.protocol, _host_port(lease, component.name, port), node.bind_ip)
            for port in component.ports
        ),
        mounts=tuple(
            VolumeMount(
                volume_name(node.chain, node.node, lease.app, lease.ordinal, mount.volume), mount.path, mount.read_only
            )
            for mount in component.mounts
        ),
        tmpfs=component.tmpfs,
        secrets=secret_files(desired, component),
        user=component.user,
        working_dir=component.working_dir,
        hostname=component.hostname,
        read_only=component.read_only,
        init=component.init,
        shm_mib=component.shm_mib,
        stop_signal=component.stop_signal,
        stop_grace_seconds=component.stop_grace_seconds,
        health=health_command(component, private),
    )


def plan_hash(node: NodeFacts, desired: DesiredInstance, component: Component) -> str:
    """First 16 hexadecimal digits of a hash over the component, its private half and the node's facts.

    Defaults are left out of what is hashed, so that an agent that knows more fields than the last one keeps containers.
    """
    lease = desired.lease
    private = msgspec.structs.replace(desired.private_component(component.name), backup_pre=None, backup_post=None)
    parts: tuple[object, ...] = (component, private, node, lease.app, lease.ordinal, desired.app_name)
    if secrets := desired.secrets(component.name):
        parts += (encode_spec(PrivateSpec(secrets=secrets)).decode(),)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def secret_files(desired: DesiredInstance, component: Component) -> tuple[SecretFile, ...]:
    """The secrets that a component gets as files."""
    return tuple(
        SecretFile(secret.path or f"{SECRETS_FOLDER}/{secret.name}", secret.value, secret.mode)
        for secret in desired.secrets(component.name)
        if not secret.in_environment
    )


def start_order(desired: DesiredInstance) -> tuple[Component, ...]:
    """Components with every dependency before its dependents; declaration order otherwise. Specs have no cycles."""
    ordered: list[Component] = []
    remaining = list(desired.spec.components)
    while remaining:
        names = {component.name for component in remaining}
        ready = [c for c in remaining if not any(needed.component in names for needed in c.depends_on)]
        ordered += ready or remaining
        remaining = [component for component in remaining if component not in ordered]
    return tuple(ordered)


def _host_port(lease: Lease, component: str, port: Port) -> int:
    """The port that the chain has on record, once the lease was confirmed: clients and ingresses connect there."""
    number = PROTOCOL_NUMBERS[port.protocol]
    for binding in lease.bindings:
        if (binding.component, binding.container, binding.protocol) == (component, port.container, number):
            return binding.host
    return 0


def _environment(node: NodeFacts, desired: DesiredInstance, component: Component) -> dict[str, str]:
    secrets = (secret for secret in desired.secrets(component.name) if secret.in_environment)
    return {
        **dict(desired.private_component(component.name).environment),
        **{secret.name: secret.value.decode(errors="replace") for secret in secrets},
        "FLUX_APP": desired.app_name,
        "FLUX_INSTANCE": str(desired.lease.ordinal),
        "FLUX_NODE": str(node.node),
        "FLUX_COUNTRY": node.country,
        "FLUX_REGION": node.region,
    }


def health_command(component: Component, private: PrivateComponent) -> HealthCommand | None:
    """The check that runs inside a component's container, if it has one."""
    health = component.health
    if health is None or health.kind != "command" or private.health_command is None:
        return None
    return HealthCommand(
        private.health_command, health.interval_ms, health.timeout_ms, health.retries, health.start_period_ms
    )

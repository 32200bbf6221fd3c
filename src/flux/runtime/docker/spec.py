"""A container spec as Docker's create request, with the hardening that every container gets.

Hardening: limits of CPU, memory (no swap beyond it) and processes; no new privileges; only the capabilities below;
Docker's default seccomp and AppArmor profiles; rotated logs; no restart by Docker.
"""

from collections.abc import Sequence
from typing import Any

from flux.runtime.types import MIB, ContainerSpec, HealthCommand

CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
)
"""What entry points of ordinary images need: take ownership of a data directory, listen on port 80, change to another
user, confine themselves (sshd). Of Docker's default set these are left out: NET_RAW (forged packets to
neighbours), MKNOD, SETFCAP, SETPCAP and AUDIT_WRITE."""

_LOG_ROTATION = {"max-size": "10m", "max-file": "3"}
_NANOSECONDS_PER_MILLISECOND = 1_000_000
_NANO_CPUS_PER_MILLI = 1_000_000


def create_request(spec: ContainerSpec, *, limit_disk: bool, secret_paths: Sequence[str] = ()) -> dict[str, Any]:
    """The body of `POST /containers/create`.

    `limit_disk` only where the storage driver has quotas; `secret_paths` are where the host has the spec's secrets.
    """
    request: dict[str, Any] = {
        "Image": spec.image,
        "Hostname": spec.hostname or spec.alias,
        "Labels": dict(spec.labels),
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "ExposedPorts": {f"{port.container}/{port.protocol}": {} for port in spec.ports},
        "User": spec.user,
        "WorkingDir": spec.working_dir,
        "StopTimeout": spec.stop_grace_seconds,
        "HostConfig": _host_config(spec, secret_paths, limit_disk=limit_disk),
        "NetworkingConfig": {"EndpointsConfig": {spec.network: {"Aliases": [spec.alias]}}},
    }
    if spec.entrypoint is not None:
        # One empty string is Docker's way to say that the image's entry point is not wanted.
        request["Entrypoint"] = list(spec.entrypoint) or [""]
    if spec.command is not None:
        request["Cmd"] = list(spec.command)
    if spec.stop_signal:
        request["StopSignal"] = spec.stop_signal
    if spec.health is not None:
        request["Healthcheck"] = _health(spec.health)
    return request


def private_texts(spec: ContainerSpec) -> list[str]:
    """What must not appear in any message about the container."""
    health = spec.health.argv if spec.health is not None else ()
    return [*spec.environment.values(), *(spec.entrypoint or ()), *(spec.command or ()), *health]


def _host_config(spec: ContainerSpec, secret_paths: Sequence[str], *, limit_disk: bool) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in spec.ports:
        binding = {"HostIp": port.host_ip, "HostPort": str(port.host) if port.host else ""}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(binding)
    config: dict[str, Any] = {
        "NetworkMode": spec.network,
        "PortBindings": bindings,
        "Mounts": [
            {"Type": "volume", "Source": mount.volume, "Target": mount.path, "ReadOnly": mount.read_only}
            for mount in spec.mounts
        ]
        + [
            {"Type": "bind", "Source": source, "Target": secret.path, "ReadOnly": True}
            for source, secret in zip(secret_paths, spec.secrets, strict=True)
        ],
        "Tmpfs": dict.fromkeys(spec.tmpfs, ""),
        "NanoCpus": spec.cpu_milli * _NANO_CPUS_PER_MILLI,
        "Memory": spec.memory_mib * MIB,
        "MemorySwap": spec.memory_mib * MIB,
        "PidsLimit": spec.pids_limit,
        "CapDrop": ["ALL"],
        "CapAdd": list(CAPABILITIES),
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": spec.read_only,
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "json-file", "Config": _LOG_ROTATION},
        "Init": spec.init,
        "Privileged": False,
    }
    if spec.shm_mib:
        config["ShmSize"] = spec.shm_mib * MIB
    if spec.disk_mib and limit_disk:
        config["StorageOpt"] = {"size": f"{spec.disk_mib}M"}
    return config


def _health(health: HealthCommand) -> dict[str, Any]:
    return {
        "Test": ["CMD", *health.argv],
        "Interval": health.interval_ms * _NANOSECONDS_PER_MILLISECOND,
        "Timeout": health.timeout_ms * _NANOSECONDS_PER_MILLISECOND,
        "Retries": health.retries,
        "StartPeriod": health.start_period_ms * _NANOSECONDS_PER_MILLISECOND,
    }

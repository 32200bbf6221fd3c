"""Checks of a container spec before any engine sees it: the spec comes from a tenant, through the chain.

They keep a spec from meaning something else to an engine (names that are paths, variables with line ends of their own).
No message repeats a value that may be private.
"""

import re
from ipaddress import ip_address

from flux.runtime.errors import RequestRefused
from flux.runtime.types import ContainerSpec, ImageReference

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_LONGEST_IMAGE = 512
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<repository>(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"@(?P<digest>sha256:[0-9a-f]{64})"
)
"""As Docker's grammar of references has it."""


def check_name(name: str) -> None:
    """Raises RequestRefused for what is not a name of a container, network or volume."""
    if not _NAME.fullmatch(name):
        raise RequestRefused(f"{name[:64]!r} is not a valid name on a container engine.")


def check_image(image: ImageReference) -> tuple[str, str]:
    """Repository and digest of an image reference. Raises RequestRefused for anything but host/repo@sha256:…"""
    match = _IMAGE.fullmatch(image) if len(image) <= _LONGEST_IMAGE else None
    if match is None:
        raise RequestRefused(
            f"{image[:128]!r} does not name an image by digest.", "Write it as host/repository@sha256:<64 hex digits>."
        )
    return match["repository"], match["digest"]


def check_spec(spec: ContainerSpec) -> None:
    """Raises RequestRefused with the first thing that no engine could run as it is meant."""
    for name in (spec.name, spec.network, spec.alias, *(mount.volume for mount in spec.mounts)):
        check_name(name)
    check_image(spec.image)
    if spec.cpu_milli <= 0 or spec.memory_mib <= 0 or spec.pids_limit <= 0:
        raise RequestRefused(f"Container {spec.name} needs limits of CPU, memory and processes above zero.")
    for path in (*spec.tmpfs, *(mount.path for mount in spec.mounts), *(secret.path for secret in spec.secrets)):
        if not path.startswith("/") or "\0" in path:
            raise RequestRefused(f"Container {spec.name} mounts at {path[:128]!r}, which is not an absolute path.")
    _check_ports(spec)
    _check_private(spec)


def _check_ports(spec: ContainerSpec) -> None:
    for port in spec.ports:
        if port.protocol not in ("tcp", "udp") or not 1 <= port.container <= 65535 or not 0 <= port.host <= 65535:
            raise RequestRefused(f"Container {spec.name} publishes a port that is not one: {port}.")
        try:
            ip_address(port.host_ip)
        except ValueError:
            raise RequestRefused(f"Container {spec.name} publishes on {port.host_ip!r}, not an IP address.") from None


def _check_private(spec: ContainerSpec) -> None:
    for name, value in spec.environment.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise RequestRefused(f"Container {spec.name} has an environment variable that no program can be given.")
    for argv in (spec.entrypoint, spec.command, spec.health.argv if spec.health else None):
        if any("\0" in argument for argument in argv or ()):
            raise RequestRefused(f"Container {spec.name} has an argument that no program can be given.")
    if spec.health is not None and not spec.health.argv:
        raise RequestRefused(f"Container {spec.name} has a health command without a command.")

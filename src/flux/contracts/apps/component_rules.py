"""What one component of a spec may say. Every check raises InvalidSpec with the component's name and the reason.

Bounds that no parameter sets are what container engines accept, or what no honest spec comes near.
"""

import re
from typing import NoReturn

from flux.contracts.apps.types import AppSpec, Component, Health, InvalidSpec

MIN_CPU_MILLI = 10
MIN_MEMORY_MIB = 6
"""Docker refuses less."""
MAX_PORT = 65_535
MAX_IMAGE_LENGTH = 400
MAX_PATH_LENGTH = 255
MAX_ENTRIES = 64
"""Ports, mounts, tmpfs, dependencies or labels of one component."""
MAX_LABEL_LENGTH = 128
MAX_LABEL_VALUE_LENGTH = 1_024
MIN_INTERVAL_MS = 100
MAX_DURATION_MS = 86_400_000
MAX_RETRIES = 100
MAX_STOP_GRACE_SECONDS = 600
RESERVED_LABELS = "flux."

PROTOCOLS = ("tcp", "udp")
CONDITIONS = ("started", "healthy", "completed")
RESTARTS = ("always", "on-failure", "no")
HEALTH_KINDS = ("command", "http", "tcp")

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_IMAGE = re.compile(
    r"(?P<host>(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?)/(?P<path>[a-z0-9._/-]+)@sha256:[0-9a-f]{64}",
    re.ASCII,
)
_IMAGE_PART = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_USER = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31}(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31})?", re.ASCII)
_HOSTNAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?", re.ASCII)
_SIGNAL = re.compile(r"(?:SIG)?[A-Z][A-Z0-9]{1,9}(?:[+-][0-9]{1,2})?", re.ASCII)


def is_label(text: str) -> bool:
    """Whether the text is a DNS label in lower case."""
    return _LABEL.fullmatch(text) is not None


def check_component(component: Component, spec: AppSpec) -> None:
    """All of one component, its references into the spec included (dependency cycles are checked over the whole)."""
    name = component.name
    if not is_label(name):
        refuse(f"component {shown(name)}", "the name is not 1–63 of a–z, 0–9 and inner hyphens")
    where = f"component {name}"
    if not is_image(component.image):
        refuse(where, "the image is not host/path@sha256: and 64 hexadecimal digits")
    _check_size(where, component)
    _check_ports(where, component)
    _check_mounts(where, component, [volume.name for volume in spec.volumes])
    _check_dependencies(where, component, [other.name for other in spec.components])
    if component.health is not None:
        check_health(where, component.health, is_private=spec.private)
    _check_process(where, component)
    _check_labels(where, component)


def is_image(image: str) -> bool:
    """Whether the image is pinned: registry, repository and digest, without a tag."""
    match = _IMAGE.fullmatch(image) if len(image) <= MAX_IMAGE_LENGTH else None
    return match is not None and all(_IMAGE_PART.fullmatch(part) for part in match["path"].split("/"))


def check_health(where: str, health: Health, *, is_private: bool) -> None:
    """A rhythm that a host can keep, and a target that fits the kind."""
    check_word(where, "health kind", health.kind, HEALTH_KINDS)
    if health.kind == "command":
        if health.port or health.path:
            refuse(where, "a health command has neither port nor path")
        if not is_private:
            refuse(where, "a health command is in the private half, and this spec has none")
    else:
        check_range(where, "health port", health.port, 1, MAX_PORT)
        if health.kind == "tcp" and health.path:
            refuse(where, "a tcp health check has no path")
        if health.kind == "http" and (
            not health.path.startswith("/") or len(health.path) > MAX_PATH_LENGTH or _CONTROL.search(health.path)
        ):
            refuse(where, f"the health path does not begin with / or has more than {MAX_PATH_LENGTH} characters")
    check_range(where, "health interval_ms", health.interval_ms, MIN_INTERVAL_MS, MAX_DURATION_MS)
    check_range(where, "health timeout_ms", health.timeout_ms, 1, MAX_DURATION_MS)
    check_range(where, "health start_period_ms", health.start_period_ms, 0, MAX_DURATION_MS)
    check_range(where, "health retries", health.retries, 1, MAX_RETRIES)


def _check_size(where: str, component: Component) -> None:
    if component.cpu_milli < MIN_CPU_MILLI:
        refuse(where, f"cpu_milli is {component.cpu_milli}; at least {MIN_CPU_MILLI} are needed")
    if component.memory_mib < MIN_MEMORY_MIB:
        refuse(where, f"memory_mib is {component.memory_mib}; at least {MIN_MEMORY_MIB} are needed")
    if component.disk_mib < 0:
        refuse(where, "disk_mib is negative")
    check_range(where, "shm_mib", component.shm_mib, 0, component.memory_mib)


def _check_ports(where: str, component: Component) -> None:
    check_count(where, "ports", len(component.ports))
    for port in component.ports:
        check_range(where, "port", port.container, 1, MAX_PORT)
        check_word(where, "protocol", port.protocol, PROTOCOLS)
    check_unique(where, "port", [f"{port.container}/{port.protocol}" for port in component.ports])


def _check_mounts(where: str, component: Component, volumes: list[str]) -> None:
    check_count(where, "mounts", len(component.mounts) + len(component.tmpfs))
    for mount in component.mounts:
        if mount.volume not in volumes:
            refuse(where, f"it mounts the volume {shown(mount.volume)}, which the spec does not have")
    paths = [mount.path for mount in component.mounts] + list(component.tmpfs)
    for path in paths:
        _check_path(where, path)
    check_unique(where, "mount path", paths)


def _check_dependencies(where: str, component: Component, names: list[str]) -> None:
    check_count(where, "dependencies", len(component.depends_on))
    for dependency in component.depends_on:
        if dependency.component not in names:
            refuse(where, f"it depends on {shown(dependency.component)}, which the spec does not have")
        check_word(where, "dependency condition", dependency.condition, CONDITIONS)
    check_unique(where, "dependency", [dependency.component for dependency in component.depends_on])


def _check_process(where: str, component: Component) -> None:
    check_word(where, "restart", component.restart, RESTARTS)
    for label, value, pattern in (
        ("user", component.user, _USER),
        ("hostname", component.hostname, _HOSTNAME),
        ("stop_signal", component.stop_signal, _SIGNAL),
    ):
        if value and not pattern.fullmatch(value):
            refuse(where, f"{shown(value)} is no {label}")
    if component.working_dir and component.working_dir != "/":
        _check_path(where, component.working_dir)
    check_range(where, "stop_grace_seconds", component.stop_grace_seconds, 0, MAX_STOP_GRACE_SECONDS)


def _check_labels(where: str, component: Component) -> None:
    check_count(where, "labels", len(component.labels))
    for key, value in component.labels:
        if not 0 < len(key) <= MAX_LABEL_LENGTH or len(value) > MAX_LABEL_VALUE_LENGTH or _CONTROL.search(key):
            refuse(where, f"the label {shown(key)} is empty or too long, or has control characters")
        if key.startswith(RESERVED_LABELS):
            refuse(where, f"the label {shown(key)} begins with {RESERVED_LABELS}, which belongs to the node")
    check_unique(where, "label", [key for key, _ in component.labels])


def _check_path(where: str, path: str) -> None:
    parts = path.split("/")
    if (
        len(path) > MAX_PATH_LENGTH
        or parts[0] != ""
        or any(part in ("", ".", "..") for part in parts[1:])
        or _CONTROL.search(path)
    ):
        refuse(where, f"{shown(path)} is not an absolute path in plain form below /")


def check_range(where: str, what: str, value: int, lowest: int, highest: int) -> None:
    """Raise unless lowest <= value <= highest."""
    if not lowest <= value <= highest:
        refuse(where, f"{what} must be between {lowest} and {highest}")


def check_word(where: str, what: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise unless the value is one of the words."""
    if value not in allowed:
        refuse(where, f"{what} must be one of {', '.join(allowed)}, not {shown(value)}")


def check_count(where: str, what: str, count: int) -> None:
    """Raise when there are too many."""
    if count > MAX_ENTRIES:
        refuse(where, f"it has {count} {what}; at most {MAX_ENTRIES} are allowed")


def check_unique(where: str, what: str, values: list[str]) -> None:
    """Raise on the first value that occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            refuse(where, f"{what} {shown(value)} occurs twice")
        seen.add(value)


def shown(text: str) -> str:
    """Foreign text in a message: without control characters, and short."""
    plain = printable(text)
    return f"'{plain}'" if len(plain) <= 63 else f"'{plain[:60]}…'"


def printable(text: str) -> str:
    """The text with a question mark for every character that could disturb a terminal."""
    return _CONTROL.sub("?", text)


def refuse(where: str, reason: str) -> NoReturn:
    """Raise InvalidSpec."""
    raise InvalidSpec(f"{where}: {reason}")

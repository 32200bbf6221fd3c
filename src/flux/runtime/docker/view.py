"""Docker's JSON, as views of the port."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from flux.runtime.docker.failures import explain_start
from flux.runtime.types import (
    Binding,
    ContainerEvent,
    ContainerHealth,
    ContainerId,
    ContainerState,
    ContainerStats,
    ContainerView,
    EventKind,
)

_STATES = {
    "created": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "paused": ContainerState.RUNNING,
    "restarting": ContainerState.RUNNING,
    "exited": ContainerState.EXITED,
    "removing": ContainerState.DEAD,
    "dead": ContainerState.DEAD,
}
_HEALTHS = frozenset(ContainerHealth)
_NANOSECONDS = 1_000_000_000


def container_view(inspected: Mapping[str, Any]) -> ContainerView:
    """The view of `GET /containers/{id}/json`."""
    state, config = inspected["State"], inspected["Config"]
    status = _STATES[state["Status"]]
    started_at = parse_time(state["StartedAt"])
    ended = status not in (ContainerState.CREATED, ContainerState.RUNNING)
    return ContainerView(
        id=ContainerId(inspected["Id"]),
        name=inspected["Name"].removeprefix("/"),
        labels=dict(config["Labels"] or {}),
        image=config["Image"],
        state=status,
        exit_code=state["ExitCode"] if ended and started_at is not None else None,
        oom_killed=bool(state["OOMKilled"]),
        error=explain_start(state["Error"], private_of(inspected)) if state["Error"] else "",
        health=_health(state.get("Health")),
        bindings=_bindings(inspected["NetworkSettings"]["Ports"] or {}) if state["Running"] else (),
        created_at=parse_time(inspected["Created"]) or 0.0,
        started_at=started_at,
        finished_at=parse_time(state["FinishedAt"]) if ended else None,
    )


class Listed(Protocol):
    """An entry of `GET /containers/json`."""

    def __getitem__(self, key: str) -> Any: ...


def is_unchanged(known: ContainerView, listed: Listed) -> bool:
    """Whether Docker lists a container with the state, health and bindings of a view.

    Of a container that does not run Docker lists neither health nor bindings, and a view has no bindings.
    """
    state = _STATES.get(listed["State"])
    if state is not known.state:
        return False
    if state is not ContainerState.RUNNING:
        return True
    bindings = {
        Binding(port["PrivatePort"], port["Type"], port["PublicPort"], port["IP"])
        for port in listed["Ports"] or ()
        if port.get("PublicPort")
    }
    return _listed_health(listed["Status"]) is known.health and bindings == set(known.bindings)


def private_of(inspected: Mapping[str, Any]) -> list[str]:
    """What must not appear in any message about the container."""
    config = inspected["Config"]
    values = [pair.partition("=")[2] for pair in config["Env"] or ()]
    health = (config.get("Healthcheck") or {}).get("Test") or ()
    return [*values, *(config["Entrypoint"] or ()), *(config["Cmd"] or ()), *health]


def stats_view(read: Mapping[str, Any]) -> ContainerStats:
    """The view of `GET /containers/{id}/stats` of a running container."""
    memory = read["memory_stats"]
    details = memory.get("stats", {})
    # Version 2 of control groups and version 1 name the cache that the kernel can drop differently.
    droppable = details.get("inactive_file", details.get("total_inactive_file", 0))
    networks = (read.get("networks") or {}).values()
    disk: dict[str, int] = {}
    for entry in (read.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ():
        operation = entry["op"].lower()
        disk[operation] = disk.get(operation, 0) + entry["value"]
    return ContainerStats(
        read_at=parse_time(read["read"]) or 0.0,
        cpu_ns=read["cpu_stats"]["cpu_usage"]["total_usage"],
        memory_bytes=max(0, memory.get("usage", 0) - droppable),
        memory_limit_bytes=memory.get("limit", 0),
        received_bytes=sum(network["rx_bytes"] for network in networks),
        sent_bytes=sum(network["tx_bytes"] for network in networks),
        read_bytes=disk.get("read", 0),
        written_bytes=disk.get("write", 0),
        pids=read["pids_stats"]["current"],
    )


def is_running_stats(read: Mapping[str, Any]) -> bool:
    """Docker answers for a stopped container too, with nothing in it."""
    return "current" in (read.get("pids_stats") or {}) and parse_time(read["read"]) is not None


def find_event(message: Mapping[str, Any]) -> ContainerEvent | None:
    """The event of a line of `GET /events`, or None for those of no interest."""
    word, _, detail = message.get("Action", "").partition(": ")
    try:
        kind = EventKind(word)
    except ValueError:
        return None
    attributes = dict(message["Actor"]["Attributes"])
    name = attributes.pop("name", "")
    exit_code = int(attributes.pop("exitCode", 0)) if kind is EventKind.DIED else None
    return ContainerEvent(
        kind=kind,
        container=ContainerId(message["Actor"]["ID"]),
        name=name,
        labels={key: value for key, value in attributes.items() if key != "image"},
        time_ns=message["timeNano"],
        exit_code=exit_code,
        health=ContainerHealth(detail) if kind is EventKind.HEALTH_CHANGED else None,
    )


def parse_time(text: str) -> float | None:
    """Unix seconds of an RFC 3339 time; None for Go's zero time."""
    if text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).timestamp()


def parse_time_ns(text: str) -> int:
    """Unix nanoseconds of an RFC 3339 time in UTC with a fraction of any length."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(seconds).replace(tzinfo=UTC).timestamp())
    return whole * _NANOSECONDS + int(fraction.ljust(9, "0")[:9] or "0")


def _health(health: Mapping[str, Any] | None) -> ContainerHealth:
    return ContainerHealth(health["Status"]) if health else ContainerHealth.NONE


def _listed_health(status: str) -> ContainerHealth:
    """Docker says it in words for people, as "Up 5 minutes (healthy)"; nothing where there is no check."""
    word = status.rpartition("(")[2].removesuffix(")").removeprefix("health: ") if status.endswith(")") else "none"
    return ContainerHealth(word) if word in _HEALTHS else ContainerHealth.NONE


def _bindings(ports: Mapping[str, list[Mapping[str, str]] | None]) -> tuple[Binding, ...]:
    found = set()
    for name, hosts in ports.items():
        container, _, protocol = name.partition("/")
        for host in hosts or ():
            found.add((int(container), protocol, int(host["HostPort"]), host["HostIp"]))
    return tuple(Binding(*binding) for binding in sorted(found))

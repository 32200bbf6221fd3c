"""Processes of a lab as /proc shows them."""

from contextlib import suppress
from pathlib import Path

import psutil
from tools.hosts.lab import Lab


def caddy_pids(lab: Lab) -> list[int]:
    """The Caddy that the ingress started; empty while there is none."""
    return [pid for pid in lab.switch.places["edge"].pids() if _name(pid) == "caddy"]


Spot = tuple[str, int, int]
"""Name of an app, node, ordinal: where an instance is."""


def spot_of(pid: int) -> Spot | None:
    """The instance that a container's process belongs to."""
    environment = environment_of(pid)
    try:
        return environment["FLUX_APP"], int(environment["FLUX_NODE"]), int(environment["FLUX_INSTANCE"])
    except (KeyError, ValueError):
        return None


def environment_of(pid: int) -> dict[str, str]:
    """Of a process; empty when it is gone."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _name(pid: int) -> str:
    with suppress(psutil.Error):
        return psutil.Process(pid).name()
    return ""

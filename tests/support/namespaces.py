"""Hosts as network namespaces on a switch that can be cut in two. Needs root.

The switch is two bridges with a trunk between them, in a namespace of its own, where no firewall of this machine has a
say; each host has a second line, straight to the tests, for its RPC.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """One of them."""

    name: str
    address: str
    """On the switch."""
    line: str
    """Its address on the line to the tests."""

    @property
    def inside(self) -> tuple[str, ...]:
        """The command that runs another command there."""
        return ("ip", "netns", "exec", self.name)


@dataclass(frozen=True, slots=True)
class Switch:
    """The network between the hosts."""

    name: str
    hosts: tuple[Host, ...]

    def cut_trunk(self) -> None:
        """The first half of the hosts and the second half no longer hear each other."""
        self._set("trunk0", "down")

    def join_trunk(self) -> None:
        self._set("trunk0", "up")

    def unplug(self, number: int) -> None:
        """A host hears nobody."""
        self._set(f"port{number}", "down")

    def plug(self, number: int) -> None:
        self._set(f"port{number}", "up")

    def _set(self, link: str, state: str) -> None:
        _ip("-n", self.name, "link", "set", link, state)


@contextmanager
def switched_hosts(count: int) -> Iterator[Switch]:
    """The hosts while the block lasts."""
    mark = f"fx{os.getpid() % 100_000}"
    third = os.getpid() % 250
    hosts = tuple(
        Host(f"{mark}h{number}", f"10.199.{third}.{number + 1}", f"10.198.{third}.{4 * number + 2}")
        for number in range(count)
    )
    switch = Switch(f"{mark}sw", hosts)
    try:
        _build(switch, mark, third)
        yield switch
    finally:
        for name in (switch.name, *(host.name for host in hosts)):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _build(switch: Switch, mark: str, third: int) -> None:
    name = switch.name
    _ip("netns", "add", name)
    _ip("-n", name, "link", "add", "trunk0", "type", "veth", "peer", "name", "trunk1")
    for bridge in (0, 1):
        _ip("-n", name, "link", "add", f"bridge{bridge}", "type", "bridge")
        _ip("-n", name, "link", "set", f"trunk{bridge}", "master", f"bridge{bridge}", "up")
        _ip("-n", name, "link", "set", f"bridge{bridge}", "up")
    for number, host in enumerate(switch.hosts):
        port, line = f"port{number}", f"{mark}l{number}"
        _ip("netns", "add", host.name)
        _ip("-n", host.name, "link", "set", "lo", "up")
        _ip("link", "add", port, "netns", name, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _ip("-n", name, "link", "set", port, "master", f"bridge{2 * number // len(switch.hosts)}", "up")
        _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip("-n", host.name, "link", "set", "eth0", "up")
        _ip("link", "add", line, "type", "veth", "peer", "name", "line", "netns", host.name)
        _ip("addr", "add", f"10.198.{third}.{4 * number + 1}/30", "dev", line)
        _ip("link", "set", line, "up")
        _ip("-n", host.name, "addr", "add", f"{host.line}/30", "dev", "line")
        _ip("-n", host.name, "link", "set", "line", "up")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"

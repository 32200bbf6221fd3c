"""What a private Docker Engine changes in the network of its host: its own bridge, packet filter, forwarding.

An Engine in a network namespace has all of these to itself and they go with the namespace; one in the host's own
namespace gets a bridge under its own name, and forwarding is put back as it was when the Engine stops.
"""

import hashlib
import ipaddress
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolError
from tools.programs import find_program, search_path

_BRIDGES = ipaddress.IPv4Network("10.212.0.0/16")
ADDRESS_POOL = {"base": "10.213.0.0/16", "size": 27}
"""Every instance of an app has a network, and Docker's own pools end after some thirty: here 2,048 of 29 hosts."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace made with `ip netns add`, or the one this process is in (name None)."""

    name: str | None = None

    def command(self, *arguments: str) -> list[str]:
        """The command to run so that it happens inside. (`ip netns exec` would hide the cgroup mounts.)"""
        if self.name is None:
            return list(arguments)
        return ["nsenter", f"--net=/run/netns/{self.name}", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside; the caller looks at its exit status."""
        environment = {**os.environ, "PATH": search_path()}
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, env=environment, check=False, timeout=30
        )


HOST = Namespace()
"""The namespace of this process."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """The default bridge of one private Engine."""

    name: str
    address: str
    """With prefix length."""


def bridge_of(directory: Path) -> Bridge:
    """The bridge of the Engine that lives in `directory`: name and /24 follow from the path."""
    digest = hashlib.sha256(str(directory).encode()).digest()
    subnet = list(_BRIDGES.subnets(new_prefix=24))[digest[0]]
    return Bridge(f"flux{digest[1:5].hex()}", f"{subnet[1]}/{subnet.prefixlen}")


def create_bridge(namespace: Namespace, bridge: Bridge) -> None:
    """Make the bridge; one left by an Engine that was killed is used again."""
    if namespace.run("ip", "link", "show", bridge.name).returncode != 0:
        _check(namespace.run("ip", "link", "add", bridge.name, "type", "bridge"))
    _check(namespace.run("ip", "address", "replace", bridge.address, "dev", bridge.name))
    _check(namespace.run("ip", "link", "set", bridge.name, "up"))


def delete_bridge(namespace: Namespace, bridge: Bridge) -> None:
    """Remove the bridge if it is there."""
    if namespace.run("ip", "link", "show", bridge.name).returncode == 0:
        _check(namespace.run("ip", "link", "delete", bridge.name))


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        raise ToolError(f"`{' '.join(done.args)}` failed: {done.stderr.strip()}")


def find_iptables(namespace: Namespace) -> str | None:
    """A program of the iptables family that works with this kernel (nft or legacy), or None when none does."""
    for name in ("iptables", "iptables-nft", "iptables-legacy"):
        program = find_program(name)
        if program is not None and namespace.run(program, "--wait", "-t", "nat", "-L", "-n").returncode == 0:
            return program
    return None


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The two settings that dockerd changes for the whole host, as they were before."""

    ip_forward: str
    policy: str

    def put_back(self) -> None:
        """Restore both."""
        iptables = find_iptables(HOST)
        if iptables is not None:
            _check(HOST.run(iptables, "--wait", "-P", "FORWARD", self.policy))
        _IP_FORWARD.write_text(self.ip_forward, encoding="ascii")


_IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def forwarding() -> Forwarding:
    """The settings of this host now."""
    policy = "ACCEPT"
    iptables = find_iptables(HOST)
    if iptables is not None:
        rules = HOST.run(iptables, "--wait", "-S", "FORWARD").stdout.split()
        policy = rules[2] if rules[:2] == ["-P", "FORWARD"] else policy
    return Forwarding(_IP_FORWARD.read_text(encoding="ascii").strip(), policy)

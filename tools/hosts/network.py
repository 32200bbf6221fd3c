"""Network namespaces on a switch whose ports can be unplugged, or put apart from the others. Needs root.

The switch is a namespace too, so nothing of it is in the network of this machine; namespaces that a killed lab left are
found by their prefix and removed.
"""

import ctypes
import os
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolError
from tools.netfilter import HOST, Namespace, find_iptables
from tools.programs import search_path

_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_SUBNET = "10.77.0"
_TOGETHER, _APART = "bridge0", "bridge1"
REGISTRY_PORT = 5000


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace with one line to the switch."""

    name: str
    """Of the namespace."""
    port: str
    """Of the switch."""
    address: str

    @property
    def namespace(self) -> Namespace:
        return Namespace(self.name)

    def pids(self) -> list[int]:
        """Every process that is in this namespace; containers have namespaces of their own."""
        return [int(pid) for pid in _ip("netns", "pids", self.name).split()]


class Switch:
    """The network of a lab: one place for each name."""

    def __init__(self, prefix: str, names: Sequence[str]) -> None:
        self._prefix = prefix
        self._switch = f"{prefix}switch"
        self.places = {
            name: Place(f"{prefix}{name}", f"port{number}", f"{_SUBNET}.{number}")
            for number, name in enumerate(names, start=1)
        }

    def build(self) -> None:
        """Make the namespaces and plug them in."""
        _ip("netns", "add", self._switch)
        for bridge in (_TOGETHER, _APART):
            _ip("-n", self._switch, "link", "add", bridge, "type", "bridge")
            _ip("-n", self._switch, "link", "set", bridge, "up")
        for place in self.places.values():
            _ip("netns", "add", place.name)
            _ip("-n", place.name, "link", "set", "lo", "up")
            _ip("-n", self._switch, "link", "add", place.port, "type", "veth", "peer", "eth0", "netns", place.name)
            _ip("-n", self._switch, "link", "set", place.port, "master", _TOGETHER, "up")
            _ip("-n", place.name, "address", "add", f"{place.address}/24", "dev", "eth0")
            _ip("-n", place.name, "link", "set", "eth0", "up")
            _ip("-n", place.name, "route", "add", "default", "via", f"{_SUBNET}.254")

    def lead_to_registry(self, registry: str) -> None:
        """In each place 127.0.0.1:5000 is the registry of the place `registry`.

        Docker and Flux speak plain HTTP to loopback only, and there is no authority to certify a made-up network.
        """
        target = f"{self.places[registry].address}:{REGISTRY_PORT}"
        iptables = find_iptables(HOST)
        if iptables is None:
            raise ToolError("iptables is needed to lead hosts to their registry: apt-get install iptables")
        for place in self.places.values():
            inside = place.namespace
            local = ("-p", "tcp", "-d", "127.0.0.1", "--dport", str(REGISTRY_PORT))
            _check(inside.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"))
            _check(inside.run(iptables, "--wait", "-t", "nat", "-I", "OUTPUT", *local, "-j", "DNAT", "--to", target))
            masquerade = ("POSTROUTING", "-s", "127.0.0.1", "-o", "eth0", "-j", "MASQUERADE")
            _check(inside.run(iptables, "--wait", "-t", "nat", "-I", *masquerade))

    def unplug(self, name: str) -> None:
        """The place hears nobody and is heard by nobody; what was on its way is lost."""
        _ip("-n", self._switch, "link", "set", self.places[name].port, "down")

    def plug(self, name: str) -> None:
        _ip("-n", self._switch, "link", "set", self.places[name].port, "up")

    def put_apart(self, names: Collection[str]) -> None:
        """These places hear each other and nobody else."""
        for name in names:
            _ip("-n", self._switch, "link", "set", self.places[name].port, "master", _APART)

    def put_together(self) -> None:
        """All places hear each other again."""
        for place in self.places.values():
            _ip("-n", self._switch, "link", "set", place.port, "master", _TOGETHER)

    def remove(self) -> None:
        """Remove every namespace with this prefix, of an earlier lab too. What runs in them must have been ended."""
        for name in self.existing():
            _ip("netns", "delete", name)

    def existing(self) -> list[str]:
        """The namespaces with this prefix."""
        if not _NAMESPACES.exists():
            return []
        return sorted(path.name for path in _NAMESPACES.iterdir() if path.name.startswith(self._prefix))


@contextmanager
def entered(place: Place) -> Iterator[None]:
    """Be in the place: connections and processes that this thread begins, and threads that it starts, are there."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(_NAMESPACES / place.name, os.O_RDONLY)
    try:
        _set_namespace(there)
        try:
            yield
        finally:
            _set_namespace(before)
    finally:
        os.close(there)
        os.close(before)


def _set_namespace(descriptor: int) -> None:
    """`os.setns` came with Python 3.12."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        raise ToolError(f"the network namespace cannot be entered: {os.strerror(ctypes.get_errno())}")


def _ip(*arguments: str) -> str:
    environment = {**os.environ, "PATH": search_path()}
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True, env=environment)
    _check(done)
    return done.stdout


def _check(done: "subprocess.CompletedProcess[str]") -> None:
    if done.returncode != 0:
        raise ToolError(f"`{' '.join(done.args)}` failed: {done.stderr.strip()}")

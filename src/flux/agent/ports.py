"""Host ports for containers: chosen by the agent, so that a restart keeps them and agents of one host do not meet."""

import socket
from dataclasses import dataclass, field, replace

from flux.runtime.types import ContainerSpec

_SOCKET_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class NoPortLeft(Exception):
    """Every port of the node's range is taken; widen it with --ports."""


@dataclass(slots=True)
class PortPool:
    """A range of host ports of which this agent gives out free ones in turn."""

    first: int
    last: int
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        self._next = self.first

    def fill(self, spec: ContainerSpec) -> ContainerSpec:
        """The spec with a free host port wherever it has none. Raises NoPortLeft."""
        ports = tuple(
            port if port.host else replace(port, host=self._take(port.host_ip, port.protocol)) for port in spec.ports
        )
        return replace(spec, ports=ports)

    def _take(self, host: str, protocol: str) -> int:
        for _ in range(self.last - self.first + 1):
            candidate = self._next
            self._next = self.first if candidate == self.last else candidate + 1
            if _is_free(host, candidate, protocol):
                return candidate
        raise NoPortLeft(f"no free {protocol} port between {self.first} and {self.last} on {host}")


def _is_free(host: str, port: int, protocol: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, _SOCKET_TYPES[protocol]) as probe:
        if protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True

"""Whether TCP ports of this machine are free."""

import socket
from collections.abc import Iterable

from flux.services.errors import PortTaken


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def check_free(host: str, wanted: Iterable[tuple[int, str]]) -> None:
    """Raise PortTaken for the first (port, command-line option that changes it) that is in use."""
    for port, option in wanted:
        if not is_free(host, port):
            raise PortTaken(f"port {port} is taken by another program", f"choose another with {option}")


def free_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """A port that nobody uses, set aside for a minute; any one without `port`. Raises OSError when that one is taken.

    What is left of a connection keeps the kernel from giving it to others, and hinders no server: they listen with
    SO_REUSEADDR.
    """
    with socket.socket() as server, socket.socket() as client:
        server.bind((host, port))  # without the option, so that one that is set aside counts as taken
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.listen()
        client.connect(server.getsockname())
        server.accept()[0].close()
        found: int = server.getsockname()[1]
        return found

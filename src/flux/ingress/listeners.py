"""Whether ports can be listened on, and if not, who has them."""

import errno
import socket

import psutil

from flux.ingress.errors import PortUnavailable


def check_port(host: str, port: int, flag: str) -> None:
    """Raises PortUnavailable when nobody could listen there now. `flag` is the option that chooses another port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _unavailable(error, host, port, flag) from None


def _unavailable(error: OSError, host: str, port: int, flag: str) -> PortUnavailable:
    if error.errno == errno.EADDRINUSE:
        holder = find_listener(port) or "another program"
        return PortUnavailable(f"Port {port} is taken by {holder}.", f"End it, or choose another with {flag}.", port)
    if error.errno == errno.EACCES:
        return PortUnavailable(
            f"Port {port} may only be used by root.", f"Choose one above 1023 with {flag}, or run as root.", port
        )
    return PortUnavailable(f"{host} port {port} cannot be listened on: {error.strerror}.", f"Check {flag}.", port)


def find_listener(port: int) -> str | None:
    """Name and process id of the program that listens on a TCP port, as far as this user may see it."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        is_listening = connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,)
        if is_listening and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                return f"process {connection.pid}"
    return None

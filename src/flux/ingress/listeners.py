"""Listening: whether a port can be had, and if not, who has it; and that a change of listeners loses nobody."""

import errno
import socket
from pathlib import Path

import psutil
import structlog

from flux.ingress.errors import PortUnavailable

log = structlog.get_logger(__name__)

_MIGRATION = Path("/proc/sys/net/ipv4/tcp_migrate_req")
"""Of this network namespace, for IPv6 too, since Linux 5.14 (Documentation/networking/ip-sysctl.rst of the kernel)."""


def hand_over_waiting_connections() -> None:
    """Have the kernel give connections that a closed listener did not accept yet to the next one on the same port.

    Caddy listens anew with each change of routes and closes the listener before; without this the kernel resets
    whoever had connected and was not served. Call it before Caddy listens: a listener keeps what was set then.
    """
    try:
        if _MIGRATION.read_text(encoding="ascii").strip() == "0":
            _MIGRATION.write_text("1", encoding="ascii")
    except OSError as error:
        log.warning(
            "connections may be reset when routes change",
            reason=f"{_MIGRATION}: {error.strerror}",
            hint="As root: sysctl -w net.ipv4.tcp_migrate_req=1 (and in /etc/sysctl.d), then start the ingress again.",
        )


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

"""The whole of Caddy's configuration around the routes. Pure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flux.ingress import answers
from flux.ingress.options import IngressOptions

SERVER = "flux"
ROUTES_PATH = f"config/apps/http/servers/{SERVER}/routes"
"""Where the routes are in Caddy's admin API; nothing else of the configuration is touched after the start."""
ADMIN_HOST = "localhost"
"""Host name in requests to the admin API; Caddy refuses those with any other."""
_GRACE = "5m"
"""How long requests in flight may take to end after a change of routes."""
_HEADER_TIMEOUT = "10s"
_IDLE_TIMEOUT = "2m"
_HIGHEST_UNUSED_PORT = 65535


def caddy_config(options: IngressOptions, admin_socket: Path, routes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One server for all apps, plain and, if wanted, TLS; the admin API on a private unix socket only."""
    server: dict[str, Any] = {
        "listen": [_listen(options, options.http_port)],
        "routes": list(routes),
        "errors": {"routes": answers.failed_upstream()},
        # Redirects to HTTPS and public certificates are not for names under a local domain.
        "automatic_https": {"disable": True},
        "read_header_timeout": _HEADER_TIMEOUT,
        "idle_timeout": _IDLE_TIMEOUT,
        "metrics": {},
    }
    http: dict[str, Any] = {"http_port": options.http_port, "grace_period": _GRACE, "servers": {SERVER: server}}
    apps: dict[str, Any] = {"http": http}
    if options.https_port is not None:
        server["listen"].append(_listen(options, options.https_port))
        server["tls_connection_policies"] = [{}]
        http["https_port"] = options.https_port
        apps["tls"] = _tls(options.domain)
        apps["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    else:
        # Caddy refuses to use one port for both.
        http["https_port"] = _HIGHEST_UNUSED_PORT if options.http_port != _HIGHEST_UNUSED_PORT else 443
    return {
        "admin": {"listen": f"unix/{admin_socket}", "origins": [ADMIN_HOST], "config": {"persist": False}},
        "logging": {"logs": {"default": _log(options)}},
        "storage": {"module": "file_system", "root": str(options.home / "storage")},
        "apps": apps,
    }


def log_file(options: IngressOptions) -> Path:
    """Where Caddy writes what goes wrong while it serves."""
    return options.home / "caddy.log"


def _listen(options: IngressOptions, port: int) -> str:
    host = f"[{options.listen_host}]" if ":" in options.listen_host else options.listen_host
    return f"{host}:{port}"


def _log(options: IngressOptions) -> dict[str, Any]:
    writer = {"output": "file", "filename": str(log_file(options)), "roll_size_mb": 10, "roll_keep": 3}
    return {"level": "WARN", "writer": writer}


def _tls(domain: str) -> dict[str, Any]:
    return {
        "certificates": {"automate": [f"*.{domain}"]},
        "automation": {"policies": [{"subjects": [f"*.{domain}"], "issuers": [{"module": "internal"}]}]},
    }

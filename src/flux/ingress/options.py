"""What an ingress is told at start."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressOptions:
    """Where it listens, which names it serves, and what it may forward to."""

    home: Path
    """Folder of its configuration and certificates."""
    domain: str = "flux.localhost"
    """Apps are served as <app>.<domain>."""
    http_port: int = 8080
    https_port: int | None = None
    """None serves no TLS. Certificates come from a certificate authority of Caddy's own, whose root lies under home."""
    listen_host: str = ""
    """Empty: all addresses."""
    allow_private_upstreams: bool = True
    """Whether nodes may have loopback and private addresses. A public ingress must say no: operators choose the address
    of their nodes, and could point it into the ingress's own network."""
    caddy: str = "caddy"
    """Program, by name or path."""

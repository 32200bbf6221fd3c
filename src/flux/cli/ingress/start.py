"""`flux ingress start`."""

from pathlib import Path
from typing import Annotated

import typer

from flux.cli.context import CommandContext
from flux.cli.options import MetricsOption
from flux.ingress.options import IngressOptions
from flux.services.home import FluxHome
from flux.services.ingress import IngressConfig, run_ingress
from flux.services.logging import configure_logging
from flux.services.observe.server import parse_address
from flux.services.signals import run_until_signal


async def run(
    context: CommandContext,
    domain: Annotated[str, typer.Option("--domain", help="Apps are served as <app>.<domain>.")] = "flux.localhost",
    http_port: Annotated[int, typer.Option("--http-port", min=1, max=65535, help="Port of HTTP.")] = 8080,
    https_port: Annotated[
        int | None, typer.Option("--https-port", min=1, max=65535, help="Port of HTTPS; none without it.")
    ] = None,
    listen: Annotated[str, typer.Option("--listen", help="Address to listen on; all without it.")] = "",
    public: Annotated[
        bool, typer.Option("--public", help="Never forward to loopback or private addresses: for the open internet.")
    ] = False,
    caddy: Annotated[str, typer.Option("--caddy", help="The Caddy program, by name or path.")] = "caddy",
    metrics: MetricsOption = None,
) -> None:
    """Serve every app at http://<app>.<domain>, from the chain's leases, until stopped."""
    configure_logging()
    options = IngressOptions(
        home=Path(FluxHome(context.home).ingress),
        domain=domain,
        http_port=http_port,
        https_port=https_port,
        listen_host=listen,
        allow_private_upstreams=not public,
        caddy=caddy,
    )
    await run_until_signal(run_ingress(IngressConfig(context.rpc, options, parse_address(metrics, http_port + 1000))))

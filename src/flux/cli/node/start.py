"""`flux node start`."""

import re
from typing import Annotated

import typer

from flux.agent.identity import load
from flux.cli.context import CommandContext
from flux.cli.errors import UsageError
from flux.cli.format import DAY, HOUR
from flux.cli.options import MetricsOption
from flux.services.agent import AgentConfig, run_agent
from flux.services.home import FluxHome
from flux.services.logging import configure_logging
from flux.services.observe.server import parse_address
from flux.services.ports import check_free
from flux.services.signals import run_until_signal

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-f:]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


async def run(
    context: CommandContext,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where the agent's API listens.")
    ] = "0.0.0.0:16127",
    ports: Annotated[
        str, typer.Option("--ports", metavar="FIRST-LAST", help="Host ports for containers.")
    ] = "20000-29999",
    bind: Annotated[
        str, typer.Option("--bind", metavar="ADDRESS", help="Address that containers' ports listen on.")
    ] = "0.0.0.0",
    keep_volumes: Annotated[
        int,
        typer.Option(
            "--keep-volumes", metavar="DAYS", min=0, max=3650, help="Keep volumes this long after their lease."
        ),
    ] = 0,
    keep_images: Annotated[
        int,
        typer.Option(
            "--keep-images", metavar="HOURS", min=1, max=8760, help="Keep images that nothing uses any more this long."
        ),
    ] = 24,
    metrics: MetricsOption = None,
) -> None:
    """Run the agent of a registered node until stopped: start what the chain placed here, report, probe other nodes.

    It uses the Docker Engine of DOCKER_HOST, or the one the Docker client would. Containers go on when it stops.
    Volumes stay for the protocol's quarantine after their lease (7 days), longer with --keep-volumes; then they go.
    Images that it fetched go when nothing used them for a day (--keep-images), sooner when the disk is short.
    """
    configure_logging()
    host, port = _address(listen)
    first, last = _port_range(ports)
    identity = load(FluxHome(context.home).node)
    check_free(host, [(port, "--listen")])
    config = AgentConfig(
        home=identity.home,
        rpc=context.rpc,
        listen_host=host,
        listen_port=port,
        bind_ip=bind,
        first_port=first,
        last_port=last,
        docker=context.environment.get("DOCKER_HOST"),
        keep_volumes=keep_volumes * DAY,
        keep_images=keep_images * HOUR,
        observe=parse_address(metrics, port + 1),
    )
    await run_until_signal(run_agent(config, identity))


def _address(text: str) -> tuple[str, int]:
    match = _LISTEN.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise UsageError(f"--listen takes HOST:PORT, got {text}", "for example 0.0.0.0:16127 or [::]:16127")
    return match["six"] or match["host"] or "0.0.0.0", int(match["port"])


def _port_range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None or not 1024 <= int(match[1]) <= int(match[2]) < 65536:
        raise UsageError(f"--ports takes FIRST-LAST between 1024 and 65535, got {text}", "for example 20000-29999")
    return int(match[1]), int(match[2])

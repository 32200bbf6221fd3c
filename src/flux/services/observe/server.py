"""`/metrics`, `/healthz` and `/readyz` of one process, on loopback unless told otherwise.

`/healthz` answers 200 while the event loop turns: who restarts processes asks it. `/readyz` answers 200 only while the
process does its work, and else 503 with what is wrong: who sends it traffic asks it.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from flux.services.errors import PortTaken, ServiceError

log = structlog.get_logger(__name__)
_ADDRESS = re.compile(r"(?:(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]+)):)?(?P<port>[0-9]{1,5})")
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that being ready takes."""

    name: str
    passed: bool
    reason: str = ""
    """What is wrong, for people; read only where it did not pass."""


@dataclass(frozen=True, slots=True)
class ObserveConfig:
    """Where to listen."""

    host: str = LOOPBACK
    port: int = 0
    """0 serves nothing."""
    required: bool = False
    """Whether a port that is taken ends the process; otherwise it goes on without being watched."""


NOWHERE = ObserveConfig()


@dataclass(frozen=True, slots=True)
class Observed:
    """What a process shows of itself."""

    registry: CollectorRegistry
    checks: Callable[[], Awaitable[Sequence[Check]]]
    refresh: Callable[[], Awaitable[None]] | None = None
    """Awaited before each reading of the metrics."""
    routes: tuple[web.RouteDef, ...] = ()
    """More that this process serves to its operator."""


def parse_address(text: str | None, default_port: int) -> ObserveConfig:
    """Of `HOST:PORT`, `PORT` or `off`; without any, the default port on loopback. Raises ServiceError."""
    if text is None:
        return ObserveConfig(port=default_port if default_port < 2**16 else default_port - 2000)
    if text == "off":
        return ObserveConfig()
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ServiceError(f"--metrics takes HOST:PORT, PORT or off, got {text}", "for example 127.0.0.1:9545")
    return ObserveConfig(match["six"] or match["host"] or LOOPBACK, int(match["port"]), required=True)


def process_registry() -> CollectorRegistry:
    """A registry of its own with what Prometheus' clients tell of any process: memory, CPU, file descriptors."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def application(observed: Observed) -> web.Application:
    """The aiohttp application."""

    async def metrics(_: web.Request) -> web.Response:
        if observed.refresh is not None:
            await observed.refresh()
        return web.Response(body=generate_latest(observed.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def readyz(_: web.Request) -> web.Response:
        checks = await observed.checks()
        ready = all(check.passed for check in checks)
        document = {
            "ready": ready,
            "checks": {check.name: "ok" if check.passed else check.reason for check in checks},
        }
        return web.json_response(document, status=200 if ready else 503)

    app = web.Application(client_max_size=1024)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.add_routes(observed.routes)
    return app


@asynccontextmanager
async def serve(config: ObserveConfig, observed: Observed) -> AsyncIterator[None]:
    """Serve while the block runs. Raises PortTaken for an address that was asked for."""
    if not config.port:
        yield
        return
    runner = web.AppRunner(application(observed), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, config.host, config.port).start()
        except OSError as error:
            reason = f"{config.host}:{config.port} cannot be listened on ({error.strerror})"
            if config.required:
                raise PortTaken(reason, "choose another address with --metrics") from error
            log.warning("metrics not served", reason=reason, hint="choose an address with --metrics")
        else:
            log.info("metrics served", host=config.host, port=config.port)
        yield
    finally:
        await runner.cleanup()

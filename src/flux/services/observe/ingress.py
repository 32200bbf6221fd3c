"""What an ingress shows: routes, upstreams, reloads, and whether Caddy took the last configuration."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flux.ingress.caddy import Caddy
from flux.ingress.errors import CaddyFailed, ConfigRefused
from flux.ingress.loop import IngressLoop
from flux.ingress.routes import RouteRules
from flux.services.observe.server import Check

_RELOAD_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class MeteredCaddy:
    """Caddy as the loop drives it, with a clock held beside; remembers whether the last routes were taken."""

    def __init__(self, caddy: Caddy, registry: CollectorRegistry) -> None:
        self._caddy = caddy
        self.failure: str | None = None
        """Why the last routes were not taken; None when they were."""
        self._reloads = Counter("flux_ingress_reloads", "Changes of routes by outcome.", ["outcome"], registry=registry)
        self._seconds = Histogram(
            "flux_ingress_reload_seconds", "Time until Caddy took routes.", buckets=_RELOAD_BUCKETS, registry=registry
        )
        for outcome in ("applied", "refused", "failed"):
            self._reloads.labels(outcome)

    @property
    def rules(self) -> RouteRules:
        """Of the Caddy beneath."""
        return self._caddy.rules

    async def apply(self, routes: list[dict[str, Any]]) -> bool:
        """As `Caddy.apply`."""
        begun = time.perf_counter()
        try:
            changed = await self._caddy.apply(routes)
        except (ConfigRefused, CaddyFailed) as error:
            self._reloads.labels("refused" if isinstance(error, ConfigRefused) else "failed").inc()
            self.failure = str(error)
            raise
        self.failure = None
        if changed:
            self._reloads.labels("applied").inc()
            self._seconds.observe(time.perf_counter() - begun)
        return changed


class IngressState(Collector):
    """Gauges read when they are asked for."""

    def __init__(self, loop: IngressLoop, caddy: Caddy) -> None:
        self._loop = loop
        self._caddy = caddy

    def collect(self) -> Iterator[Metric]:
        routes, up, down = self._loop.counts()
        yield GaugeMetricFamily("flux_ingress_routes", "Apps that are served.", routes)
        upstreams = GaugeMetricFamily("flux_ingress_upstreams", "Instances behind them.", labels=["state"])
        upstreams.add_metric(["up"], up)
        upstreams.add_metric(["down"], down)
        yield upstreams
        reachable = float(self._loop.is_chain_reachable)
        yield GaugeMetricFamily("flux_ingress_chain_reachable", "1 while routes can be read.", reachable)
        yield CounterMetricFamily(
            "flux_ingress_caddy_restarts", "How often Caddy ended by itself.", self._caddy.restarts
        )


class IngressChecks:
    """What being ready takes."""

    def __init__(self, loop: IngressLoop, caddy: Caddy, metered: MeteredCaddy) -> None:
        self._loop = loop
        self._caddy = caddy
        self._metered = metered

    async def checks(self) -> Sequence[Check]:
        """Whether routes were read and Caddy runs with the last of them."""
        failure = self._metered.failure
        return (
            Check("routes", self._loop.has_routes, "no routes were read from the chain yet"),
            Check("caddy", self._caddy.pid is not None, "Caddy is not running"),
            Check("configuration", failure is None, f"Caddy did not take the last routes: {failure}"),
        )


def caddy_metrics(caddy: Caddy) -> web.RouteDef:
    """Caddy's own metrics, which it serves on a private socket only."""

    async def answer(_: web.Request) -> web.Response:
        try:
            return web.Response(text=await caddy.metrics(), content_type="text/plain")
        except CaddyFailed as error:
            return web.Response(status=503, text=str(error))

    return web.get("/caddy/metrics", answer)

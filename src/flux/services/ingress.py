"""The ingress process: routes from the chain, Caddy in front."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from flux.ingress.caddy import Caddy
from flux.ingress.loop import IngressLoop
from flux.ingress.options import IngressOptions
from flux.ingress.source import ChainRoutes
from flux.sdk.bindings.market import Market
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError
from flux.sdk.transport import FEW_CONNECTIONS, HttpTransport
from flux.services.observe.ingress import IngressChecks, IngressState, MeteredCaddy, caddy_metrics
from flux.services.observe.server import NOWHERE, ObserveConfig, Observed, process_registry, serve

log = structlog.get_logger(__name__)
RETRY = 1.0
"""Seconds between two tries to hear of new blocks."""


@dataclass(frozen=True, slots=True)
class IngressConfig:
    """Everything an ingress is told at start."""

    rpc: str
    options: IngressOptions
    observe: ObserveConfig = NOWHERE


async def run_ingress(config: IngressConfig) -> None:
    """Serve until cancelled. Raises IngressError."""
    options = config.options
    async with AsyncExitStack() as stack:
        client = FluxClient(await stack.enter_async_context(HttpTransport(config.rpc, connections=FEW_CONNECTIONS)))
        source = ChainRoutes(Market(client).routes)
        caddy = await stack.enter_async_context(Caddy(options))
        registry = process_registry()
        metered = MeteredCaddy(caddy, registry)
        loop = IngressLoop(source, metered)
        registry.register(IngressState(loop, caddy))
        checks = IngressChecks(loop, caddy, metered)
        observed = Observed(registry, checks.checks, routes=(caddy_metrics(caddy),))
        await stack.enter_async_context(serve(config.observe, observed))
        log.info("ingress started", http_port=options.http_port, domain=options.domain)
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run())
            group.create_task(_follow_heads(client, source))


async def _follow_heads(client: FluxClient, source: ChainRoutes) -> None:
    while True:
        try:
            async for _ in client.heads():
                source.notice_head()
        except ClientError as error:
            log.warning("new blocks not heard", reason=str(error))
            await asyncio.sleep(RETRY)

"""`/metrics`, `/healthz` and `/readyz`: what they say while a process works, and while it does not."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from flux.consensus.solo import SoloEngine
from flux.database.memory_store import MemoryStore
from flux.ingress.errors import CaddyFailed, ConfigRefused
from flux.ingress.routes import RouteRules
from flux.primitives.types import U64, Timestamp
from flux.protocol.genesis import local
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.params import minimal
from flux.protocol.registry import ProtocolFactory
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.services.errors import PortTaken, ServiceError
from flux.services.observe.agent import AgentMetrics
from flux.services.observe.chain import HEAD_FRESH, ChainMetrics, TimedApplication
from flux.services.observe.ingress import IngressChecks, MeteredCaddy
from flux.services.observe.server import (
    NOWHERE,
    Check,
    ObserveConfig,
    Observed,
    parse_address,
    process_registry,
    serve,
)
from flux.services.ports import free_port
from flux.wallet.development import development_addresses
from support.waiting import until


@asynccontextmanager
async def served(observed: Observed) -> AsyncIterator[str]:
    port = free_port()
    async with serve(ObserveConfig(port=port, required=True), observed):
        yield f"http://127.0.0.1:{port}"


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


def samples(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """Values by label values."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


async def test_being_ready_is_every_check_and_being_healthy_is_none() -> None:
    checks: list[Check] = [Check("one", True), Check("two", True)]

    async def look() -> Sequence[Check]:
        return checks

    async with served(Observed(process_registry(), look)) as url:
        assert (await get(f"{url}/readyz"))[0] == 200
        checks[1] = Check("two", False, "it sleeps")
        status, text = await get(f"{url}/readyz")
        assert (status, "it sleeps" in text) == (503, True)
        assert (await get(f"{url}/healthz"))[0] == 200
        status, text = await get(f"{url}/metrics")
        names = {family.name for family in text_string_to_metric_families(text)}
        assert (status, "process_resident_memory_bytes" in names) == (200, True)


async def test_a_taken_port_ends_the_process_only_where_it_was_asked_for() -> None:
    async def look() -> Sequence[Check]:
        return ()

    observed = Observed(process_registry(), look)
    port = free_port()
    async with serve(ObserveConfig(port=port, required=True), observed):
        async with serve(ObserveConfig(port=port), observed):
            pass
        with pytest.raises(PortTaken):
            async with serve(ObserveConfig(port=port, required=True), observed):
                pass
    async with serve(NOWHERE, observed):
        pass


def test_an_address_is_loopback_unless_it_says_otherwise() -> None:
    assert parse_address(None, 9545) == ObserveConfig("127.0.0.1", 9545)
    assert parse_address("9000", 1) == ObserveConfig("127.0.0.1", 9000, required=True)
    assert parse_address("[::]:9000", 1) == ObserveConfig("::", 9000, required=True)
    assert parse_address("off", 1) == NOWHERE
    for text in ("", "host", "0", "1.2.3.4:99999", "a:b:3"):
        with pytest.raises(ServiceError):
            parse_address(text, 1)


async def test_a_chain_is_ready_while_its_head_is_fresh_and_its_database_writable() -> None:
    genesis = local(Timestamp(U64(int(time.time()) - 1000)), minimal())
    factory = ProtocolFactory(genesis.params)
    application = TimedApplication(MemoryStore(), factory, chain_genesis(genesis, factory))
    registry = CollectorRegistry()
    metrics = ChainMetrics(application, registry, "solo")
    head, database = await metrics.checks()
    assert not head.passed
    assert "s old" in head.reason
    assert HEAD_FRESH < 1000
    async with SoloEngine(application, development_addresses()[9], report=metrics.committed):
        await until(lambda: samples(registry, "flux_chain_blocks_total")[()] >= 1)
    head, database = await metrics.checks()
    assert head.passed
    assert database.passed
    application.suspend("the disk is full")
    _, database = await metrics.checks()
    assert not database.passed
    assert "the disk is full" in database.reason
    await metrics.refresh()
    assert samples(registry, "flux_chain_height")[()] >= 1
    assert samples(registry, "flux_chain_commit_seconds_count")[()] >= 1
    assert samples(registry, "flux_chain_suspended") == {(): 1}
    assert samples(registry, "flux_market_leases") == {
        ("assigned",): 0, ("running",): 0, ("suspect",): 0, ("closed",): 0, ("stalled",): 0,
    }  # fmt: skip
    assert samples(registry, "flux_market_pending_instances") == {(): 0}
    application.close()


class Loop:
    """What the metrics ask of an agent's loop."""

    chain_read_at: float | None = None
    engine_read_at: float | None = None

    def desired(self) -> dict[Any, Any]:
        return {}


async def test_an_agent_is_ready_while_it_reads_chain_and_engine() -> None:
    registry = CollectorRegistry()
    metrics, loop = AgentMetrics(registry), Loop()
    async with MemoryEngine() as engine:
        metrics.watch(loop, MemoryRuntime(engine))  # type: ignore[arg-type]
        assert [check.passed for check in await metrics.checks()] == [False, False]
        loop.chain_read_at = loop.engine_read_at = time.monotonic()
        assert [check.passed for check in await metrics.checks()] == [True, True]
        assert samples(registry, "flux_agent_chain_read_timestamp_seconds")[()] == pytest.approx(time.time(), abs=5)
        loop.chain_read_at = time.monotonic() - 60
        chain, engine_ = await metrics.checks()
        assert (chain.passed, engine_.passed) == (False, True)
        assert "60 s ago" in chain.reason
        metrics.acted("PullImage", "applied")
        metrics.probed(4, 1)
        await metrics.refresh()
        assert samples(registry, "flux_agent_actions_total") == {("PullImage", "applied"): 1}
        assert samples(registry, "flux_agent_probes_total") == {("answered",): 4, ("missed",): 1}


class HandCaddy:
    """A Caddy that does as it is told."""

    def __init__(self) -> None:
        self.rules = RouteRules("flux.localhost", "secret")
        self.pid: int | None = 1
        self.restarts = 0
        self.fault: Exception | None = None

    async def apply(self, _: list[dict[str, Any]]) -> bool:
        if self.fault is not None:
            raise self.fault
        return True


async def test_an_ingress_is_ready_while_caddy_runs_with_the_last_routes() -> None:
    class Routes:
        has_routes = False

    registry, caddy, loop = CollectorRegistry(), HandCaddy(), Routes()
    metered = MeteredCaddy(caddy, registry)  # type: ignore[arg-type]
    checks = IngressChecks(loop, caddy, metered)  # type: ignore[arg-type]
    assert [check.passed for check in await checks.checks()] == [False, True, True]
    loop.has_routes = True
    await metered.apply([])
    assert all(check.passed for check in await checks.checks())
    for fault in (ConfigRefused("bad route"), CaddyFailed("gone")):
        caddy.fault = fault
        with pytest.raises(type(fault)):
            await metered.apply([])
        assert [check.passed for check in await checks.checks()] == [True, True, False]
    caddy.fault, caddy.pid = None, None
    await metered.apply([])
    assert [check.passed for check in await checks.checks()] == [True, False, True]
    assert samples(registry, "flux_ingress_reloads_total") == {("applied",): 2, ("refused",): 1, ("failed",): 1}

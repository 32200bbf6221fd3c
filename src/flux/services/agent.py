"""The agent process of one node: builds the objects, runs their loops in one group, stops cleanly."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web

from flux.agent.api.auth import Authoriser
from flux.agent.api.backups import BackupApi
from flux.agent.api.benchmarks import BenchmarkApi
from flux.agent.api.server import AgentApi
from flux.agent.api.shares import HoldingSource, ShareApi
from flux.agent.apply import Applier
from flux.agent.challenges.budget import TimeBudget
from flux.agent.challenges.challenger import Challenger
from flux.agent.challenges.examiner import Examiner
from flux.agent.challenges.prover import Prover
from flux.agent.challenges.source import ChainChallengeSource
from flux.agent.desired import NodeFacts
from flux.agent.handover import SeedHandover
from flux.agent.head_clock import HeadClock
from flux.agent.identity import NodeIdentity
from flux.agent.image_keeper import ChainImageSource, ImageKeeper, ImageStore
from flux.agent.lapse import LapseGuard
from flux.agent.loop import AgentLoop
from flux.agent.onion import OnionStore
from flux.agent.ports import PortPool
from flux.agent.probes.fresh import FreshPinger
from flux.agent.probes.prober import Prober
from flux.agent.probes.source import ChainProbeSource
from flux.agent.reports import ChainReporter
from flux.agent.reveals import ChainRevealSource, Revealer
from flux.agent.seed_recovery import ChainKeepers, SeedRecovery
from flux.agent.sharing import ChainSharing, SeedSharing
from flux.agent.sightings import SightingStore
from flux.agent.source import ChainSource
from flux.agent.standby_keeper import ChainStandbySource, StandbyKeeper
from flux.agent.volume_keeper import ChainQuarantineSource, Holder, VolumeKeeper
from flux.contracts.market.types import LeaseId
from flux.contracts.nodes.types import Node, NodeStatus
from flux.primitives.types import Address
from flux.runtime.docker import DockerRuntime
from flux.runtime.errors import RuntimeFailure
from flux.runtime.labels import chain_name, node_labels
from flux.runtime.port import ContainerRuntime
from flux.sdk.agent_api import AgentClient
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient, Head
from flux.sdk.errors import ClientError
from flux.sdk.transport import FEW_CONNECTIONS, HttpTransport
from flux.services.descriptors import allow_descriptors
from flux.services.observe.agent import AgentMetrics
from flux.services.observe.server import NOWHERE, ObserveConfig, Observed, process_registry, serve

log = structlog.get_logger(__name__)
RETRY = 1.0
"""Seconds between two tries to reach the chain or the engine."""
REQUEST_SECONDS = 30.0
"""Seconds in which a connection's first or next request comes, all of its headers; probers ask every second."""
ACTIVATION_INTERVAL = 2.0
ACTIVATION_LOOK = 10.0
"""Seconds after which an active node's record is read without a new block."""
REVEAL_INTERVAL = 5.0
SEEDS_INTERVAL = 0.5
"""Seconds between two looks at seeds that are missing or should be shared; they ask nobody while all is in order."""
VOLUMES = "volumes"
"""Folder of the node's home in which volumes have their disks."""


class NotRegistered(Exception):
    """The chain knows no node with this agent key."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything an agent is told at start."""

    home: Path
    """The node's folder with its keys."""
    rpc: str
    listen_host: str
    listen_port: int
    bind_ip: str
    """Host address that containers' ports listen on."""
    first_port: int
    last_port: int
    docker: str | None
    """URL of the engine; None for the default socket."""
    keep_volumes: int = 0
    """Seconds that volumes stay after their lease; the protocol's quarantine is the least."""
    keep_images: int = 86_400
    """Seconds that images this agent fetched stay unused before it removes them; less where the disk is short."""
    observe: ObserveConfig = NOWHERE


async def run_agent(config: AgentConfig, identity: NodeIdentity) -> None:
    """Run the agent of a registered node until cancelled. Raises NotRegistered."""
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(HttpTransport(config.rpc, connections=FEW_CONNECTIONS))
        client = FluxClient(transport)
        node = await _await_node(client, identity)
        chain = chain_name(await client.chain_id(), await client.genesis())
        runtime = DockerRuntime(config.docker, config.home / VOLUMES)
        stack.push_async_callback(runtime.close)
        facts = NodeFacts(chain, node.id, node.location.country, node.location.region, config.bind_ip)
        heads = HeadClock()
        source = ChainSource(client, node.id, identity.seal_key, heads)
        reporter = ChainReporter(client, identity.signer, config.home / "evidence")
        registry = process_registry()
        metrics = AgentMetrics(registry)
        duties = ChainStandbySource(client, node.id)
        images = ImageKeeper(
            ChainImageSource(client, duties), runtime, ImageStore(config.home), config.keep_images,
            metrics.image_removed,
        )  # fmt: skip
        applier = Applier(runtime, reporter, PortPool(config.first_port, config.last_port), metrics.acted, images.pull)
        lapse = LapseGuard(runtime, node_labels(chain, node.id), heads)
        standby = StandbyKeeper(duties, runtime, reporter, images.pull)
        loop = AgentLoop(facts, source, runtime, applier, lapse=lapse, pulls=standby.give_way)
        pinger = await stack.enter_async_context(AgentClient())
        prober = Prober(
            node.id, ChainProbeSource(client, node.id), FreshPinger(pinger, heads), reporter, metrics.probed
        )
        revealer = Revealer(ChainRevealSource(client, node.id), reporter, OnionStore(config.home))
        store = SightingStore(config.home)
        volumes = VolumeKeeper(facts, ChainQuarantineSource(client), runtime, store, config.keep_volumes)
        apps = Apps(client)

        async def owner_of(lease: LeaseId) -> Address | None:
            wanted = loop.desired().get(lease)
            return None if wanted is None else (await apps.app(wanted.lease.app)).owner

        authoriser = Authoriser(identity.certificate, time.time)
        challenges = ChainChallengeSource(client, node.id)
        prover = Prover(node.id, identity.signer, config.home, TimeBudget(time.monotonic))
        stack.push_async_callback(prover.close)
        link = await stack.enter_async_context(AgentClient())
        examiner = Examiner(link, identity.signer, challenges.sizes, random.SystemRandom())
        challenger = Challenger(challenges, examiner, reporter, random.SystemRandom(), time.monotonic)
        benchmarks = BenchmarkApi(prover, authoriser, challenges)
        shares = ShareApi(node.id, identity.seal_key, authoriser, HoldingSource(client).find)
        backups = BackupApi(facts, loop, runtime)
        api = AgentApi(
            node.id, identity, loop, runtime, authoriser, owner_of, benchmarks,
            shares=shares, backups=backups, heads=heads,
        )  # fmt: skip
        keepers = ChainKeepers(client, identity, link)
        recovery = SeedRecovery(source, keepers, bytes(identity.seal_key), loop.wake)
        sharing = SeedSharing(node.id, ChainSharing(client, node.id), source.seed, reporter)

        async def share_seeds() -> None:
            await sharing.run_once([item.lease for item in loop.desired().values()])

        async def recover_seeds() -> None:
            await recovery.run_once(loop.desired().values())

        def held_instances() -> set[Holder]:
            return {(item.lease.app, item.lease.ordinal) for item in loop.desired().values()}

        news = asyncio.Event()

        def heard(head: Head) -> None:
            news.set()
            metrics.heard(head.timestamp)
            prober.heard()
            loop.wake()

        allow_descriptors()
        tls = identity.tls()
        await stack.enter_async_context(listen(api.application(), config.listen_host, config.listen_port, tls))
        metrics.watch(loop, runtime, images.held)
        observed = Observed(registry, metrics.checks, metrics.refresh)
        await stack.enter_async_context(serve(config.observe, observed))
        log.info("agent started", node=node.id, port=config.listen_port)
        handover = SeedHandover(client, node.id, source, reporter)
        async with asyncio.TaskGroup() as group:
            # Without these two nothing is hosted as it should be: an agent that cannot go on with them ends.
            group.create_task(loop.run())
            group.create_task(lapse.run())
            for work in (
                prober.run,
                challenger.run,
                partial(_repeat, recover_seeds, SEEDS_INTERVAL, "seeds not asked for"),
                partial(_repeat, share_seeds, SEEDS_INTERVAL, "seeds not shared"),
                partial(_follow_heads, client, heard, handover, loop),
                loop.follow_engine,
                partial(_repeat, revealer.run_once, REVEAL_INTERVAL, "nothing revealed yet"),
                partial(volumes.run, held_instances),
                partial(standby.run, loop),
                partial(images.run, loop),
                partial(_keep_active, client, node, runtime, reporter, news),
            ):
                group.create_task(begin_anew(work, metrics.faulted))


async def begin_anew(work: Callable[[], Awaitable[None]], faulted: Callable[[], None]) -> None:
    """Work that goes on until it is cancelled; a fault in it takes down neither the other loops nor what runs here.

    Much of it reads what strangers say: a bug that one of them can trigger must not end agents.
    """
    while True:
        try:
            await work()
        except Exception:
            log.exception("an agent's loop failed and begins anew; please report this")
            faulted()
        await asyncio.sleep(RETRY)


async def find_node(client: FluxClient, identity: NodeIdentity) -> Node:
    """The chain's record of this agent. Raises NotRegistered, sdk.errors.ClientError."""
    nodes = Nodes(client)
    number = await nodes.node_of_agent(identity.signer.address)
    if number == 0:
        raise NotRegistered(
            f"the chain knows no node with agent key 0x{identity.signer.address.hex()}: "
            "register it with `flux node register`"
        )
    return await nodes.node(number)


async def _await_node(client: FluxClient, identity: NodeIdentity) -> Node:
    """`find_node`, however long the chain does not answer."""
    while True:
        try:
            return await find_node(client, identity)
        except ClientError as error:
            log.warning("chain not reached", reason=str(error))
            await asyncio.sleep(RETRY)


@asynccontextmanager
async def listen(
    app: web.Application, host: str, port: int, tls: ssl.SSLContext, request_seconds: float = REQUEST_SECONDS
) -> AsyncIterator[None]:
    """Serve while the context lasts. A connection on which no whole request came for so long is closed."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, keepalive_timeout=request_seconds)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        yield
    finally:
        await runner.cleanup()


async def _follow_heads(
    client: FluxClient, heard: Callable[[Head], None], handover: SeedHandover, loop: AgentLoop
) -> None:
    while True:
        try:
            async for head in client.heads():
                heard(head)
                await handover.run_once([item.lease for item in loop.desired().values()], head.number)
        except ClientError as error:
            log.warning("new blocks not heard", reason=str(error))
            await asyncio.sleep(RETRY)


async def _repeat(work: Callable[[], Awaitable[object]], seconds: float, failure: str) -> None:
    """Do something again and again; a chain that does not answer is logged with `failure`, and asked again."""
    while True:
        try:
            await work()
        except ClientError as error:
            log.warning(failure, reason=str(error))
        await asyncio.sleep(seconds)


async def _keep_active(
    client: FluxClient, node: Node, runtime: ContainerRuntime, reporter: ChainReporter, news: asyncio.Event
) -> None:
    """Activate the node whenever the chain has it registered or suspended and its engine answers.

    `news` is set with each block: without one an active node is not asked for.
    """
    nodes = Nodes(client)
    while True:
        news.clear()
        try:
            record = await nodes.node(node.id)
            if record.status in (NodeStatus.REGISTERED, NodeStatus.SUSPENDED):
                news.set()
                await runtime.ping()
                await reporter.activate()
        except (ClientError, RuntimeFailure) as error:
            log.warning("node not activated", reason=str(error))
            news.set()
        await asyncio.sleep(ACTIVATION_INTERVAL)
        with suppress(TimeoutError):
            async with asyncio.timeout(ACTIVATION_LOOK):
                await news.wait()

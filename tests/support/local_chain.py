"""A real Flux chain in memory with its RPC on a loopback port, in a thread of its own, for tests of clients.

Nodes are registered by development accounts. A stand-in for their agents confirms every lease that has what it needs,
as if containers had started at once; `hold` makes it wait. A registry serves images of any name under `test/`.
"""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from flux.agent.identity import NodeIdentity, create
from flux.chain.application import Application
from flux.consensus.solo import SoloEngine
from flux.contracts.apps.types import decode_spec
from flux.contracts.market.types import FailReason, Lease, LeaseState, PortBinding
from flux.contracts.nodes.types import Architecture, Hardware, NodeId
from flux.database.memory_store import MemoryStore
from flux.primitives.types import U8, U16, U32, Timestamp
from flux.protocol.genesis import chain_name, encode, local
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.params import Params, minimal
from flux.protocol.registry import ProtocolFactory
from flux.rpc.server import create_app, listen, serve
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError
from flux.sdk.light.types import SECOND
from flux.sdk.transport import HttpTransport
from flux.services.local_places import place
from flux.services.registration import Declaration, register
from flux.wallet.development import LOCAL_CHAIN_ID, development_addresses, development_key
from support.light_chain import LightChain, LightSource, Powers, first_validators

HARDWARE = Hardware(U32(4_000), U32(8_192), U32(100_000), Architecture.AMD64, U8(0), "")


@dataclass(slots=True)
class LocalChain:
    """What tests may know and change; fields are read by the chain's thread."""

    rpc: str
    registry: str
    identities: dict[NodeId, NodeIdentity] = field(default_factory=dict)
    hold: bool = False
    """While true no lease is confirmed."""
    light: LightSource | None = None
    """What signs its blocks."""
    ahead: float = 0.0
    """Seconds that the chain's clock is ahead of the machine's."""
    notify: Callable[[], None] = lambda: None

    def skip(self, seconds: float) -> None:
        """Move the chain's clock; less than the gap limit, or it counts as a gap."""
        self.ahead += seconds
        self.notify()

    def image(self, name: str) -> str:
        """An image that the registry has."""
        return f"{self.registry}/test/{name}:1"


@contextmanager
def local_chain(
    folder: Path, *, nodes: int = 5, powers: Powers | None = None, params: Params | None = None
) -> Iterator[LocalChain]:
    """A running chain with active nodes, of the minimal parameters unless others are given.

    With `powers` made-up validators sign its blocks for light clients.
    """
    made, ready = LocalChain("", ""), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with _served(folder, nodes, made, powers, params or minimal()):
            ready.set()
            await stop.wait()

    with ThreadPoolExecutor(1, thread_name_prefix="local-chain") as executor:
        running = executor.submit(loop.run_until_complete, run())
        running.add_done_callback(lambda _: ready.set())
        ready.wait()
        try:
            if running.done():
                running.result()
            yield made
        finally:
            if not running.done():
                loop.call_soon_threadsafe(stop.set)
            try:
                running.result()
            finally:
                loop.close()


@asynccontextmanager
async def _served(
    folder: Path, nodes: int, made: LocalChain, powers: Powers | None, params: Params
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        genesis = local(Timestamp(1_700_000_000), params)  # type: ignore[arg-type]
        if powers is not None:
            genesis = genesis.but(validators=first_validators(powers))
        factory = ProtocolFactory(genesis.params)
        application = Application(MemoryStore(), factory, chain_genesis(genesis, factory))
        stack.callback(application.close)
        engine = SoloEngine(application, development_addresses()[9], clock=lambda: time.time() + made.ahead)
        made.notify = engine.notify
        await stack.enter_async_context(engine)
        if powers is not None:
            made.light = LightSource(application, LightChain(powers, chain_name(genesis), SECOND // 100))
        app = create_app(application, engine, light_blocks=made.light, genesis=encode(genesis))
        made.rpc = (await stack.enter_async_context(serve(app, listen("127.0.0.1", 0)))).rstrip("/")
        made.registry = await stack.enter_async_context(_registry())
        client = FluxClient(await stack.enter_async_context(HttpTransport(made.rpc)))
        for index in range(nodes):
            await _add_node(client, folder / str(index), index, made)
        # In a group, so that a fault of the stand-in ends the chain and is raised where the chain was made.
        async with asyncio.TaskGroup() as group:
            agents = group.create_task(_agents(client, made))
            try:
                yield
            finally:
                agents.cancel()


async def _add_node(client: FluxClient, home: Path, index: int, made: LocalChain) -> None:
    identity = create(home, "127.0.0.1")
    site = place(index)
    declaration = Declaration("127.0.0.1", 16_127 + index, site.location, HARDWARE, site.ask, site.stake)
    number = await register(client, development_key(1 + index, LOCAL_CHAIN_ID), identity, declaration)
    await Nodes(client).activate(identity.signer)
    made.identities[number] = identity


async def _agents(client: FluxClient, made: LocalChain) -> None:
    """Confirm what is assigned, once its seed is there."""
    while True:
        with suppress(ClientError):
            for number, identity in made.identities.items():
                for lease in await Market(client).leases_of_node(number):
                    if lease.state is LeaseState.ASSIGNED and not made.hold:
                        await _confirm(client, identity, lease)
        await asyncio.sleep(0.01)


async def _confirm(client: FluxClient, identity: NodeIdentity, lease: Lease) -> None:
    spec = decode_spec(await Apps(client).spec(lease.app, lease.revision))
    if spec.private and not await Secrets(client).boxes(lease.id):
        return
    if any("/test/bad@" in component.image for component in spec.components):
        await Market(client).fail(identity.signer, lease.id, FailReason.START, "web ended with exit status 1")
        return
    bindings = [
        PortBinding(component.name, U16(port.container), U16(20_000 + port.container % 10_000), U8(6))
        for component in spec.components
        for port in component.ports
    ]
    await Market(client).confirm(identity.signer, lease.id, bindings)


@asynccontextmanager
async def _registry() -> AsyncIterator[str]:
    """The two documents that pinning an image reads."""
    configuration = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": f"sha256:{hashlib.sha256(configuration).hexdigest()}", "size": len(configuration)},
        "layers": [],
    }

    async def manifests(request: web.Request) -> web.Response:
        if not request.match_info["name"].startswith("test/"):
            raise web.HTTPNotFound
        return web.Response(body=json.dumps(manifest).encode(), content_type=str(manifest["mediaType"]))

    async def blobs(_: web.Request) -> web.Response:
        return web.Response(body=configuration)

    app = web.Application()
    app.router.add_get("/v2/{name:.+}/manifests/{reference}", manifests)
    app.router.add_get("/v2/{name:.+}/blobs/{digest}", blobs)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()

"""A chain with nodes that serve their part of a keeper's API, and a private app whose seed they keep and hand on."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from flux.agent.api.auth import Authoriser
from flux.agent.api.server import AgentApi
from flux.agent.api.shares import HoldingSource, ShareApi
from flux.agent.head_clock import HeadClock
from flux.agent.identity import NodeIdentity
from flux.agent.reports import ChainReporter
from flux.agent.seed_recovery import GIVERS_FIRST, ChainKeepers, SeedRecovery
from flux.agent.sharing import ChainSharing, SeedSharing
from flux.agent.source import ChainSource
from flux.contracts.apps.types import (
    AppId,
    PrivateComponent,
    PrivateSpec,
    Revision,
    encode_spec,
)
from flux.contracts.market.types import Lease, LeaseId, LeaseState
from flux.contracts.nodes.types import Node, NodeId
from flux.contracts.secrets.types import Keeping, SealedSeed, SharedSeed
from flux.primitives.types import U16, U32, Wei
from flux.sdk.agent_api import AgentClient, AgentRefused
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.signer import LocalSigner
from flux.sdk.transport import HttpTransport
from flux.specs.private_half import encrypt, seal
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.contract_lab import FLUX, spec
from support.local_chain import LocalChain, local_chain
from support.waiting import until

TENANT = development_key(8, LOCAL_CHAIN_ID)
PRIVATE = PrivateSpec(components=(PrivateComponent("web", environment=(("PASSWORD", "hunter2"),)),))
FIRST = Revision(U32(1))
STRANGER = LocalSigner(b"\x0c" * 32)


@dataclass
class SomeLie:
    """Keepers of whom some answer with a box of their own making."""

    keepers: ChainKeepers
    lies: Mapping[NodeId, bytes]

    async def has_giver(self, lease: Lease) -> bool:
        return await self.keepers.has_giver(lease)

    async def shared(self, lease: Lease) -> SharedSeed:
        return await self.keepers.shared(lease)

    async def ask(self, keeper: NodeId, lease: LeaseId) -> bytes:
        return self.lies.get(keeper) or await self.keepers.ask(keeper, lease)


@dataclass
class KeeperLab:
    """A chain with five nodes that serve their part of a keeper's API, and a private app of one instance."""

    chain: LocalChain
    client: FluxClient
    agents: AgentClient
    folder: Path
    seed: bytes
    app: AppId
    runners: dict[NodeId, web.AppRunner]
    now: float = 0.0
    sharing: dict[tuple[NodeId, bytes], SeedSharing] = field(default_factory=dict)

    async def leases(self, state: LeaseState) -> list[Lease]:
        leases = await Market(self.client).leases_of_app(self.app)
        return [lease for lease in leases if lease.state is state]

    async def lease(self, state: LeaseState) -> Lease:
        """The one lease in this state, once it is there."""
        return (await until(lambda: self.leases(state), promise=lambda: f"a lease is {state.name}"))[0]

    async def node(self, number: NodeId) -> Node:
        return await Nodes(self.client).node(number)

    def identity(self, number: NodeId) -> NodeIdentity:
        return self.chain.identities[number]

    async def keeping(self) -> Keeping:
        return await Secrets(self.client).keepers(self.app, FIRST)

    async def share(self, number: NodeId, seed: bytes | None = None) -> None:
        """What the agent of a node that runs the app does about its keepers."""
        known = seed or self.seed
        if (number, known) not in self.sharing:
            reporter = ChainReporter(self.client, self.identity(number).signer, self.folder)
            chain = ChainSharing(self.client, number)
            self.sharing[number, known] = SeedSharing(number, chain, lambda _: known, reporter, lambda: self.now)
        await self.sharing[number, known].run_once(await Market(self.client).leases_of_node(number))

    async def generation(self) -> int:
        return (await self.keeping()).shared.generation

    async def recover(
        self, lease: Lease, *, waited: float = GIVERS_FIRST, lies: Mapping[NodeId, bytes] | None = None
    ) -> ChainSource:
        """What the agent of the lease's node does, and what it has then; some keepers answer with a lie."""
        woken: list[int] = []
        source = ChainSource(self.client, lease.node, self.identity(lease.node).seal_key, HeadClock())
        keepers = SomeLie(ChainKeepers(self.client, self.identity(lease.node), self.agents), lies or {})
        recovery = SeedRecovery(
            source, keepers, bytes(self.identity(lease.node).seal_key), lambda: woken.append(1), lambda: self.now
        )
        await recovery.run_once((await source.desired()).values())
        self.now += waited
        await recovery.run_once((await source.desired()).values())
        assert bool(woken) == (source.seed(lease) is not None)
        return source

    async def ask(
        self, signer: LocalSigner, keeper: NodeId, lease: Lease, headers: dict[str, str] | None = None
    ) -> int:
        """The status of the answer to a request for a keeper's share."""
        node, target = await self.node(keeper), f"/v1/leases/{lease.id}/share"
        if headers is None:
            try:
                await self.agents.download(node, signer, target, 5, 2000)
            except AgentRefused as refused:
                return refused.status
            return 200
        url = f"https://127.0.0.1:{node.endpoint.port}{target}"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, ssl=aiohttp.Fingerprint(node.endpoint.certificate), headers=headers) as answer,
        ):
            return answer.status

    async def stop(self, number: NodeId) -> None:
        """The agent of a node dies."""
        await self.runners[number].cleanup()


@asynccontextmanager
async def keeper_lab(folder: Path, instances: int = 1, nodes: int = 5) -> AsyncIterator[KeeperLab]:
    async with AsyncExitStack() as stack:
        chain = stack.enter_context(local_chain(folder, nodes=nodes))
        client = FluxClient(await stack.enter_async_context(HttpTransport(chain.rpc)))
        agents = await stack.enter_async_context(AgentClient())
        runners = {number: await _serve(stack, client, chain, number) for number in chain.identities}
        ciphertext, seed = encrypt(PRIVATE)
        data = encode_spec(spec(private=True))
        await Apps(client).deploy(TENANT, "shop", U16(instances), data, ciphertext, value=Wei(10 * FLUX))  # type: ignore[arg-type]
        app = await Apps(client).find("shop")
        lab = KeeperLab(chain, client, agents, folder, seed, app, runners)
        await lab.lease(LeaseState.ASSIGNED)
        boxes = [
            SealedSeed(lease.id, seal(seed, (await lab.node(lease.node)).endpoint.seal_key))
            for lease in await lab.leases(LeaseState.ASSIGNED)
        ]
        await Secrets(client).seal(TENANT, app, boxes)

        async def all_run() -> bool:
            return len(await lab.leases(LeaseState.RUNNING)) == instances

        await until(all_run, promise=lambda: "every instance runs")
        yield lab


async def _serve(stack: AsyncExitStack, client: FluxClient, chain: LocalChain, number: NodeId) -> web.AppRunner:
    """The API of one node, on the port that the chain has of it."""
    identity = chain.identities[number]
    authoriser = Authoriser(identity.certificate, time.time)
    shares = ShareApi(number, identity.seal_key, authoriser, HoldingSource(client).find)
    api = AgentApi(number, identity, None, None, authoriser, None, shares=shares)  # type: ignore[arg-type]
    runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=identity.tls()).start()
    node = await Nodes(client).node(number)
    endpoint = node.endpoint.but(port=U16(runner.addresses[0][1]))
    await Nodes(client).set_endpoint(development_key(number, LOCAL_CHAIN_ID), number, endpoint)
    return runner

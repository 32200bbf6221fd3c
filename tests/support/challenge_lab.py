"""A node that is measured and one that measures it, over real TLS on loopback."""

import random
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from flux.agent.api.auth import Authoriser
from flux.agent.api.benchmarks import BenchmarkApi, Round
from flux.agent.api.server import AgentApi
from flux.agent.challenges.budget import TimeBudget
from flux.agent.challenges.examiner import Examiner, Target
from flux.agent.challenges.plot import PlotPlan, plot_seed
from flux.agent.challenges.prover import Prover
from flux.agent.challenges.tasks import Sizes
from flux.agent.identity import NodeIdentity, create
from flux.contracts.nodes.types import Node, NodeId
from flux.primitives.types import U16, U32, Address
from flux.sdk.agent_api import AgentClient
from flux.sdk.signer import LocalSigner
from support.contract_lab import endpoint

SIZES = Sizes(4, 4, 2, 1, 8, 256, 8, 64)
EPOCH = 7
NODE = NodeId(U32(3))
MEMBER = LocalSigner(b"\x05" * 32)
STRANGER = LocalSigner(b"\x06" * 32)
NOW = 1_800_000_000.0


@dataclass
class FixedSource:
    """What the chain says."""

    round_now: Round
    sizes_now: Sizes = SIZES

    async def sizes(self) -> Sizes:
        return self.sizes_now

    async def round(self) -> Round:
        return self.round_now

    async def peers(self) -> Collection[Address]:
        return {MEMBER.address}


@dataclass
class ChallengeLab:
    """One node's API and a client of it."""

    node: Node
    identity: NodeIdentity
    source: FixedSource
    prover: Prover
    link: AgentClient
    target: Target

    def examiner(self, signer: LocalSigner = MEMBER, link: Any = None) -> Examiner:
        return Examiner(link or self.link, signer, self.source.sizes, random.Random(1))


@asynccontextmanager
async def challenge_lab(
    folder: Path, budget: TimeBudget | None = None, wrap: Callable[[Prover], Any] = lambda prover: prover
) -> AsyncIterator[ChallengeLab]:
    """`wrap` puts a lying prover in the honest one's place."""
    async with AsyncExitStack() as stack:
        identity = create(folder / "node", "127.0.0.1")
        prover = Prover(NODE, identity.signer, folder / "node", budget or TimeBudget(lambda: 0.0))
        stack.push_async_callback(prover.close)
        plan = PlotPlan(plot_seed(b"\x09" * 32, NODE), SIZES.plot_blocks, SIZES.plot_key_kib)
        source = FixedSource(Round(EPOCH, frozenset({MEMBER.address}), plan))
        authoriser = Authoriser(identity.certificate, time.time)
        api = AgentApi(
            NODE,
            identity,
            None,
            None,
            authoriser,
            None,
            BenchmarkApi(wrap(prover), authoriser, source),  # type: ignore[arg-type]
        )
        runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=identity.tls())
        await site.start()
        port = runner.addresses[0][1]
        where = endpoint("127.0.0.1", port=U16(port), certificate=identity.certificate)
        node = a_node(identity).but(endpoint=where)
        link = await stack.enter_async_context(AgentClient())
        yield ChallengeLab(node, identity, source, prover, link, Target(node, EPOCH, 2, plan))


def a_node(identity: NodeIdentity) -> Node:
    """The chain's record of the measured node."""
    hardware = {"cpu_milli": 2_000, "memory_mib": 1, "disk_mib": 1, "architecture": 1, "gpu_count": 0, "gpu_model": ""}
    facts = {
        "id": NODE, "operator": b"", "agent": b"", "status": 2, "tier": 1, "stake": 1,
        "endpoint": {
            "host": "", "port": 1, "certificate": b"", "seal_key": b"", "residential": False, "static_ip": True,
        },
        "location": {"continent": "EU", "country": "FR", "region": ""},
        "hardware": hardware, "ask": {"cpu": 1, "memory": 1, "disk": 1, "gpu": 1},
        "registered_at": 0, "status_since": 0, "status_reason": "",
    }  # fmt: skip
    return msgspec.convert(facts, Node).but(agent=identity.signer.address)


def smaller(sizes: Sizes, **changes: int) -> Sizes:
    """Other sizes."""
    return replace(sizes, **changes)

"""One node's API behind its certificate, over containers in memory, with the client that tenants use."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from flux.agent.api.auth import Authoriser
from flux.agent.api.exec import ExecApi, ExecLimits
from flux.agent.api.logs import LogApi, LogLimits
from flux.agent.api.server import AgentApi
from flux.agent.identity import create
from flux.agent.loop import AgentLoop, InstanceStatus
from flux.agent.observed import group
from flux.contracts.market.types import Lease, LeaseId
from flux.contracts.nodes.types import Architecture, Ask, Endpoint, Hardware, Location, Node, NodeId, NodeStatus, Tier
from flux.primitives.types import U8, U16, U32, U64, Address, ChainTime, Hash
from flux.runtime.labels import COMPONENT
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import ContainerSpec, ImageReference
from flux.sdk.agent_api import AgentClient
from flux.sdk.signer import LocalSigner
from flux.services.ports import free_port
from support.leases import NODE, make_desired

OWNER = LocalSigner(b"\x01" * 32)
STRANGER = LocalSigner(b"\x02" * 32)
IMAGE = ImageReference("registry.test/web@sha256:" + "a" * 64)


@dataclass(slots=True)
class AgentApiLab:
    """A hosted lease and who may speak to it."""

    engine: MemoryEngine
    runtime: MemoryRuntime
    agents: AgentClient
    node: Node
    lease: Lease
    exec: ExecApi
    server: "web.Server[web.Request]"
    """Whose connections can be counted."""


class _Loop:
    """What the API asks of the loop: everything is as the engine has it."""

    def __init__(self, runtime: MemoryRuntime) -> None:
        self.runtime = runtime
        self.wanted = make_desired()

    def status(self, lease: LeaseId) -> InstanceStatus:
        views = [container.view() for container in self.runtime.engine.containers.values()]
        return InstanceStatus(self.wanted, group(views, (), {}).get(lease), "")

    def desired(self) -> dict[LeaseId, Any]:
        return {self.wanted.lease.id: self.wanted}


@asynccontextmanager
async def agent_api_lab(
    home: Path,
    limits: ExecLimits | None = None,
    components: tuple[str, ...] = ("web",),
    logs: LogLimits | None = None,
) -> AsyncIterator[AgentApiLab]:
    """The API of node 3, which runs lease 7 of OWNER's app."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(MemoryEngine())
        engine.add_image(IMAGE)
        runtime = MemoryRuntime(engine)
        loop = _Loop(runtime)
        for component in components:
            labels = {**loop.wanted.key(NODE).labels(), COMPONENT: component}
            await runtime.pull(IMAGE)
            await runtime.ensure_network("net", {})
            spec = ContainerSpec(
                name=f"flux-{component}", image=IMAGE, cpu_milli=100, memory_mib=32, network="net", alias=component,
                labels=labels,
            )  # fmt: skip
            await runtime.start(await runtime.create(spec))
        identity = create(home, "127.0.0.1")
        lease = loop.wanted.lease

        async def owner_of(number: LeaseId) -> Address | None:
            return OWNER.address if number == lease.id else None

        number = NodeId(U32(3))
        sessions = ExecApi(runtime, limits)
        api = AgentApi(
            number,
            identity,
            cast(AgentLoop, loop),
            runtime,
            Authoriser(identity.certificate, time.time),
            owner_of,
            None,
            sessions,
            logs=LogApi(runtime, logs),
        )
        runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=identity.tls()).start()
        agents = await stack.enter_async_context(AgentClient())
        assert runner.server is not None
        record = node_record(port, identity.certificate)
        yield AgentApiLab(engine, runtime, agents, record, lease, sessions, runner.server)


def node_record(port: int, certificate: Hash) -> Node:
    """The chain's record of node 3."""
    return Node(
        NodeId(U32(3)), Address(b"o" * 20), Address(b"a" * 20), NodeStatus.ACTIVE, Tier.CUMULUS,
        Endpoint("127.0.0.1", U16(port), certificate, Hash(b"s" * 32), False, False), Location("EU", "FR", "IDF"),
        Hardware(U32(4000), U32(8192), U32(100_000), Architecture.AMD64, U8(0), ""),
        Ask(U64(1), U64(1), U64(1), U64(1)), ChainTime(U64(1)), ChainTime(U64(1)), "",
    )  # fmt: skip

"""One node of a local cloud: its keys, its registration, its agent process, and its death."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flux.agent.hardware.detect import detect
from flux.agent.identity import NodeIdentity, create
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U32
from flux.runtime.labels import ChainName, chain_name, node_labels
from flux.runtime.port import ContainerRuntime
from flux.sdk.client import FluxClient
from flux.services.engine_cleanup import remove_containers
from flux.services.local_places import Place, pretended
from flux.services.processes import PROGRAM, ChildProcess, start
from flux.services.registration import Declaration, ensure_registered
from flux.wallet.development import COUNT, LOCAL_CHAIN_ID, development_key

STOP_SECONDS = 10.0
NOT_REGISTERED = NodeId(U32(0))


@dataclass(frozen=True, slots=True)
class NodeSetting:
    """What a node of a local cloud is told."""

    index: int
    """From 0."""
    home: Path
    """FLUX_HOME of its process: keys lie in `node` below it."""
    log: Path
    place: Place
    host: str
    port: int
    first_port: int
    last_port: int
    """Host ports for containers."""
    docker: str | None


@dataclass(slots=True)
class LocalNode:
    """A machine that is only pretended to be one: all nodes share this machine and its container engine."""

    setting: NodeSetting
    rpc: str
    runtime: ContainerRuntime = field(repr=False)
    id: NodeId = NOT_REGISTERED
    chain: ChainName | None = None
    """Set with its registration."""
    program: str = PROGRAM
    """Python module of its agent; another one plays an operator who changed it."""
    process: ChildProcess | None = None
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    """Called when its process was started or killed."""
    _identity: NodeIdentity | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return f"node-{self.setting.index + 1}"

    @property
    def pid(self) -> int | None:
        """Of its agent while that lives."""
        return None if self.process is None or self.process.exit_code is not None else self.process.pid

    def initialise(self) -> NodeIdentity:
        """Its keys, made at the first time."""
        self._identity = create(self.setting.home / "node", self.setting.host)
        return self._identity

    async def register(self, client: FluxClient) -> None:
        """Make the chain know it, with the stake of a development account of its own."""
        identity = self._identity or self.initialise()
        place = self.setting.place
        declaration = Declaration(
            host=self.setting.host,
            port=self.setting.port,
            location=place.location,
            hardware=pretended(await asyncio.to_thread(detect, self.setting.home)),
            ask=place.ask,
            stake=place.stake,
        )
        # Account 0 is the tenant's; each node has an operator of its own as long as there are enough.
        operator = development_key(1 + self.setting.index % (COUNT - 1), LOCAL_CHAIN_ID)
        self.id = await ensure_registered(client, operator, identity, declaration)
        self.chain = chain_name(await client.chain_id(), await client.genesis())

    def start(self) -> None:
        """Start its agent process; nothing happens while it runs."""
        if self.pid is not None:
            return
        setting = self.setting
        arguments = ["--home", str(setting.home), "--rpc", self.rpc, "node", "start", "--listen"]
        arguments += [f"{setting.host}:{setting.port}", "--ports", f"{setting.first_port}-{setting.last_port}"]
        arguments += ["--bind", setting.host]
        environment = {} if setting.docker is None else {"DOCKER_HOST": setting.docker}
        self.process = start(self.name, arguments, environment, setting.log, self.program)
        self.on_change()

    async def stop(self) -> None:
        """Stop its agent; containers stay."""
        if self.process is not None:
            await self.process.stop(STOP_SECONDS)

    async def kill(self) -> None:
        """What the death of a machine looks like to everybody else: agent and containers are gone at once."""
        if self.process is not None:
            await self.process.kill()
        if self.chain is not None:
            await remove_containers(self.runtime, node_labels(self.chain, self.id))
        self.on_change()

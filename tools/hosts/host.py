"""One host of a lab: a place in the network, a disk, an Engine, an agent; and how it dies."""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from flux.agent.hardware.detect import detect
from flux.agent.identity import create
from flux.contracts.nodes.types import NodeId
from flux.primitives.types import U8, U32
from flux.sdk.client import FluxClient
from flux.services.local_node import NOT_REGISTERED
from flux.services.local_places import place as site
from flux.services.processes import ChildProcess
from flux.services.registration import Declaration, ensure_registered
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from tools.dockerd import Daemon
from tools.hosts.disk import Disk
from tools.hosts.network import Place, Switch
from tools.hosts.process import clock_of, set_clock, start_in

AGENT_PORT = 16127
_PORTS = "20000-20499"


@dataclass(slots=True)
class Host:
    """The machine `name`; everything it has lies on its disk."""

    name: str
    index: int
    place: Place
    switch: Switch = field(repr=False)
    disk: Disk
    log: Path
    rpc: str
    live_restore: bool = True
    id: NodeId = NOT_REGISTERED
    agent: ChildProcess | None = None
    daemon: Daemon = field(init=False)

    def __post_init__(self) -> None:
        self.daemon = Daemon(self.disk.mounted / "engine", self.place.namespace, (), self.live_restore)

    @property
    def home(self) -> Path:
        """FLUX_HOME of its operator."""
        return self.disk.mounted / "flux"

    @property
    def clock(self) -> Path:
        """What its agent's clock is off by."""
        return self.log.parent / f"{self.name}.clock"

    @property
    def is_agent_alive(self) -> bool:
        return self.agent is not None and self.agent.exit_code is None

    def start_engine(self) -> None:
        """A new machine: an empty disk, an empty Engine."""
        self.disk.attach()
        self.daemon.start()

    async def register(self, client: FluxClient) -> None:
        """As an operator does it with `flux node init` and `flux node register`."""
        identity = create(self.home / "node", self.place.address)
        where = site(self.index)
        hardware = msgspec.structs.replace(
            detect(self.home), cpu_milli=U32(4_000), memory_mib=U32(4_096), disk_mib=U32(20_480), gpu_count=U8(0)
        )
        declaration = Declaration(
            host=self.place.address, port=AGENT_PORT, location=where.location, hardware=hardware,
            ask=where.ask, stake=where.stake,
        )  # fmt: skip
        # Account 0 is the tenant's; each host has an operator of its own.
        self.id = await ensure_registered(
            client, development_key(1 + self.index, LOCAL_CHAIN_ID), identity, declaration
        )
        set_clock(self.clock, 0)

    def start_agent(self) -> None:
        """`flux node start`."""
        arguments = ["--home", str(self.home), "--rpc", self.rpc, "node", "start", "--ports", _PORTS]
        arguments += ["--listen", f"{self.place.address}:{AGENT_PORT}", "--bind", self.place.address]
        environment = {"DOCKER_HOST": self.daemon.host, **clock_of(self.clock)}
        self.agent = start_in(self.place, self.name, arguments, self.log, environment)

    async def kill(self) -> None:
        """The machine loses power: line, agent, Engine and containers at one moment; nobody says goodbye."""
        self.switch.unplug(self.name)
        if self.agent is not None:
            await self.agent.kill()
        await asyncio.to_thread(self.daemon.kill)

    async def restore(self) -> None:
        """Power is back: the machine boots with what is on its disk."""
        await self.restore_engine()
        if not self.is_agent_alive:
            self.start_agent()

    async def restore_engine(self) -> None:
        """The line and the Engine alone."""
        self.switch.plug(self.name)
        await asyncio.to_thread(self.daemon.resume)

    def discard(self) -> None:
        """End whatever is left of it, also when another process started it, and delete its disk."""
        self.daemon.kill()
        self.daemon.unmount()
        shutil.rmtree(self.daemon.runtime, ignore_errors=True)
        self.disk.detach()

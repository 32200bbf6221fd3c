"""A whole network of hosts on one machine: a chain, hosts, an ingress and a client, each in a place of its own.

`async with running_lab(directory) as lab`: inside, this process is at the client's place, so that what it asks goes
over the lab's network. Everything is gone at the end; what a killed lab left in the same directory is removed at the
start.
"""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from flux.contracts.nodes.types import NodeId, NodeStatus
from flux.sdk.agent_api import AgentClient
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.probes import Probes
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError
from flux.sdk.transport import HttpTransport
from flux.services.chain_home import new_local_genesis, write_genesis
from flux.services.processes import ChildProcess
from tools.errors import ToolError
from tools.hosts.disk import Disk
from tools.hosts.host import Host
from tools.hosts.network import REGISTRY_PORT, Place, Switch, entered
from tools.hosts.process import clock_of, set_clock, start_in
from tools.images import build_images, push_images
from tools.paths import ROOT, STATE
from tools.programs import docker
from tools.registry import Registry, running_registry

DIRECTORY = STATE / "hosts"
REGISTRY = f"127.0.0.1:{REGISTRY_PORT}"
RPC_PORT = 8545
HTTP_PORT = 8080
CHAIN_DISK_MIB = 512
_READY_SECONDS = 120.0
_STOP_SECONDS = 10.0
_PING_SECONDS = 2.0
_POLL = 0.02
Say = Callable[[str], None]


@dataclass(slots=True)
class Lab:
    """A running lab."""

    directory: Path
    switch: Switch
    hosts: list[Host]
    disk: Disk
    """The chain's."""
    is_chain_skewed: bool = False
    """Whether the chain's clock can be off; reading it costs more then."""
    registry: Registry | None = None
    chain: ChildProcess | None = None
    ingress: ChildProcess | None = None
    client: FluxClient = field(init=False)

    @property
    def rpc(self) -> str:
        return f"http://{self.switch.places['chain'].address}:{RPC_PORT}"

    @property
    def url(self) -> str:
        """Where the ingress answers."""
        return f"http://{self.switch.places['edge'].address}:{HTTP_PORT}"

    def host_header(self, app: str) -> dict[str, str]:
        """By which the ingress knows an app."""
        return {"Host": f"{app}.flux.localhost:{HTTP_PORT}"}

    def host(self, node: NodeId) -> Host:
        """The host that is this node of the chain."""
        return next(host for host in self.hosts if host.id == node)

    @property
    def clock(self) -> Path:
        """What the chain's clock is off by."""
        return self.log("chain").with_suffix(".clock")

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def start_chain(self) -> None:
        """`flux chain start`, with what is on its disk."""
        place = self.switch.places["chain"]
        arguments = ["--home", str(self.disk.mounted), "chain", "start"]
        arguments += ["--host", place.address, "--port", str(RPC_PORT)]
        environment = clock_of(self.clock) if self.is_chain_skewed else None
        self.chain = start_in(place, "chain", arguments, self.log("chain"), environment)

    def start_ingress(self) -> None:
        """`flux ingress start`, which starts Caddy."""
        home = str(self.directory / "ingress")
        arguments = ["--home", home, "--rpc", self.rpc, "ingress", "start", "--http-port", str(HTTP_PORT)]
        self.ingress = start_in(self.switch.places["edge"], "ingress", arguments, self.log("ingress"))

    async def flux(self, *arguments: str) -> Any:
        """The document of a command as the tenant gives it. Raises ToolError with what it printed."""
        environment = {
            **os.environ, "FLUX_HOME": str(self.directory / "tenant"), "FLUX_RPC": self.rpc, "REGISTRY": REGISTRY,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flux.cli.main", "--json", *arguments,
            cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise ToolError(f"flux {' '.join(arguments)} ended with {process.returncode}: {errors.decode().strip()}")
        return json.loads(output)

    async def pull(self, image: str) -> None:
        """Let every host have an image of the registry, by digest."""
        reference = f"{REGISTRY}/{image}"
        await asyncio.gather(
            *(asyncio.to_thread(docker, host.daemon.host, "pull", "--quiet", reference) for host in self.hosts)
        )

    async def until(
        self, condition: Callable[[], Awaitable[bool]], promise: str, seconds: float = _READY_SECONDS
    ) -> None:
        """Return once the condition holds; raises ToolError with the promise when it does not."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await condition():
            if asyncio.get_running_loop().time() > deadline:
                raise ToolError(f"not within {seconds:g} s: {promise}. Logs: {self.directory / 'logs'}")
            await asyncio.sleep(_POLL)

    async def chain_answers(self) -> bool:
        with suppress(ClientError):
            await self.client.head()
            return True
        return False

    async def is_active(self, host: Host) -> bool:
        """Whether instances may be placed there: nobody suspects it, and it answers."""
        record = await Nodes(self.client).node(host.id)
        if record.status is not NodeStatus.ACTIVE or host.id in await Probes(self.client).suspicions():
            return False
        async with AgentClient() as agents:
            return await agents.ping(record, _PING_SECONDS) is not None

    async def are_active(self) -> bool:
        return all(await asyncio.gather(*(self.is_active(host) for host in self.hosts)))

    async def ingress_answers(self) -> bool:
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session, session.get(self.url):
                return True
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def make_lab(directory: Path, count: int, *, live_restore: bool = True) -> Lab:
    """A lab that does not run yet; `directory` is an absolute path."""
    mark = hashlib.sha256(str(directory).encode()).hexdigest()[:4]
    names = [f"h{number}" for number in range(1, count + 1)]
    switch = Switch(f"flux-{mark}-", ["chain", "edge", "client", *names])
    lab = Lab(directory, switch, [], _disk(directory, "chain", CHAIN_DISK_MIB))
    lab.hosts = [
        Host(name, index, switch.places[name], switch, _disk(directory, name), lab.log(name), lab.rpc, live_restore)
        for index, name in enumerate(names)
    ]
    return lab


@asynccontextmanager
async def running_lab(
    directory: Path = DIRECTORY, count: int = 5, *, is_chain_skewed: bool = False, say: Say = lambda _: None
) -> AsyncIterator[Lab]:
    """A lab of `count` hosts, all active. Raises ToolError."""
    async with AsyncExitStack() as stack:
        lab = stack.enter_context(built(make_lab(directory, count)))
        lab.is_chain_skewed = is_chain_skewed
        say(f"{count + 3} network namespaces are made; engines start")
        await start_engines(lab, [host.start_engine for host in lab.hosts])
        say("engines answer")
        stack.push_async_callback(_stop_processes, lab)
        lab.client = FluxClient(await stack.enter_async_context(HttpTransport(lab.rpc)))
        lab.disk.attach()
        write_genesis(lab.disk.mounted / "chain", new_local_genesis())
        set_clock(lab.clock, 0)
        lab.start_chain()
        await lab.until(lab.chain_answers, "the chain answers")
        for host in lab.hosts:
            await host.register(lab.client)
            host.start_agent()
        lab.start_ingress()
        await lab.until(lab.are_active, "all hosts are active")
        await lab.until(lab.ingress_answers, "the ingress answers")
        say(f"{count} hosts are active")
        yield lab


async def start_engines(lab: Lab, starts: list[Callable[[], None]]) -> None:
    """Start Engines side by side; the first failure is raised once all have come to an end."""
    results = await asyncio.gather(*(asyncio.to_thread(start) for start in starts), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


@contextmanager
def built(lab: Lab) -> Iterator[Lab]:
    """The network and the registry of a lab, with this process at the client's place; all is gone at the end."""
    clear(lab)
    # While the internet can be reached.
    build_images()
    try:
        lab.directory.mkdir(parents=True)
        lab.switch.build()
        lab.switch.lead_to_registry("client")
        client = lab.switch.places["client"]
        with entered(client), running_registry(address=client.address, port=REGISTRY_PORT) as registry:
            push_images(registry.host)
            lab.registry = registry
            yield lab
    finally:
        clear(lab)


def clear(lab: Lab) -> None:
    """End and remove all of a lab, also of one whose process was killed."""
    hosts = _leftover_hosts(lab)
    for name in lab.switch.existing():
        for pid in Place(name, "", "").pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for host in hosts:
        host.discard()
    lab.disk.detach()
    lab.switch.remove()
    shutil.rmtree(lab.directory, ignore_errors=True)


def _leftover_hosts(lab: Lab) -> list[Host]:
    """Those of this lab, and of a larger one before it in the same directory."""
    number = len(lab.hosts)
    while _disk(lab.directory, f"h{number + 1}").file.exists():
        number += 1
    return make_lab(lab.directory, number).hosts


def _disk(directory: Path, name: str, size_mib: int = 2048) -> Disk:
    return Disk(directory / "disks" / f"{name}.img", directory / name, size_mib)


async def _stop_processes(lab: Lab) -> None:
    """Agents and ingress first, so that none of them takes the chain's end for a fault."""
    agents = [host.agent for host in lab.hosts]
    await asyncio.gather(*(process.stop(_STOP_SECONDS) for process in (*agents, lab.ingress) if process is not None))
    if lab.chain is not None:
        await lab.chain.stop(_STOP_SECONDS)

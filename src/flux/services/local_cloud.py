"""A whole cloud on one machine, for `flux up`, demos and tests: a chain, nodes in made-up places, an ingress.

Every part is a real process of its own. `async with LocalCloud(options) as cloud` starts it and stops it; what it knows
is written to `state.json` in its home, so that `flux status` and `flux down` work from elsewhere.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from flux.contracts.nodes.types import NodeStatus
from flux.runtime.docker.engine import DockerRuntime
from flux.runtime.labels import ChainName, chain_labels, chain_name
from flux.runtime.port import ContainerRuntime
from flux.sdk.agent_api import AgentClient
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.sdk.errors import ClientError
from flux.sdk.transport import HttpTransport
from flux.services import engine_cleanup, ports
from flux.services.cloud_state import CloudState, find_state, supervision, this_process, write_state
from flux.services.errors import CloudFailed, ServiceError
from flux.services.home import CloudHome
from flux.services.local_node import LocalNode, NodeSetting
from flux.services.local_places import place
from flux.services.local_validators import ValidatorPlace, make_validators
from flux.services.processes import ChildProcess, end, start

CONTAINER_PORTS_PER_NODE = 500
AGENT_PORT_STEP = 10
VALIDATOR_PORT_STEP = 10
_POLL = 0.05
_STOP_SECONDS = 10.0
_PING_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOptions:
    """What a local cloud is told at start."""

    home: Path
    """Everything it writes lies below."""
    nodes: int = 5
    rpc_port: int = 8545
    http_port: int = 8080
    agent_port: int = 16127
    """Of the first node; the others follow in steps of 10."""
    container_port: int = 20_000
    """First host port for containers; each node has 500."""
    ingress: bool = True
    validators: int = 0
    """How many validators agree on the blocks (CometBFT); 0 for a chain that one process makes (solo)."""
    p2p_port: int = 26656
    """Of the first validator, CometBFT's RPC on the next one; the others in steps of 10."""
    docker: str | None = None
    """DOCKER_HOST; None finds the engine as the Docker client does."""
    host: str = "127.0.0.1"
    ready_seconds: float = 120.0


class LocalCloud:
    """Supervises the processes of one local cloud."""

    def __init__(self, options: CloudOptions, report: Callable[[str], None] = lambda _: None) -> None:
        """`report` is given a line of progress now and then."""
        self.options = options
        self.home = CloudHome(options.home)
        self.endpoints = [
            f"http://{options.host}:{options.rpc_port + index}" for index in range(max(1, options.validators))
        ]
        """RPC of the solo chain, or of each validator."""
        self.rpc = ",".join(self.endpoints)
        self.http_port = options.http_port
        self.nodes: list[LocalNode] = []
        self.chain: ChildProcess | None = None
        """The solo chain."""
        self.validators: list[ChildProcess] = []
        self.ingress: ChildProcess | None = None
        self.name: ChainName | None = None
        """Of its chain, once that answers."""
        self.client: FluxClient
        self.runtime: ContainerRuntime
        self._report = report
        self._stack = AsyncExitStack()
        self._is_ready = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything and return once every node is active and the ingress answers.

        When it cannot, it stops what it started and raises ServiceError, RuntimeUnavailable (no container engine) or
        what a node's registration meets.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        self._stack.enter_context(supervision(self.home))
        previous = find_state(self.home)
        if previous is not None:
            await end_processes(previous)
        self._check_programs()
        self._check_ports()
        self.runtime = DockerRuntime(self.options.docker)
        self._stack.push_async_callback(self.runtime.close)
        engine = await self.runtime.ping()
        self._report(f"container engine {engine.version} answers")
        self.client = FluxClient(await self._stack.enter_async_context(HttpTransport(self.rpc)))
        self._stack.push_async_callback(self._stop_processes)
        try:
            async with asyncio.timeout(self.options.ready_seconds):
                await self._start_chain()
                await self._start_nodes()
                await self._start_ingress()
                await self._wait_active()
                await self._wait_ingress()
        except TimeoutError as error:
            sentence = f"the cloud was not ready after {self.options.ready_seconds:g} s"
            raise CloudFailed(sentence, f"see the logs in {self.home.logs}") from error
        self._is_ready = True
        self._write_state()

    async def stop(self) -> None:
        """Stop everything; containers go, volumes and the chain stay. May be called twice."""
        await self._stack.aclose()

    async def watch(self) -> None:
        """Report processes that end by themselves; returns when the chain did, all of its validators.

        Killed nodes were asked for.
        """
        gone: set[str] = set()
        while any(child.exit_code is None for child in self._chain_processes()):
            for child in self._children():
                if child.exit_code is not None and child.name not in gone:
                    gone.add(child.name)
                    self._report(f"{child.name} has ended (exit code {child.exit_code}); its log is {child.log}")
            await asyncio.sleep(0.5)

    def _check_programs(self) -> None:
        if self.options.ingress and shutil.which("caddy") is None:
            raise ServiceError("Caddy is not installed", "apt-get install caddy, or go without with --no-ingress")

    def _check_ports(self) -> None:
        options = self.options
        wanted = [(options.rpc_port + index, "--rpc-port") for index in range(len(self.endpoints))]
        for index in range(options.validators):
            first = options.p2p_port + VALIDATOR_PORT_STEP * index
            wanted += [(first, "--p2p-port"), (first + 1, "--p2p-port")]
        wanted += [(options.http_port, "--http-port")] if options.ingress else []
        wanted += [(self._agent_port(index), "--agent-port") for index in range(options.nodes)]
        ports.check_free(options.host, wanted)

    async def _start_chain(self) -> None:
        options = self.options
        if options.validators:
            places = [self._validator(index) for index in range(options.validators)]
            await asyncio.to_thread(make_validators, places)
            self.validators = [self.start_validator(index) for index in range(options.validators)]
        else:
            arguments = ["--home", str(self.home.path), "chain", "start", "--host", options.host]
            self.chain = start("chain", [*arguments, "--port", str(options.rpc_port)], {}, self.home.log("chain"))
        self._write_state()
        self.nodes = [LocalNode(self._setting(index), self.rpc, self.runtime) for index in range(options.nodes)]
        for node in self.nodes:
            node.on_change = self._write_state
            await asyncio.to_thread(node.initialise)
        await self._until(self._chain_answers)
        self.name = chain_name(await self.client.chain_id(), await self.client.genesis())
        self.home.chain_name.write_text(self.name)
        self._report(f"chain answers at {self.rpc}")

    def start_validator(self, index: int) -> ChildProcess:
        """The process of a validator, counted from 0."""
        name, port = f"validator-{index + 1}", self.options.rpc_port + index
        arguments = ["chain", "start", "--data", str(self._validator(index).home), "--host", self.options.host]
        return start(name, [*arguments, "--port", str(port)], {}, self.home.log(name))

    def _validator(self, index: int) -> ValidatorPlace:
        first = self.options.p2p_port + VALIDATOR_PORT_STEP * index
        return ValidatorPlace(self.home.validator(index), first, first + 1, self.options.host)

    async def _start_nodes(self) -> None:
        for node in self.nodes:
            # One after the other, so that node 1 of the cloud is node 1 of the chain.
            await node.register(self.client)
            node.start()
        self._report(f"{len(self.nodes)} nodes are registered, their agents start")

    async def _start_ingress(self) -> None:
        if not self.options.ingress:
            return
        arguments = ["--home", str(self.home.path), "--rpc", self.rpc, "ingress", "start"]
        arguments += ["--http-port", str(self.http_port), "--listen", self.options.host]
        self.ingress = start("ingress", arguments, {}, self.home.log("ingress"))
        self._write_state()

    async def _wait_active(self) -> None:
        async with AgentClient() as agents:
            await self._until(lambda: self._all_active(agents))
        self._report(f"{len(self.nodes)} nodes are active")

    async def _wait_ingress(self) -> None:
        if self.ingress is None:
            return
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            await self._until(lambda: self._ingress_answers(session))
        self._report(f"ingress answers at http://{self.options.host}:{self.http_port}")

    async def _until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a condition. Raises CloudFailed when a process ends meanwhile."""
        while not await condition():
            for child in self._children():
                child.check()
            await asyncio.sleep(_POLL)

    async def _chain_answers(self) -> bool:
        try:
            await self.client.head()
        except ClientError:
            return False
        return True

    async def _all_active(self, agents: AgentClient) -> bool:
        """The chain may have them active from an earlier run, so each is asked itself as well."""
        nodes = Nodes(self.client)
        records = await asyncio.gather(*(nodes.node(node.id) for node in self.nodes))
        if any(record.status is not NodeStatus.ACTIVE for record in records):
            return False
        return None not in (await asyncio.gather(*(agents.ping(record, _PING_SECONDS) for record in records)))

    async def _ingress_answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"http://{self.options.host}:{self.http_port}/"):
                return True
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _stop_processes(self) -> None:
        """Agents and ingress first, so that none of them takes the chain's end for a fault; then the containers."""
        self._report("stopping")
        others = [node.stop() for node in self.nodes]
        if self.ingress is not None:
            others.append(self.ingress.stop(_STOP_SECONDS))
        await asyncio.gather(*others)
        await asyncio.gather(*(child.stop(_STOP_SECONDS) for child in self._chain_processes()))
        if self.name is not None:
            await remove_from_engine(self.runtime, self.name, volumes=False)
        self.home.state.unlink(missing_ok=True)

    def _children(self) -> list[ChildProcess]:
        agents = [node.process for node in self.nodes]
        return [child for child in (*self._chain_processes(), *agents, self.ingress) if child is not None]

    def _chain_processes(self) -> list[ChildProcess]:
        return self.validators if self.chain is None else [self.chain]

    def _setting(self, index: int) -> NodeSetting:
        first = self.options.container_port + index * CONTAINER_PORTS_PER_NODE
        name = f"node-{index + 1}"
        return NodeSetting(
            index=index,
            home=self.home.node(index),
            log=self.home.log(name),
            place=place(index),
            host=self.options.host,
            port=self._agent_port(index),
            first_port=first,
            last_port=first + CONTAINER_PORTS_PER_NODE - 1,
            docker=self.options.docker,
        )

    def _agent_port(self, index: int) -> int:
        return self.options.agent_port + AGENT_PORT_STEP * index

    def _write_state(self) -> None:
        state = CloudState(
            supervisor=this_process(self.home.log("supervisor")),
            rpc=self.rpc,
            http_port=self.http_port if self.options.ingress else 0,
            docker=self.options.docker,
            processes=tuple(child.record for child in self._children()),
            nodes=tuple(int(node.id) for node in self.nodes),
            ready=self._is_ready,
        )
        write_state(self.home, state)


async def end_processes(state: CloudState) -> None:
    """Stop what a cloud whose supervisor died left running: agents and ingress first, the chain last."""
    chain = [record for record in state.processes if _is_of_chain(record.name)]
    others = [record for record in state.processes if not _is_of_chain(record.name)]
    await asyncio.gather(*(end(record, _STOP_SECONDS) for record in others))
    await asyncio.gather(*(end(record, _STOP_SECONDS) for record in chain))


def _is_of_chain(name: str) -> bool:
    return name == "chain" or name.startswith("validator-")


def find_chain_name(home: CloudHome) -> ChainName | None:
    """By which name a cloud's containers and volumes are found; None when it never had a chain."""
    try:
        return ChainName(home.chain_name.read_text().strip())
    except FileNotFoundError:
        return None


async def remove_from_engine(runtime: ContainerRuntime, name: ChainName, *, volumes: bool) -> None:
    """Remove a cloud's containers and networks, and on request its volumes."""
    await engine_cleanup.remove_containers(runtime, chain_labels(name))
    if volumes:
        await engine_cleanup.remove_volumes(runtime, chain_labels(name))
    else:
        await runtime.release_volumes(chain_labels(name))

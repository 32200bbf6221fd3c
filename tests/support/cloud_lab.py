"""One running cloud that many tests share, and what they do with it.

Each test deploys apps of its own and removes them.

A test that breaks something (a host, the chain) puts it right again before it ends.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tools.ports import free_row, free_service_port

from flux.contracts.apps.types import AppId
from flux.contracts.market.types import Lease, LeaseState
from flux.primitives.types import U64, U256, Wei
from flux.primitives.units import parse_flux
from flux.protocol import genesis as genesis_file
from flux.protocol.params import minimal
from flux.runtime.docker import DockerRuntime
from flux.runtime.labels import APP, NODE, chain_labels
from flux.runtime.types import ContainerView
from flux.sdk.client import FluxClient
from flux.sdk.deployment import Progress, progress
from flux.services.chain_home import GENESIS_FILE
from flux.services.engine_cleanup import remove_volumes
from flux.services.local_cloud import AGENT_PORT_STEP, CloudOptions, LocalCloud
from flux.services.local_node import LocalNode
from flux.services.processes import start
from support.command import Finished, run_command
from support.waiting import until

PATIENCE = 60.0
"""Seconds for what usually takes one, on a machine that does much else."""
MIN_RUNTIME = 3
"""Seconds that the smallest deposit must last here, so that a test can wait for an account to run dry."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app answered through the ingress; status 0 when nobody did."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class CloudLab:
    """The shared cloud."""

    cloud: LocalCloud
    home: Path
    registry: str
    docker: str

    @property
    def client(self) -> FluxClient:
        return self.cloud.client

    @property
    def environment(self) -> dict[str, str]:
        return {
            "FLUX_HOME": str(self.home), "FLUX_RPC": self.cloud.rpc, "REGISTRY": self.registry,
            "DOCKER_HOST": self.docker, "DOCKER_CONFIG": str(self.home / "docker"),
        }  # fmt: skip

    async def run(self, *arguments: str, **environment: str) -> Finished:
        """A command as a person gives it, whatever comes of it."""
        return await run_command(*arguments, environment={**self.environment, **environment}, folder=self.home)

    async def flux(self, *arguments: str, code: int = 0, **environment: str) -> Any:
        """The JSON document of a command that ends with `code`."""
        finished = await self.run("--json", *arguments, **environment)
        assert finished.code == code, finished
        return finished.document

    def write(self, name: str, text: str) -> str:
        """A file of the tenant's."""
        path = self.home / name
        path.write_text(text)
        return str(path)

    @asynccontextmanager
    async def deployed(self, file: str, name: str, *options: str, **environment: str) -> AsyncIterator[dict[str, Any]]:
        """An app for as long as the block runs; afterwards it is gone, its containers too."""
        made = await self.flux("deploy", file, "--name", name, *options, **environment)
        try:
            yield made
        finally:
            await self.remove(name, AppId(U64(made["app"])))

    async def remove(self, name: str, app: AppId) -> None:
        """Remove an app that may be gone already, and wait for its containers to go."""
        if await self.is_open(name):
            await self.flux("app", "rm", name, "--yes")
        await self.until(lambda: self._has_no_containers(app), PATIENCE, f"the containers of {name} go")

    async def is_open(self, name: str) -> bool:
        return (await self.run("app", "show", name)).code == 0

    async def containers(self, app: int, node: int | None = None) -> list[ContainerView]:
        """What the engine has of an app."""
        assert self.cloud.name is not None
        labels = {**chain_labels(self.cloud.name), APP: str(app)}
        return await self.cloud.runtime.list_containers(labels if node is None else {**labels, NODE: str(node)})

    async def _has_no_containers(self, app: AppId) -> bool:
        return not await self.containers(app)

    async def progress(self, app: int) -> Progress:
        return await progress(self.client, AppId(U64(app)))

    async def running(self, app: int) -> Sequence[Lease]:
        return sorted((await self.progress(app)).running, key=lambda lease: lease.ordinal)

    async def closed(self, app: int) -> list[Lease]:
        return [lease for lease in (await self.progress(app)).leases if lease.state is LeaseState.CLOSED]

    def node(self, number: int) -> LocalNode:
        return next(node for node in self.cloud.nodes if node.id == number)

    async def ask(
        self,
        app: str,
        path: str = "/",
        *,
        data: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request through the ingress, redirects not followed."""
        headers = {"Host": f"{app}.flux.localhost:{self.cloud.http_port}"}
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            if cookies:
                headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
            url = f"http://127.0.0.1:{self.cloud.http_port}{path}"
            method = "GET" if data is None else "POST"
            try:
                async with session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
                    return Answer(answer.status, await answer.text(), answer.headers.copy())
            except (aiohttp.ClientError, TimeoutError) as error:
                return Answer(0, f"{type(error).__name__}: {error}")

    async def answers(self, app: str, words: str, path: str = "/", seconds: float = PATIENCE) -> Answer:
        """The first answer that has the words."""
        last = Answer(0, "")

        async def has_words() -> bool:
            nonlocal last
            last = await self.ask(app, path)
            return last.status == 200 and words in last.text

        await self.until(has_words, seconds, f"{app}{path} answers {words!r}", lambda: str(last))
        return last

    async def until(
        self,
        condition: Callable[[], Awaitable[bool]],
        seconds: float,
        promise: str,
        found: Callable[[], str] = lambda: "",
    ) -> None:
        """Return once the condition holds; fail with the promise when it does not."""
        await until(condition, seconds, lambda: f"{promise} {found()}", poll=0.02)

    def start_chain(self) -> None:
        """Start the chain process again, as the cloud started it."""
        options = self.cloud.options
        arguments = ["--home", str(self.cloud.home.path), "chain", "start", "--host", options.host]
        log = self.cloud.home.log("chain")
        self.cloud.chain = start("chain", [*arguments, "--port", str(options.rpc_port)], {}, log)


@asynccontextmanager
async def running_cloud(home: Path, docker: str, registry: str, nodes: int = 5) -> AsyncIterator[CloudLab]:
    """A cloud on free ports."""
    options = CloudOptions(
        home=home / "cloud", nodes=nodes, rpc_port=free_service_port(), http_port=free_service_port(),
        agent_port=free_row(AGENT_PORT_STEP * nodes), container_port=28_000, docker=docker,
    )  # fmt: skip
    write_genesis(options.home / "chain")
    cloud = LocalCloud(options)
    async with cloud:
        yield CloudLab(cloud, home, registry, docker)
    assert cloud.name is not None
    runtime = DockerRuntime(docker)
    await remove_volumes(runtime, chain_labels(cloud.name))
    await runtime.close()


def write_genesis(folder: Path) -> None:
    """A local genesis whose smallest deposit lasts for seconds instead of a minute."""
    folder.mkdir(parents=True)
    params = minimal()
    escrow = params.escrow.but(min_runtime=U64(MIN_RUNTIME), min_deposit=Wei(U256(1)), volume_grace=U64(15))
    genesis = genesis_file.local(U64(int(time.time())), params.but(escrow=escrow))
    (folder / GENESIS_FILE).write_text(genesis_file.encode(genesis))


def wei(text: str) -> int:
    """FLUX as a command prints it, in wei."""
    return parse_flux(text)

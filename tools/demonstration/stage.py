"""Where the scenario plays: a cloud, a registry with the examples' images, the command line as a tenant has it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flux.primitives.types import U64, Seconds
from flux.protocol.params import Params, minimal
from flux.services.chain_home import new_local_genesis, write_genesis
from flux.services.home import CloudHome
from flux.services.local_cloud import CloudOptions, LocalCloud
from tools.engine import running_engine
from tools.images import push_images
from tools.paths import ROOT
from tools.registry import running_registry

Say = Callable[[str], None]
EPOCH = 30
"""Seconds; the shortest that governance could set. An epoch is paid out when the next one is over."""
VOTING_PERIOD = 20
"""Seconds; the shortest that governance could set."""


class DemoFailed(Exception):
    """Something that the demonstration promises did not hold."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running cloud with everything around it."""

    cloud: LocalCloud
    home: Path
    registry: str
    say: Say

    def url(self, app: str) -> str:
        """Where an app answers; the host's name goes into the Host header (`host`)."""
        return f"http://127.0.0.1:{self.cloud.http_port}"

    def host(self, app: str) -> dict[str, str]:
        """The Host header that the ingress routes by."""
        return {"Host": f"{app}.flux.localhost:{self.cloud.http_port}"}

    async def flux(self, *arguments: str) -> Any:
        """Run a command of `flux` with --json and return its document. Raises DemoFailed with what it printed."""
        output = await self._run("--json", *arguments)
        return json.loads(output)

    async def show(self, *arguments: str) -> None:
        """Run a command of `flux` and pass on what a person would see."""
        self.say(f"$ flux {' '.join(arguments)}")
        self.say((await self._run(*arguments)).rstrip())

    async def _run(self, *arguments: str) -> str:
        environment = {**os.environ, "REGISTRY": self.registry, "FLUX_HOME": str(self.home), "COLUMNS": "110"}
        environment["FLUX_RPC"] = self.cloud.rpc
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flux.cli.main", *arguments,
            cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise DemoFailed(f"flux {' '.join(arguments)} ended with {process.returncode}: {errors.decode()}")
        return output.decode()


@asynccontextmanager
async def staged(home: Path, options: CloudOptions, say: Say, epoch: int = EPOCH) -> AsyncIterator[Stage]:
    """An engine, a registry with images, and a cloud with epochs of so many seconds; all of it is gone at the end."""
    with ExitStack() as stack:
        docker = stack.enter_context(running_engine())
        registry = stack.enter_context(running_registry())
        say("images are built and pushed into a registry on loopback")
        await asyncio.to_thread(push_images, registry.host)
        settled = CloudOptions(
            home=options.home, nodes=options.nodes, rpc_port=options.rpc_port, http_port=options.http_port,
            agent_port=options.agent_port, container_port=options.container_port, docker=docker,
        )  # fmt: skip
        write_genesis(CloudHome(settled.home).chain, new_local_genesis(params=_params(epoch)))
        async with LocalCloud(settled, say) as cloud:
            yield Stage(cloud, home, registry.host, say)


def _params(epoch: int) -> Params:
    """A local cloud's, with times that somebody who watches can wait for."""
    usual = minimal()
    return usual.but(
        probes=usual.probes.but(epoch=Seconds(U64(epoch))),
        governor=usual.governor.but(voting_period=Seconds(U64(VOTING_PERIOD))),
    )

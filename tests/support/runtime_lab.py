"""A place to run containers on each adapter of the runtime port: the same programs for busybox and for memory."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flux.runtime.docker import DockerRuntime
from flux.runtime.memory import MemoryEngine, MemoryRuntime, Process, Program
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerId, ContainerSpec, ContainerView, ImageReference, LogStream
from support.waiting import until

T = TypeVar("T")

PATIENCE_SECONDS = 60


async def _serve(process: Process) -> int:
    process.print("ready")
    await process.stop_requested.wait()
    return 0


async def _ignore_stop(process: Process) -> int:
    process.print("ready")
    await asyncio.Event().wait()
    return 0


async def _fail(process: Process) -> int:
    process.print("giving up", LogStream.ERR)
    return 3


async def _speak(process: Process) -> int:
    for number in range(1, 6):
        process.print(f"line {number}")
        await process.clock.sleep(0.01)
    process.print("a complaint", LogStream.ERR)
    return 0


@dataclass(frozen=True, slots=True)
class Script:
    """One program, as a shell script and as a coroutine."""

    shell: str
    program: Program

    @property
    def command(self) -> tuple[str, ...]:
        return ("sh", "-c", self.shell)


SERVE = Script("trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done", _serve)
"""Runs until it is asked to stop."""
IGNORE_STOP = Script("trap '' TERM; echo ready; while :; do sleep 0.05; done", _ignore_stop)
STAND = Script("echo ready; exec sleep 100000", _ignore_stop)
"""One process and no other, until it is killed."""
FAIL = Script("echo giving up >&2; exit 3", _fail)
SPEAK = Script(
    'for n in 1 2 3 4 5; do echo "line $n"; sleep 0.01; done; echo "a complaint" >&2; exit 0',
    _speak,
)
_SCRIPTS = {script.command: script for script in (SERVE, IGNORE_STOP, STAND, FAIL, SPEAK)}


async def _run_script(process: Process) -> int:
    return await _SCRIPTS[process.spec.command or ()].program(process)


@dataclass(slots=True)
class Lab:
    """A runtime, an image it can pull, and names that meet nobody else's on the same engine."""

    runtime: ContainerRuntime
    image: ImageReference
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def labels(self) -> dict[str, str]:
        return {"flux.chain": "19169", "flux.test": self.mark}

    def name(self, name: str) -> str:
        return f"flux-{self.mark}-{name}"

    def spec(self, script: Script = SERVE, name: str = "web", **changes: Any) -> ContainerSpec:
        fields: dict[str, Any] = {
            "name": self.name(name),
            "image": self.image,
            "cpu_milli": 500,
            "memory_mib": 32,
            "network": self.name("net"),
            "alias": name,
            "labels": {**self.labels, "flux.component": name},
            "command": script.command,
            "stop_grace_seconds": 5,
        }
        return ContainerSpec(**{**fields, **changes})

    async def create(self, spec: ContainerSpec) -> ContainerId:
        """With all that it needs."""
        if not await self.runtime.has_image(spec.image):
            await self.runtime.pull(spec.image)
        await self.runtime.ensure_network(spec.network, self.labels)
        return await self.runtime.create(spec)

    async def run(self, script: Script = SERVE, name: str = "web", **changes: Any) -> ContainerId:
        """Started; a service has also said that it is ready."""
        container = await self.create(self.spec(script, name, **changes))
        await self.runtime.start(container)
        if script in (SERVE, IGNORE_STOP, STAND):
            async with aclosing(self.runtime.logs(container, follow=True)) as lines:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    async for line in lines:
                        if line.text == "ready":
                            break
        return container

    async def view(self, container: ContainerId) -> ContainerView:
        found = await self.runtime.find_container(container)
        assert found is not None
        return found

    async def until(self, container: ContainerId, condition: Callable[[ContainerView], bool]) -> ContainerView:
        """Its view once the condition holds."""
        return await eventually(lambda: self.view(container), condition)

    async def clean(self) -> None:
        """Remove everything that carries the mark."""
        marked: Mapping[str, str] = {"flux.test": self.mark}
        for container in await self.runtime.list_containers(marked):
            await self.runtime.remove(container.id, force=True)
        for network in await self.runtime.list_networks(marked):
            await self.runtime.remove_network(network.name)
        for volume in await self.runtime.list_volumes(marked):
            await self.runtime.remove_volume(volume.name)


async def eventually(look: Callable[[], Awaitable[T]], condition: Callable[[T], bool]) -> T:
    """What `look` sees once the condition holds; fails after a while."""

    async def wanted() -> tuple[T] | None:
        seen = await look()
        return (seen,) if condition(seen) else None

    found = await until(wanted, PATIENCE_SECONDS)
    assert found is not None
    return found[0]


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.docker)])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """One for each adapter."""
    if request.param == "memory":
        image = ImageReference(f"registry.test/flux/busybox@sha256:{'b' * 64}")
        async with MemoryEngine() as memory:
            memory.add_image(image, _run_script)
            made = Lab(MemoryRuntime(memory), image)
            yield made
            await made.clean()
        return
    runtime = DockerRuntime(request.getfixturevalue("engine"), tmp_path / "volumes")
    made = Lab(runtime, ImageReference(request.getfixturevalue("busybox")))
    try:
        yield made
    finally:
        await made.clean()
        await runtime.close()

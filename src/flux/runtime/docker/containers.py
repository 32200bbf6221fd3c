"""The life of containers on Docker: find, create, start, stop, remove."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer

from flux.runtime.checks import check_name, check_spec
from flux.runtime.docker.connection import UNREACHABLE, Connection
from flux.runtime.docker.failures import CANNOT_CONNECT, start_failure
from flux.runtime.docker.secret_folder import SecretFolder
from flux.runtime.docker.spec import create_request, private_texts
from flux.runtime.docker.view import container_view, is_unchanged, private_of
from flux.runtime.errors import ContainerNotFound, EngineFailed, NameConflict, RuntimeFailure
from flux.runtime.types import ContainerId, ContainerSpec, ContainerView, SecretFile

_PARALLEL_INSPECTIONS = 16
_STOP_PATIENCE_SECONDS = 30
"""How long Docker may take beyond the grace to end a program with SIGKILL."""
_REMOVAL_PATIENCE_SECONDS = 30


class Containers:
    """Container operations of one Engine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._secrets = SecretFolder()
        self._limits_disk = True
        """Until Docker says that its storage driver has no quotas."""

    async def find_all(
        self, labels: Mapping[str, str], known: Mapping[ContainerId, ContainerView]
    ) -> list[ContainerView]:
        docker = await self._connection.docker()
        filters = json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})
        found = await self._connection.ask(docker.containers.list(all=True, filters=filters))
        gate = asyncio.Semaphore(_PARALLEL_INSPECTIONS)

        async def view(container: ContainerId) -> ContainerView | None:
            async with gate:
                return await self.find(container)

        kept, changed = [], []
        for container in found:
            identity = ContainerId(container.id)
            before = known.get(identity)
            if before is not None and is_unchanged(before, container):
                kept.append(before)
            else:
                changed.append(identity)
        views = await asyncio.gather(*(view(container) for container in changed))
        return sorted([*kept, *(view for view in views if view is not None)], key=lambda view: view.name)

    async def find(self, container: ContainerId) -> ContainerView | None:
        inspected = await self._inspect(container)
        return container_view(inspected) if inspected is not None else None

    async def create(self, spec: ContainerSpec) -> ContainerId:
        check_spec(spec)
        await self.place_secrets(spec.name, spec.secrets)
        try:
            return await self._create(spec)
        except NameConflict:
            existing = await self.find(ContainerId(spec.name))
        except RuntimeFailure as error:
            if not error.retry:
                await asyncio.to_thread(self._secrets.clear, spec.name)  # nobody removes what was never made
            raise
        if existing is None:
            # It was removed between the two requests.
            return await self._create(spec)
        if all(existing.labels.get(name) == value for name, value in spec.labels.items()):
            return existing.id
        raise NameConflict(f"Container {spec.name} exists and is another one.", "Remove it first.")

    async def volumes_of(self, container: ContainerId) -> list[str]:
        """Names of the volumes that it mounts; none when it is gone."""
        inspected = await self._inspect(container) or {}
        return [mount["Name"] for mount in inspected.get("Mounts") or () if mount["Type"] == "volume"]

    async def place_secrets(self, name: str, secrets: Sequence[SecretFile]) -> None:
        check_name(name)
        await asyncio.to_thread(self._secrets.place, name, secrets)

    async def start(self, container: ContainerId) -> None:
        handle = await self._handle(container)
        try:
            await handle.start()
            return
        except aiodocker.DockerError as error:
            status, message = error.status, error.message
        except UNREACHABLE as error:
            status, message = CANNOT_CONNECT, str(error)
        # What in Docker's words is private can be told only by looking at the container.
        inspected = await self._inspect(container)
        if inspected is None:
            raise ContainerNotFound(f"There is no container {container}.")
        raise start_failure(status, message, private_of(inspected))

    async def stop(self, container: ContainerId, grace_seconds: int | None) -> None:
        inspected = await self._inspect(container)
        if inspected is None or not inspected["State"]["Running"]:
            return
        if grace_seconds is None:
            grace_seconds = inspected["Config"].get("StopTimeout") or 10
        handle = await self._handle(container)
        try:
            async with asyncio.timeout(grace_seconds + _STOP_PATIENCE_SECONDS):
                await self._connection.ask(handle.stop(t=grace_seconds))
        except ContainerNotFound:
            return

    async def remove(self, container: ContainerId, *, force: bool) -> None:
        handle = await self._handle(container)
        inspected = await self._inspect(container)
        name = container if inspected is None else inspected["Name"].removeprefix("/")
        try:
            await self._connection.ask(handle.delete(force=force, v=True))
        except ContainerNotFound:
            pass  # its secrets may be left
        except RuntimeFailure as error:
            if "already in progress" not in error.message:
                raise
        await self._wait_until_gone(container)
        await asyncio.to_thread(self._secrets.clear, name)

    async def _create(self, spec: ContainerSpec) -> ContainerId:
        docker = await self._connection.docker()
        secret_paths = self._secrets.paths(spec.name, spec.secrets)
        request = create_request(spec, limit_disk=self._limits_disk, secret_paths=secret_paths)
        try:
            created = await self._connection.ask(docker.containers.create(request, name=spec.name), private_texts(spec))
        except RuntimeFailure as error:
            if not self._limits_disk or "storage-opt" not in error.message:
                raise
            self._limits_disk = False
            return await self._create(spec)
        return ContainerId(created.id)

    async def _wait_until_gone(self, container: ContainerId) -> None:
        deadline = asyncio.get_running_loop().time() + _REMOVAL_PATIENCE_SECONDS
        while await self._inspect(container) is not None:
            if asyncio.get_running_loop().time() > deadline:
                raise EngineFailed(f"Docker does not finish removing container {container}.", "See dockerd's log.")
            await asyncio.sleep(0.05)

    async def _inspect(self, container: ContainerId) -> dict[str, Any] | None:
        handle = await self._handle(container)
        try:
            inspected: dict[str, Any] = await self._connection.ask(handle.show())
        except ContainerNotFound:
            return None
        return inspected

    async def _handle(self, container: ContainerId) -> DockerContainer:
        check_name(container)
        docker = await self._connection.docker()
        return docker.containers.container(container)

"""Named volumes on Docker, of enforced size where that can be.

In this order: Docker's own quota (xfs with project quotas), a disk of the volume's own (`disks`), or only counted.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import structlog

from flux.runtime.checks import check_name
from flux.runtime.docker.connection import Connection
from flux.runtime.docker.disks import Disk, clear_workshop, find_obstacle
from flux.runtime.docker.networks import check_same, label_filter
from flux.runtime.docker.swaps import attach, mend, settle
from flux.runtime.errors import ContainerNotFound, EngineFailed, RuntimeFailure, VolumesNotReadable
from flux.runtime.types import VolumeView

T = TypeVar("T")
log = structlog.get_logger(__name__)
_SIZE_LABEL = "flux.size_mib"
"""Docker does not give a volume's options back on every storage driver, but its labels."""
_DISK_LABEL = "flux.disk"
"""The folder of the volume's disk: whoever removes the volume finds it here."""


class Volumes:
    """Volumes of one Engine. `folder` is where disks are made; None: nowhere, but those that exist are used."""

    def __init__(self, connection: Connection, folder: Path | None = None) -> None:
        self._connection = connection
        self._folder = folder
        self._limits_size = True
        """Until Docker says that its storage has no quotas."""
        self._obstacle: str | None = None
        """Why there are no disks; None until it was looked at."""
        self._disks = asyncio.Lock()
        self._mending = asyncio.Lock()
        self._is_mended = False

    async def ensure(self, name: str, labels: Mapping[str, str], size_mib: int) -> VolumeView:
        check_name(name)
        existing = await self._find(name)
        if existing is None:
            existing = await self._create(name, labels, size_mib)
        check_same("Volume", name, _view(existing).labels, labels)
        if (disk := _disk_of(existing)) is not None:
            await self.on_disk(disk.spare)
            await self.on_disk(settle, disk)
            await self.on_disk(disk.make, labels, size_mib)
            try:
                await self.on_disk(disk.grow, size_mib)
            except EngineFailed as error:
                log.warning("volume not grown", volume=name, reason=str(error))
        view = _view(existing)
        if view.size_mib != size_mib:
            log.warning("volume kept its size", volume=name, size_mib=view.size_mib, wanted_mib=size_mib)
        return view

    async def attach(self, names: Iterable[str]) -> None:
        """Mount the disks of these volumes where they are not: after a restart of the machine nobody else does."""
        for name in names:
            volume = await self._find(name)
            if volume is not None and (disk := _disk_of(volume)) is not None:
                await self.on_disk(attach, disk)

    async def release(self, labels: Mapping[str, str]) -> None:
        """Unmount the disks of volumes with these labels, where nothing uses them."""
        volumes = await self._api()
        found = await self._connection.ask(volumes.list(filters=label_filter(labels)))
        for volume in found["Volumes"] or ():
            if (disk := _disk_of(volume)) is not None:
                try:
                    await self.on_disk(disk.detach)
                except EngineFailed as error:
                    log.info("volume stays mounted", volume=volume["Name"], reason=str(error))

    async def remove(self, name: str) -> None:
        check_name(name)
        found = await self._find(name)
        if found is None:
            return
        disk = _disk_of(found)
        if disk is None:
            await self._remove(name)
            return
        if disk.folder.exists():
            await self.on_disk(disk.doom)
        try:
            await self._remove(name)
        except RuntimeFailure:
            await self.on_disk(disk.spare)
            raise
        await self.on_disk(disk.delete)

    async def disk(self, name: str) -> Disk | None:
        """The disk of a volume, attached; None when it has none. Raises VolumesNotReadable when there is no volume."""
        check_name(name)
        found = await self._find(name)
        if found is None:
            raise VolumesNotReadable(f"There is no volume {name}.", "It is made when its container is.")
        if (disk := _disk_of(found)) is not None:
            await self.on_disk(attach, disk)
        return disk

    async def folder_of(self, name: str) -> Path:
        """Where this machine has a volume's contents. Raises VolumesNotReadable when this process can't see them."""
        disk = await self.disk(name)
        found = await self._find(name)
        folder = disk.data if disk is not None else Path((found or {}).get("Mountpoint") or "/nowhere")
        if os.geteuid() != 0 or not folder.is_dir():
            raise VolumesNotReadable(
                "This node's agent can't read volumes: it is not root, or the engine is elsewhere.",
                "Move the instance to another node: flux app move.",
            )
        return folder

    async def find_all(self, labels: Mapping[str, str]) -> list[VolumeView]:
        await self.mend()
        volumes = await self._api()
        found = await self._connection.ask(volumes.list(filters=label_filter(labels)))
        return sorted((_view(volume) for volume in found["Volumes"] or ()), key=lambda view: view.name)

    async def obstacle(self) -> str:
        """Why sizes are only counted; empty when they are enforced."""
        if self._folder is None:
            return "no folder for volumes' disks was given"
        if self._obstacle is None:
            path = await self._connection.socket_path()
            async with self._disks:
                self._obstacle = await asyncio.to_thread(find_obstacle, self._folder, path)
        return self._obstacle

    async def _api(self) -> Any:
        """aiodocker's volumes, which have no types."""
        return (await self._connection.docker()).volumes

    async def _find(self, name: str) -> Mapping[str, Any] | None:
        volumes = await self._api()
        found = await self._connection.ask(volumes.list(filters={"name": [name]}))
        return next((volume for volume in found["Volumes"] or () if volume["Name"] == name), None)

    async def _remove(self, name: str) -> None:
        volumes = await self._api()
        try:
            volume = await self._connection.ask(volumes.get(name))
            await self._connection.ask(volume.delete())
        except ContainerNotFound:
            return

    async def _create(self, name: str, labels: Mapping[str, str], size_mib: int) -> Mapping[str, Any]:
        known = {**labels, _SIZE_LABEL: str(size_mib)}
        disk = None if self._folder is None else Disk(self._folder / name)
        # A disk that Docker forgot is used whatever stands in the way of new ones: never an empty volume instead.
        kept = disk is not None and await self.on_disk(disk.holds_data)
        if self._limits_size and size_mib and not kept:
            try:
                return await self._tell(name, known, {"size": f"{size_mib}m"})
            except RuntimeFailure as error:
                if "quota" not in error.message:
                    raise
                self._limits_size = False
        if disk is None or (not kept and (not size_mib or await self.obstacle())):
            return await self._tell(name, known, {})
        if disk.is_doomed:
            await self.on_disk(disk.delete)
        await self.on_disk(disk.make, labels, size_mib)
        return await self._tell(name, {**known, _DISK_LABEL: str(disk.folder)}, _bind(disk))

    async def _tell(self, name: str, labels: Mapping[str, str], options: Mapping[str, str]) -> Mapping[str, Any]:
        """Make Docker know the volume."""
        volumes = await self._api()
        request = {"Name": name, "Driver": "local", "Labels": dict(labels), "DriverOpts": dict(options)}
        volume = await self._connection.ask(volumes.create(request))
        shown: Mapping[str, Any] = await self._connection.ask(volume.show())
        return shown

    async def mend(self) -> None:
        """Once: finish or undo what was interrupted, and tell Docker of disks that it does not know (any more)."""
        async with self._mending:
            if self._is_mended or self._folder is None or await self.obstacle():
                return
            await self.on_disk(clear_workshop, self._folder)
            for folder in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
                if not folder.name.startswith("."):
                    await self._mend_disk(Disk(folder))
            self._is_mended = True

    async def _mend_disk(self, disk: Disk) -> None:
        """One that cannot be mended now keeps no other one from it, and is looked at again after the next restart."""
        try:
            await self.on_disk(mend, disk)
            if await self._find(disk.folder.name) is None:
                await self._remove_or_tell(disk)
        except EngineFailed as error:
            log.warning("volume's disk not mended", volume=disk.folder.name, reason=str(error), hint=error.hint)

    async def _remove_or_tell(self, disk: Disk) -> None:
        name = disk.folder.name
        if await self.on_disk(disk.clear):
            log.info("volume's disk removed", volume=name)
            return
        if not (labels := disk.labels()):
            log.warning("volume's disk kept, though whose it is cannot be read", volume=name)
            return
        await self.on_disk(attach, disk)
        known = {**labels, _SIZE_LABEL: str(disk.size_mib), _DISK_LABEL: str(disk.folder)}
        await self._tell(name, known, _bind(disk))
        log.info("volume found again", volume=name, size_mib=disk.size_mib)

    async def on_disk(self, work: Callable[..., T], *arguments: object) -> T:
        """One disk at a time: what is done to them is short, and must not meet itself.

        Who is cancelled waits all the same: a thread goes on, and what comes next would find disks half done.
        """
        async with self._disks:
            working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
            try:
                return await asyncio.shield(working)
            except asyncio.CancelledError:
                await asyncio.wait([working])
                raise
            except OSError as error:
                raise EngineFailed(f"A volume's disk could not be used: {error}") from error


def _bind(disk: Disk) -> dict[str, str]:
    return {"type": "none", "o": "bind", "device": str(disk.data)}


def _disk_of(volume: Mapping[str, Any]) -> Disk | None:
    folder = (volume["Labels"] or {}).get(_DISK_LABEL)
    return Disk(Path(folder)) if folder else None


def _view(volume: Mapping[str, Any]) -> VolumeView:
    labels = dict(volume["Labels"] or {})
    size = labels.pop(_SIZE_LABEL, "")
    labels.pop(_DISK_LABEL, None)
    disk = _disk_of(volume)
    size_mib = (disk.size_mib if disk else 0) or (int(size) if size.isdigit() else 0)
    limited = disk is not None or "size" in (volume.get("Options") or {})
    return VolumeView(volume["Name"], labels, size_mib, limited)

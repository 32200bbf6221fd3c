"""Contents of volumes as tar streams, by way of the machine's own mounts: `runtime.archive` does it in a process apart.

New contents come into empty disks beside the old ones, and take their place together (`swaps`): a stream that breaks,
and a machine that loses power, leave all of the old or all of the new.
"""

import asyncio
import sys
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from flux.runtime import archive
from flux.runtime.docker.disks import WORKSHOP, Disk, unmount
from flux.runtime.docker.swaps import is_unfinished, swap
from flux.runtime.docker.volumes import Volumes
from flux.runtime.errors import BadArchive, EngineFailed, RuntimeFailure, VolumesNotReadable

_PIECE = 256 * 1024
_END = bytes(1024)
"""What ends a tar."""


class VolumeFiles:
    """Packs and unpacks volumes of one engine on this machine."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes

    async def read(self, volumes: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        folders = {name: await self._volumes.folder_of(volume) for name, volume in sorted(volumes.items())}
        for name, folder in folders.items():
            process = await _start("pack", folder, name, stdin=DEVNULL)
            try:
                assert process.stdout is not None
                while data := await process.stdout.read(_PIECE):
                    yield data
                if (failure := await _outcome(process)) is not None:
                    raise failure
            finally:
                await _end(process)
        yield _END

    @asynccontextmanager
    async def write(self, volumes: Mapping[str, str], tar: AsyncIterator[bytes]) -> AsyncIterator["Unpacked"]:
        await self._volumes.mend()
        disks: dict[str, Disk] = {}
        for name, volume in sorted(volumes.items()):
            if (disk := await self._volumes.disk(volume)) is None:
                raise VolumesNotReadable(
                    "This node keeps the volume as a plain folder, which can't be replaced as a whole.",
                    "Move the instance to another node: flux app move.",
                )
            disks[name] = disk
        folders = {disk.folder.parent for disk in disks.values()}
        if len(folders) > 1:
            raise VolumesNotReadable(
                "This node keeps the volumes in different folders, and can't replace them together.",
                "Move the instance to another node: flux app move.",
            )
        shop = folders.pop() / WORKSHOP / uuid.uuid4().hex
        unpacked = Unpacked(self._volumes, disks, shop)
        try:
            for name, disk in disks.items():
                await self._volumes.on_disk(disk.prepare, shop / name)
            await _feed(await _start("unpack", shop, *disks, stdin=PIPE), tar)
            for name, disk in disks.items():
                await self._volumes.on_disk(disk.seal, shop / name)
            yield unpacked
        finally:
            await unpacked.drop()


class Unpacked:
    """Meets `runtime.port.UnpackedVolumes`."""

    def __init__(self, volumes: Volumes, disks: Mapping[str, Disk], shop: Path) -> None:
        self._volumes = volumes
        self._disks = disks
        self._shop = shop

    async def swap(self) -> None:
        await self._volumes.on_disk(swap, list(self._disks.values()))

    async def drop(self) -> None:
        """Let go of what was not swapped."""
        await self._volumes.on_disk(self._drop)

    def _drop(self) -> None:
        for name, disk in self._disks.items():
            unmount(self._shop / name)
            if not is_unfinished(disk):
                disk.drop()
        unmount(self._shop)


async def _start(verb: str, folder: Path, *names: str, stdin: int) -> Process:
    program = (sys.executable, "-I", archive.__file__, verb, str(folder), *names)
    stdout = PIPE if verb == "pack" else DEVNULL
    return await asyncio.create_subprocess_exec(*program, stdin=stdin, stdout=stdout, stderr=PIPE, limit=_PIECE)


async def _feed(process: Process, tar: AsyncIterator[bytes]) -> None:
    """Give it all of the tar, and raise what it says of it."""
    try:
        assert process.stdin is not None
        async for data in tar:
            process.stdin.write(data)
            try:
                await process.stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                break  # it ended: its words say why
        process.stdin.close()
        if (failure := await _outcome(process)) is not None:
            raise failure
    finally:
        await _end(process)


async def _outcome(process: Process) -> RuntimeFailure | None:
    assert process.stderr is not None
    words = (await process.stderr.read(1000)).decode(errors="replace")
    match await process.wait():
        case 0:
            return None
        case archive.REFUSED:
            return BadArchive(f"The archive is not taken: {words}.", "Nothing was changed.")
        case archive.NO_SPACE:
            return BadArchive("The archive holds more than the volume does.", "Give the volume more room.")
        case status:
            return EngineFailed(f"A volume could not be packed or unpacked (status {status}): {words}")


async def _end(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    # Its end is only seen at the end of its output, of which much may be unread.
    await process.communicate()

"""Contents of an in-memory engine's volumes as tar streams: regular files only."""

import io
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from flux.runtime.errors import BadArchive, InUse, VolumesNotReadable
from flux.runtime.memory.engine import MemoryEngine
from flux.runtime.types import MIB

_PIECE = 64 * 1024


async def read(engine: MemoryEngine, volumes: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
    """See `runtime.port`."""
    _check(engine, volumes)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, volume in sorted(volumes.items()):
            top = tarfile.TarInfo(name)
            top.type, top.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(top)
            for path, content in sorted(engine.files.get(volume, {}).items()):
                info = tarfile.TarInfo(f"{name}/{path}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    data = buffer.getvalue()
    for start in range(0, len(data), _PIECE):
        engine.check_up()
        yield data[start : start + _PIECE]


@asynccontextmanager
async def write(
    engine: MemoryEngine, volumes: Mapping[str, str], tar: AsyncIterator[bytes]
) -> AsyncIterator["Unpacked"]:
    """See `runtime.port`."""
    _check(engine, volumes)
    data = b"".join([piece async for piece in tar])
    found: dict[str, dict[str, bytes]] = {name: {} for name in volumes}
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as archive:
            for member in archive:
                name, _, path = member.name.partition("/")
                parts = path.split("/")
                seen.add(name)
                if name not in found or ".." in parts or not (member.isreg() or member.isdir()):
                    raise BadArchive(f"The archive is not taken: {member.name[:100]!r}.", "Nothing was changed.")
                if member.isreg() and (file := archive.extractfile(member)) is not None:
                    found[name][path] = file.read()
    except tarfile.TarError as error:
        raise BadArchive(f"The archive is not taken: it is no tar ({error}).", "Nothing was changed.") from error
    if missing := set(volumes) - seen:
        raise BadArchive(f"The archive has nothing of {', '.join(sorted(missing))}.", "Nothing was changed.")
    for name, volume in volumes.items():
        if sum(len(content) for content in found[name].values()) > engine.volumes[volume].size_mib * MIB:
            raise BadArchive("The archive holds more than the volume does.", "Give the volume more room.")
    yield Unpacked(engine, {volume: found[name] for name, volume in volumes.items()})


class Unpacked:
    """Meets `runtime.port.UnpackedVolumes`."""

    def __init__(self, engine: MemoryEngine, files: Mapping[str, dict[str, bytes]]) -> None:
        self._engine = engine
        self._files = files

    async def swap(self) -> None:
        self._engine.check_up()
        running = [container for container in self._engine.containers.values() if container.is_running]
        if any(mount.volume in self._files for container in running for mount in container.spec.mounts):
            raise InUse("A container still uses it.")
        self._engine.files.update(self._files)


def _check(engine: MemoryEngine, volumes: Mapping[str, str]) -> None:
    engine.check_up()
    for volume in volumes.values():
        if volume not in engine.volumes:
            raise VolumesNotReadable(f"There is no volume {volume}.", "It is made when its container is.")

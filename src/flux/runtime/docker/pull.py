"""Fetching an image: the request, its progress, and what its failure means."""

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiodocker import DockerError

from flux.runtime.checks import check_image
from flux.runtime.docker.connection import STREAM_ERRORS, Connection, broken_stream
from flux.runtime.docker.failures import pull_failure
from flux.runtime.docker.streams import json_lines
from flux.runtime.errors import ImagePullFailed, OutOfDisk, RuntimeFailure
from flux.runtime.types import MIB, DiskSpace, ImageReference, PullProgress, RegistryLogin

_SILENCE_SECONDS = 300
"""Docker says nothing while it unpacks a layer, which may take minutes on a slow disk."""
_RESERVE_PART = 50
_LARGEST_RESERVE = 10 * 1024 * MIB
"""An image may not take the last fiftieth of the engine's disk, 10 GiB at most: others' containers write to it too, and
a small download can unpack to any size."""
_DONE = ("Pull complete", "Already exists")


async def pull_image(
    connection: Connection,
    image: ImageReference,
    login: RegistryLogin | None,
    on_progress: Callable[[PullProgress], None] | None,
    engine_root: Path,
) -> None:
    """Pull by digest; raises what the port names. Given up when little is left of the disk with the engine's folder.

    The engine ends a pull, and removes what it unpacked of a layer, when nobody listens any more.
    """
    repository, digest = check_image(image)
    headers = {"X-Registry-Auth": _login_header(repository, login)} if login is not None else {}
    parameters = {"fromImage": repository, "tag": digest}
    layers: dict[str, _Layer] = {}
    found: RuntimeFailure
    try:
        async with connection.stream("POST", "images/create", parameters, headers) as response:
            async for message in _until_silent(json_lines(response.content)):
                if "error" in message:
                    raise DockerError(500, str(message["error"]))
                check_room(engine_root)
                if _follow(layers, message) and on_progress is not None:
                    on_progress(_progress(layers))
            return
    except DockerError as error:
        found = pull_failure(image, error.status, error.message)
    except TimeoutError:
        found = ImagePullFailed(f"{image}: nothing arrived for {_SILENCE_SECONDS} s.")
    except STREAM_ERRORS as error:
        found = broken_stream(error)
    raise found


def check_room(folder: Path) -> None:
    """Raise OutOfDisk where less than the reserve is left; an engine whose folder is not here looks after itself."""
    disk = find_disk(folder)
    if disk is not None and disk.free < min(disk.total // _RESERVE_PART, _LARGEST_RESERVE):
        raise OutOfDisk("The image leaves too little room on Docker's disk.", "Free space there (docker system df).")


def find_disk(folder: Path) -> DiskSpace | None:
    """Of the file system that a folder is on; None where there is no such folder on this machine."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return DiskSpace(usage.free, usage.total)


class _Layer:
    """Progress of one layer."""

    __slots__ = ("arrived", "done", "size")

    def __init__(self) -> None:
        self.arrived = 0
        self.size = 0
        self.done = False


def _follow(layers: dict[str, _Layer], message: dict[str, Any]) -> bool:
    """Take in a line of progress; False when it is about no layer."""
    name, status = message.get("id"), message.get("status", "")
    if not name or status.startswith("Pulling from"):
        return False
    layer = layers.setdefault(name, _Layer())
    detail = message.get("progressDetail") or {}
    if status == "Downloading":
        layer.arrived, layer.size = detail.get("current", 0), max(layer.size, detail.get("total", 0))
    elif status in ("Download complete", *_DONE):
        layer.arrived = layer.size
    layer.done = layer.done or status in _DONE
    return True


def _progress(layers: dict[str, _Layer]) -> PullProgress:
    return PullProgress(
        layers_done=sum(layer.done for layer in layers.values()),
        layers=len(layers),
        bytes_done=sum(layer.arrived for layer in layers.values()),
        bytes_total=sum(layer.size for layer in layers.values()),
    )


async def _until_silent(messages: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    while True:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        yield message


def _login_header(repository: str, login: RegistryLogin) -> str:
    host = repository.partition("/")[0]
    content = {"username": login.username, "password": login.password, "serveraddress": host}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode("ascii")

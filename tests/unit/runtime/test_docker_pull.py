"""Fetching an image: it may not fill the disk that others' containers write to."""

import shutil
from collections import namedtuple
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from flux.runtime.docker.connection import Connection
from flux.runtime.docker.pull import pull_image
from flux.runtime.errors import OutOfDisk
from flux.runtime.types import MIB, ImageReference

IMAGE = ImageReference("registry.test/bomb@sha256:" + "a" * 64)
GIB = 1024 * MIB
Usage = namedtuple("Usage", "total used free")


class Registry:
    """An Engine that unpacks for as long as somebody listens, 1 GiB a line."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.lines = 0

    @asynccontextmanager
    async def stream(self, *_: object) -> AsyncIterator["Registry"]:
        yield self

    @property
    def content(self) -> AsyncIterator[bytes]:
        return self._lines()

    async def _lines(self) -> AsyncIterator[bytes]:
        for self.lines in range(1, 101):
            self.free -= GIB
            yield b'{"status": "Extracting", "id": "layer", "progressDetail": {"current": 1, "total": 2}}\n'

    def usage(self, _: object) -> Any:
        return Usage(1000 * GIB, 0, self.free)


async def test_an_image_that_unpacks_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Registry(free=50 * GIB)
    monkeypatch.setattr(shutil, "disk_usage", engine.usage)
    with pytest.raises(OutOfDisk, match="too little room"):
        await pull_image(cast(Connection, engine), IMAGE, None, None, tmp_path)
    assert 30 < engine.lines <= 41  # 10 GiB are kept


async def test_an_image_for_which_there_is_room_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Registry(free=500 * GIB)
    monkeypatch.setattr(shutil, "disk_usage", engine.usage)
    await pull_image(cast(Connection, engine), IMAGE, None, None, tmp_path)
    assert engine.lines == 100


async def test_the_disk_of_an_engine_elsewhere_is_its_own_business(tmp_path: Path) -> None:
    engine = Registry(free=0)
    await pull_image(cast(Connection, engine), IMAGE, None, None, tmp_path / "not here")
    assert engine.lines == 100

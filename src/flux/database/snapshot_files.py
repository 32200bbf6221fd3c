"""Finished snapshots in a folder: one folder each, named by height, with `metadata` and one file for each chunk.

A snapshot is written under another name and renamed when everything is on disk, so a folder with a height for a name is
whole. What a process left unfinished is removed when the folder is opened.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from flux.chain.store import StoreError
from flux.durable import sync

_NAME = re.compile(r"[0-9]{1,20}")
_UNFINISHED = ".unfinished"


class SnapshotFiles:
    """The newest `keep` snapshots of a chain. One process writes; reads are safe from any thread."""

    def __init__(self, folder: Path, keep: int) -> None:
        """Open the folder, creating it. Raises StoreError."""
        self._folder = folder
        self._keep = keep
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f"*{_UNFINISHED}"):
                shutil.rmtree(left)
        except OSError as error:
            raise StoreError(f"snapshots cannot be kept in {folder}: {error.strerror}") from error

    def heights(self) -> list[int]:
        """Of finished snapshots, the newest first."""
        names = (entry.name for entry in self._folder.iterdir() if _NAME.fullmatch(entry.name))
        return sorted(map(int, names), reverse=True)

    def metadata(self, height: int) -> bytes | None:
        """The metadata of a snapshot; None when it is not (any longer) there."""
        return _read(self._folder / str(height) / "metadata")

    def chunk(self, height: int, index: int) -> bytes | None:
        """A chunk of a snapshot; None when it is not there."""
        return _read(self._folder / str(height) / str(index))

    def begin(self, height: int) -> "SnapshotWriter":
        """Start to write a snapshot."""
        return SnapshotWriter(self._folder / f"{height}{_UNFINISHED}", self._folder / str(height))

    def drop_old(self) -> None:
        """Remove all but the newest."""
        for height in self.heights()[self._keep :]:
            shutil.rmtree(self._folder / str(height), ignore_errors=True)


class SnapshotWriter:
    """A snapshot in the making."""

    def __init__(self, folder: Path, finished: Path) -> None:
        self._folder = folder
        self._finished = finished
        folder.mkdir()

    def write_chunks(self, chunks: Iterable[bytes]) -> None:
        """Write the chunks in order. Raises OSError."""
        for index, chunk in enumerate(chunks):
            _write(self._folder / str(index), chunk)

    def finish(self, metadata: bytes) -> None:
        """Make it visible, everything being on disk. Raises OSError."""
        _write(self._folder / "metadata", metadata)
        sync(self._folder)
        self._folder.replace(self._finished)
        sync(self._finished.parent)

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())

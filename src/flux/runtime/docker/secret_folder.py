"""Secrets of containers as files in the host's memory, each mounted into its container.

As Docker's own (Swarm) secrets are: the engine knows where a file is and never what is in it, so that no inspection,
log or image has it. The folder is closed to all users but the agent's; a container sees only its own files of it.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from flux.runtime.errors import EngineFailed, OutOfDisk
from flux.runtime.types import SecretFile

_FOLDERS = (Path("/run/flux-secrets"), Path(f"/dev/shm/flux-secrets-{os.getuid()}"))
"""In memory on most systems; the first that really is, and that the agent may write to, is used."""


def is_in_memory(path: Path) -> bool:
    """Whether what is written to a path stays in memory (and swap)."""
    mounted = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    return next((mounted[place] in ("tmpfs", "ramfs") for place in (path, *path.parents) if place in mounted), False)


class SecretFolder:
    """One folder for all containers of this host, with a folder for each."""

    def __init__(self, folders: Sequence[Path] = _FOLDERS, in_memory: Callable[[Path], bool] = is_in_memory) -> None:
        self._folders = folders
        self._in_memory = in_memory
        self._chosen: Path | None = None

    def paths(self, name: str, secrets: Sequence[SecretFile]) -> list[str]:
        """Where the files of a container are on the host; names say nothing of what they hold."""
        return [str(self._folder() / name / str(number)) for number in range(len(secrets))] if secrets else []

    def place(self, name: str, secrets: Sequence[SecretFile]) -> None:
        """Write what is missing. What is there stays, since a running container has it mounted. Raises OutOfDisk."""
        if not secrets:
            return
        folder = self._folder() / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            for path, secret in zip(self.paths(name, secrets), secrets, strict=True):
                self._write(Path(path), secret)
        except OSError as error:
            raise OutOfDisk(f"Secrets cannot be placed in memory: {error.strerror}.", "Free memory in /run.") from error

    def clear(self, name: str) -> None:
        """Forget a container's files; what is not there is no error."""
        for folder in self._folders:
            shutil.rmtree(folder / name, ignore_errors=True)

    def _write(self, path: Path, secret: SecretFile) -> None:
        if path.is_file() and path.read_bytes() == secret.data:
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret.data)
            os.fchmod(file.fileno(), secret.mode)

    def _folder(self) -> Path:
        """The first folder that can be made and is this user's alone. Raises EngineFailed."""
        if self._chosen is not None:
            return self._chosen
        for folder in self._folders:
            if not self._in_memory(folder.parent):
                continue
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
                found = folder.lstat()
            except OSError:
                continue
            if (
                found.st_uid == os.getuid()
                and not found.st_mode & 0o077
                and folder.is_dir()
                and not folder.is_symlink()
            ):
                self._chosen = folder
                return folder
        raise EngineFailed(
            "There is no place in memory for secrets.",
            f"Mount a tmpfs at {self._folders[0].parent}, where the agent's user may make a folder.",
        )

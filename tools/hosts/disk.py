"""A disk of a host: a file with a filesystem of its own, so that it can be full while the machine's is not."""

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ToolError
from tools.programs import search_path

_FILLING = "filling"


@dataclass(frozen=True, slots=True)
class Disk:
    """A sparse file and where it is mounted."""

    file: Path
    mounted: Path
    size_mib: int = 2048

    def attach(self) -> None:
        """Make the filesystem and mount it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.mounted.mkdir(parents=True, exist_ok=True)
        with self.file.open("wb") as file:
            file.truncate(self.size_mib << 20)
        _run("mkfs.ext4", "-q", "-m", "0", str(self.file))
        _run("mount", "-o", "loop,noatime", str(self.file), str(self.mounted))

    def fill(self) -> None:
        """Leave no byte, as a log or a neighbour that grew."""
        filling = self.mounted / _FILLING
        descriptor = os.open(filling, os.O_WRONLY | os.O_CREAT)
        try:
            for block in (1 << 20, 4096):
                with suppress(OSError):
                    while True:
                        free = os.fstatvfs(descriptor)
                        size = max(block, free.f_bavail * free.f_frsize // block * block)
                        os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, size)
        finally:
            os.close(descriptor)

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.mounted / _FILLING).unlink(missing_ok=True)

    def detach(self) -> None:
        """Unmount it, also when something still holds it, and delete the file."""
        if os.path.ismount(self.mounted):
            _run("umount", "--lazy", str(self.mounted))
        self.file.unlink(missing_ok=True)


def _run(*command: str) -> None:
    environment = {**os.environ, "PATH": search_path()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise ToolError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")

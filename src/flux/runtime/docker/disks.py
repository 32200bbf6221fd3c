"""A volume's own file system: a sparse file with ext4 in it, mounted through a loop device. Its size is a limit.

One folder per volume: `disk.img`, its mount point `mnt`, `labels.json` (what Docker is told again when it forgot the
volume) and, while it is being removed, `deleting`. Whatever step the power fails at, the same call again mends it: an
image gets its name when its file system is whole, and containers see `mnt/data`, which does not exist unless the image
is mounted, so that nothing is ever written to the host's disk by mistake.
"""

import json
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flux.durable import sync, write_whole
from flux.runtime.docker.failures import unavailable
from flux.runtime.errors import EngineFailed, OutOfDisk
from flux.runtime.types import MIB

PROGRAMS = ("mkfs.ext4", "e2fsck", "resize2fs", "mount", "umount", "losetup")
WORKSHOP = ".unpacking"
"""Folder beside the disks where new contents of volumes are mounted while they come in."""
_OPTIONS = "loop,discard,nodev,nosuid"
"""Freed blocks go back to the host (discard); what a tenant restores can't bring in devices or set-user-id programs."""
_PATIENCE_SECONDS = 300
_CLOSING_SECONDS = 10.0
_POLL_SECONDS = 0.02
_CORRECTED = 1
"""e2fsck's status when it mended something."""
_SMALLEST_REST = 8 * MIB
"""ext4 leaves a rest unused that is too small for a group of blocks; it is smaller than this. Full disks have less."""
_SYSTEM_FOLDERS = ":/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of one volume. Every method blocks; raises EngineFailed and OutOfDisk."""

    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "disk.img"

    @property
    def mount_point(self) -> Path:
        return self.folder / "mnt"

    @property
    def data(self) -> Path:
        """What containers see; absent unless the disk is attached."""
        return self.mount_point / "data"

    @property
    def size_mib(self) -> int:
        """0 when the file can't be seen."""
        try:
            return self.image.stat().st_size // MIB
        except OSError:
            return 0

    @property
    def is_attached(self) -> bool:
        return os.path.ismount(self.mount_point)

    @property
    def is_doomed(self) -> bool:
        """Whether its removal began."""
        return (self.folder / "deleting").exists()

    def labels(self) -> dict[str, str]:
        """The labels it was made with; empty when they are not known."""
        try:
            return dict(json.loads((self.folder / "labels.json").read_bytes()))
        except (OSError, ValueError):
            return {}

    def make(self, labels: Mapping[str, str], size_mib: int) -> None:
        """The disk, attached; contents and size that are there are kept."""
        if not self.image.exists():
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            write_whole(self.folder / "labels.json", json.dumps(dict(labels)).encode())
            self.format(self.image, size_mib)
        self.attach()

    def format(self, image: Path, size_mib: int) -> None:
        """An empty file system in a file that appears at once, whole."""
        unfinished = image.with_name(image.name + ".new")
        unfinished.unlink(missing_ok=True)
        with unfinished.open("wb") as file:
            file.truncate(size_mib * MIB)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-e", "remount-ro", str(unfinished))
        sync(unfinished)
        unfinished.rename(image)
        sync(image.parent)

    def attach(self) -> None:
        """Mount it, where it is not mounted."""
        self.mount_point.mkdir(exist_ok=True)
        if not self.is_attached:
            _run("mount", "-o", _OPTIONS, str(self.image), str(self.mount_point))
        self.data.mkdir(mode=0o755, exist_ok=True)

    def detach(self) -> None:
        """Unmount it; its loop device goes with the last mount of it. Raises EngineFailed while something uses it."""
        if not self.is_attached:
            return
        # Docker binds the folder elsewhere for running containers, which keeps the file system alive without keeping
        # this mount busy.
        if self._mounts() > 1:
            raise EngineFailed("A volume's disk can't be unmounted while a container uses it.", "Stop the container.")
        _run("umount", str(self.mount_point))

    def _mounts(self) -> int:
        """How many places show this file system."""
        number = self.mount_point.stat().st_dev
        device = f"{os.major(number)}:{os.minor(number)}"
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(line.split()[2] == device for line in lines)

    def grow(self, size_mib: int) -> None:
        """Make the file system as large as that; a smaller size changes nothing.

        Growing a mounted file system needs a capability that root of some machines lacks; there it raises EngineFailed
        while a container uses the disk.
        """
        before = self.size_mib
        if size_mib > before:
            os.truncate(self.image, size_mib * MIB)
        elif not self._is_short():
            return
        self._tell_size()
        blocks = os.statvfs(self.mount_point).f_blocks
        try:
            _run("resize2fs", _run("findmnt", "-n", "-o", "SOURCE", "--mountpoint", str(self.mount_point)).strip())
        except EngineFailed:
            has_begun = os.statvfs(self.mount_point).f_blocks > blocks
            try:
                self.detach()
                self._wait_until_closed()
            except EngineFailed:
                if not has_begun:
                    os.truncate(self.image, before * MIB)
                with suppress(EngineFailed):
                    self._tell_size()  # the device may close meanwhile
                self.attach()
                raise
            _run("e2fsck", "-f", "-p", str(self.image), also=_CORRECTED)
            _run("resize2fs", str(self.image))
            self.attach()

    def _loops(self) -> list[str]:
        """The loop devices that show the file."""
        return _run("losetup", "-n", "-O", "NAME", "-j", str(self.image)).split()

    def _tell_size(self) -> None:
        """Have them follow the file's size."""
        for device in self._loops():
            _run("losetup", "-c", device)

    def _wait_until_closed(self) -> None:
        """Until no loop device shows the file. Raises EngineFailed.

        A container that begins or ends has mounts of its own, so that the file system outlives its mount here for a
        moment. It would write over what is changed in the file meanwhile, and be what the next mount shows.
        """
        deadline = time.monotonic() + _CLOSING_SECONDS
        while self._loops():
            if time.monotonic() > deadline:
                raise EngineFailed("A volume's disk is still in use after it was unmounted.", "Stop what uses it.")
            time.sleep(_POLL_SECONDS)

    def _is_short(self) -> bool:
        """Whether the file grew and the file system in it did not: the power failed in between."""
        with self.image.open("rb") as image:
            image.seek(1024 + 4)
            blocks = struct.unpack("<I", image.read(4))[0]
            image.seek(1024 + 24)
            block_bytes = 1024 << struct.unpack("<I", image.read(4))[0]
        return bool(self.image.stat().st_size - blocks * block_bytes >= _SMALLEST_REST)

    def prepare(self, place: Path) -> None:
        """An empty file system as large as this one, mounted at `place`, to be filled and put in its stead."""
        self.drop()
        self.format(self._prepared, self.size_mib)
        place.mkdir(parents=True)
        _run("mount", "-o", _OPTIONS, str(self._prepared), str(place))
        (place / "data").mkdir(mode=0o755)

    def seal(self, place: Path) -> None:
        """Have what was prepared on the host's disk, and mounted nowhere. Raises OutOfDisk, EngineFailed.

        Where the host's disk is full, writing to a file system in a sparse file fails when it is written back only.
        """
        try:
            _run("sync", "-f", str(place))
        except EngineFailed as error:
            if shutil.disk_usage(self.folder).free < _SMALLEST_REST:
                raise _full() from error
            raise
        unmount(place)
        sync(self._prepared)

    def adopt(self) -> None:
        """Put what was prepared, if it is there, in the place of what is here. Raises EngineFailed in use."""
        if self._prepared.exists():
            self.detach()
            os.replace(self._prepared, self.image)
            sync(self.folder)

    def drop(self) -> None:
        """Delete what was prepared and is mounted nowhere, if anything is left of it."""
        for name in ("restored.img", "restored.img.new"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def _prepared(self) -> Path:
        return self.folder / "restored.img"

    def holds_data(self) -> bool:
        """Whether there is a file system that is not being removed."""
        return self.image.exists() and not self.is_doomed

    def clear(self) -> bool:
        """Delete what an interrupted making or removal left; whether that was all there was."""
        if self.holds_data():
            return False
        self.delete()
        return True

    def doom(self) -> None:
        """Note that it is to be removed, so that an interrupted removal is not taken for a forgotten volume."""
        (self.folder / "deleting").touch()
        sync(self.folder)

    def spare(self) -> None:
        """It is wanted after all."""
        (self.folder / "deleting").unlink(missing_ok=True)

    def delete(self) -> None:
        """Unmount it and remove its files, and no others."""
        if not self.folder.exists():
            return
        self.detach()
        self.drop()
        for name in ("disk.img", "disk.img.new", "labels.json"):
            (self.folder / name).unlink(missing_ok=True)
        for unfinished in self.folder.glob(".labels.json.*.new"):
            unfinished.unlink()
        if self.mount_point.is_dir():
            self.mount_point.rmdir()
        (self.folder / "deleting").unlink(missing_ok=True)
        self.folder.rmdir()


def clear_workshop(folder: Path) -> None:
    """Unmount what was being unpacked when an earlier process ended."""
    for shop in (folder / WORKSHOP).glob("*"):
        for place in shop.iterdir():
            unmount(place)
        shop.rmdir()


def unmount(place: Path) -> None:
    """Unmount a place that only this process knows, and remove it."""
    if os.path.ismount(place):
        _run("umount", str(place))
    if place.is_dir():
        place.rmdir()


def find_obstacle(folder: Path, socket_path: str | None) -> str:
    """Why volumes can't have disks of their own here; empty when they can. Tries it with a small one.

    Raises RuntimeUnavailable while nobody listens on the socket.
    """
    if os.geteuid() != 0:
        return "the agent does not run as root"
    if missing := [name for name in PROGRAMS if _find(name) is None]:
        return f"{', '.join(missing)} not installed (Debian: apt-get install e2fsprogs mount)"
    if socket_path is None or not _shares_mounts(socket_path):
        return "the Docker Engine runs elsewhere, or does not see this process's mounts"
    trial = Disk(folder / ".trial")
    try:
        trial.make({}, 1)
        trial.delete()
    except (EngineFailed, OutOfDisk, OSError) as error:
        return str(error)
    return ""


def _shares_mounts(socket_path: str) -> bool:
    """Whether who listens on a Unix socket has the same mounts as this process."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(socket_path)
        except OSError as error:
            raise unavailable(str(error)) from error
        option = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", option)[0]
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:
        return False


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + _SYSTEM_FOLDERS)


def _run(program: str, *arguments: str, also: int = 0) -> str:
    """Standard output of a program that ended with 0 or `also`."""
    try:
        done = subprocess.run(
            [_find(program) or program, *arguments], capture_output=True, text=True, timeout=_PATIENCE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineFailed(f"{program} could not be run on a volume's disk: {error}") from error
    if done.returncode in (0, also):
        return done.stdout
    words = " ".join(done.stderr.split())[:300]
    if "No space left" in words:
        raise _full()
    raise EngineFailed(f"{program} failed on a volume's disk: {words}", "See dmesg for errors of the host's disk.")


def _full() -> OutOfDisk:
    return OutOfDisk("The disk that holds the volumes is full.", "Free space under the node's home.")

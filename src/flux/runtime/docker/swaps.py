"""New contents of several volumes take the place of the old ones together: all of them, or none.

A redo log. Each volume's new disk waits, whole, beside its old one (`Disk.prepare`). A journal that names the volumes
appears at once, and from then on the swap counts as made: whoever finds the journal, after a loss of power too, renames
what is left to rename before any of these disks is attached. Without a journal nothing was swapped. Every function
blocks; raises OSError and what `Disk` raises.
"""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from flux.durable import sync, write_whole
from flux.runtime.docker.disks import Disk
from flux.runtime.errors import EngineFailed, InUse

JOURNALS = ".swaps"
"""Folder beside the disks. A journal's lines are the names of the disks' folders."""


def swap(disks: Sequence[Disk]) -> None:
    """Replace each of these disks, of one folder, by what was prepared and sealed for it.

    Raises InUse where a container runs, and nothing changed. Where an OSError or EngineFailed is raised,
    `is_unfinished` says whether the swap counts as made all the same.
    """
    try:
        for disk in disks:
            disk.detach()
    except EngineFailed as error:
        for disk in disks:
            disk.attach()
        raise InUse(error.message, error.hint) from error
    journal = _commit(disks)
    try:
        _finish(journal)
        for disk in disks:
            disk.attach()
    except (EngineFailed, OSError) as error:
        words = "The new contents take their place, all together, before these volumes are used next"
        raise EngineFailed(f"{words}: {error}", "Free space under the node's home, or see dmesg.") from error


def attach(disk: Disk) -> None:
    """Attach a disk, with what a swap has put there: never the old contents of one beside the new of another."""
    settle(disk)
    disk.attach()


def settle(disk: Disk) -> None:
    """Finish the swap that this disk is part of, if there is one."""
    if (journal := _find_journal(disk)) is not None:
        _finish(journal)


def mend(disk: Disk) -> None:
    """After a restart: finish the swap that this disk is part of, or let go of what was prepared for none."""
    settle(disk)
    disk.drop()


def is_unfinished(disk: Disk) -> bool:
    """Whether this disk is part of a swap that counts as made, and what was prepared for it is still needed."""
    return _find_journal(disk) is not None


def _commit(disks: Sequence[Disk]) -> Path:
    folder = disks[0].folder.parent / JOURNALS
    if not folder.exists():
        folder.mkdir(mode=0o700)
        sync(folder.parent)
    journal = folder / uuid.uuid4().hex
    try:
        write_whole(journal, "\n".join(disk.folder.name for disk in disks).encode())
    except OSError:
        # It may be there and not be durable: the caller is told that nothing changed, so that must stay true.
        journal.unlink(missing_ok=True)
        sync(folder)
        for disk in disks:
            disk.attach()
        raise
    return journal


def _finish(journal: Path) -> None:
    disks = [Disk(journal.parent.parent / name) for name in _names(journal)]
    for disk in disks:
        disk.adopt()
    journal.unlink()
    sync(journal.parent)


def _find_journal(disk: Disk) -> Path | None:
    return next((path for path in _journals(disk.folder.parent) if disk.folder.name in _names(path)), None)


def _journals(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in (folder / JOURNALS).iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []


def _names(journal: Path) -> list[str]:
    return os.fsdecode(journal.read_bytes()).splitlines()

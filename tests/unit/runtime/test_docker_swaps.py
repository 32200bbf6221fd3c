"""Several volumes are swapped all or none, wherever the process that does it dies; without mounts, so without root."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from flux import durable
from flux.runtime.docker import disks, swaps
from flux.runtime.docker.disks import Disk
from flux.runtime.errors import EngineFailed, InUse

KILLED = 9
WATCHED = {disks.__file__, swaps.__file__, durable.__file__}
NAMES = ("data", "log")
OLD, NEW = {b"old"}, {b"new"}


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Disk]:
    """Disks with new contents beside the old, as far as can be seen without mounting them."""
    monkeypatch.setattr(Disk, "attach", lambda _: None)
    monkeypatch.setattr(Disk, "detach", lambda _: None)
    made = [Disk(tmp_path / name) for name in NAMES]
    for disk in made:
        disk.folder.mkdir()
        renew(disk)
    return made


def renew(disk: Disk) -> None:
    disk.image.write_bytes(b"old")
    (disk.folder / "restored.img").write_bytes(b"new")


def contents(made: list[Disk]) -> set[bytes]:
    return {disk.image.read_bytes() for disk in made}


def killed_at(line: int, work: Callable[..., object], *arguments: object) -> bool:
    """Run it in a process that dies before the so-manyth line of the code that swaps; whether there were as many."""
    child = os.fork()
    if child == 0:
        left = line

        def count(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in WATCHED:
                return None
            left -= event == "line"
            if not left:
                os._exit(KILLED)
            return count

        sys.settrace(count)
        try:
            work(*arguments)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def journals(made: list[Disk]) -> list[Path]:
    folder = made[0].folder.parent / swaps.JOURNALS
    return [path for path in folder.glob("*") if not path.name.startswith(".")] if folder.exists() else []


def test_a_disk_is_deleted_with_what_a_loss_of_power_left_of_its_labels(prepared: list[Disk]) -> None:
    for disk in prepared:
        (disk.folder / ".labels.json.abc.new").touch()
        disk.delete()
        assert not disk.folder.exists()


def test_all_are_swapped_and_nothing_is_left_over(prepared: list[Disk]) -> None:
    swaps.swap(prepared)
    assert contents(prepared) == NEW
    assert journals(prepared) == []
    assert not any((disk.folder / "restored.img").exists() for disk in prepared)


def test_wherever_it_is_killed_the_next_use_of_one_finds_all_old_or_all_new(prepared: list[Disk]) -> None:
    line, seen = 1, set()
    while killed_at(line, swaps.swap, prepared):
        is_made = swaps.is_unfinished(prepared[0])
        mixed = len(contents(prepared)) > 1
        assert is_made or not mixed, f"line {line}: without a journal nothing may have begun"
        swaps.attach(prepared[-1])
        assert contents(prepared) in (OLD, NEW), f"line {line}"
        assert journals(prepared) == []
        seen.add((is_made, mixed))
        for disk in prepared:
            swaps.mend(disk)
            renew(disk)
        line += 1
    assert seen >= {(False, False), (True, False), (True, True)}, "it died before, after and in the middle"


def test_the_finishing_may_be_killed_as_well(prepared: list[Disk]) -> None:
    line = 1
    while True:
        swaps._commit(prepared)
        was_killed = killed_at(line, swaps.attach, prepared[0])
        swaps.mend(prepared[1])
        assert contents(prepared) == NEW
        assert journals(prepared) == []
        if not was_killed:
            return
        for disk in prepared:
            renew(disk)
        line += 1


def test_what_was_prepared_for_no_swap_is_let_go_after_a_restart(prepared: list[Disk]) -> None:
    for disk in prepared:
        swaps.mend(disk)
    assert contents(prepared) == OLD
    assert not any((disk.folder / "restored.img").exists() for disk in prepared)


def test_one_that_is_in_use_keeps_all_as_they_were(prepared: list[Disk], monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[str] = []

    def detach(disk: Disk) -> None:
        if disk == prepared[1]:
            raise EngineFailed("A container uses it.", "Stop the container.")

    monkeypatch.setattr(Disk, "detach", detach)
    monkeypatch.setattr(Disk, "attach", lambda disk: attached.append(disk.folder.name))
    with pytest.raises(InUse, match="A container uses it"):
        swaps.swap(prepared)
    assert contents(prepared) == OLD
    assert journals(prepared) == []
    assert attached == list(NAMES), "those that were unmounted by then are back"


def test_a_journal_that_cannot_be_written_swaps_nothing(prepared: list[Disk], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data)  # the name is there when the sync fails
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(swaps, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        swaps.swap(prepared)
    assert journals(prepared) == []
    assert contents(prepared) == OLD


def test_a_rename_that_fails_leaves_the_rest_for_the_next_use(
    prepared: list[Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def failing(source: Path, target: Path) -> None:
        if Path(target) == prepared[1].image:
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(EngineFailed, match="all together, before these volumes are used next"):
        swaps.swap(prepared)
    with pytest.raises(OSError, match="Input/output"):
        swaps.attach(prepared[0])
    monkeypatch.setattr(os, "replace", real)
    swaps.attach(prepared[0])
    assert contents(prepared) == NEW


def test_a_volume_that_was_deleted_meanwhile_holds_the_others_up_in_nothing(prepared: list[Disk]) -> None:
    swaps._commit(prepared)
    prepared[0].delete()
    swaps.attach(prepared[1])
    assert contents(prepared[1:]) == NEW
    assert not prepared[0].folder.exists()

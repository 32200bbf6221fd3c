"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from flux.durable import PRIVATE, write_whole


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_takes_the_place_of_another_with_the_mode_that_was_asked_for(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    write_whole(path, b"new", mode=PRIVATE, durable=durable)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    write_whole(path, b"newer", durable=durable)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"newer", 0o644)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    monkeypatch.setattr(Path, "replace", fail if step == "replace" else Path.replace)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "key", []
    real = os.fsync

    def note(descriptor: int) -> None:
        seen.append((path.exists(), os.path.isdir(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_whole(path, b"new")
    assert seen == [(False, False), (True, True)]

"""What a backup does with files that go while it reads."""

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from flux.runtime import archive


def test_a_file_whose_first_name_goes_meanwhile_is_packed_under_its_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = names = [tmp_path / name for name in ("first", "second", "third")]
    first.write_bytes(b"contents")
    for other in others:
        os.link(first, other)
    real = os.open

    def open_(path: str, *arguments: Any) -> int:
        first.unlink(missing_ok=True)
        return real(path, *arguments)

    monkeypatch.setattr(archive, "_walk", lambda _: [str(name) for name in names])
    monkeypatch.setattr(archive.os, "open", open_)
    out = io.BytesIO()
    archive.pack("v", out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue() + bytes(1024))) as packed:
        second, third = packed
        assert (second.isreg(), third.linkname) == (True, second.name)
        file = packed.extractfile(second)
        assert file is not None
        assert file.read() == b"contents"

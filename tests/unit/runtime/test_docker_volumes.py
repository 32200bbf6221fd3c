"""What the volumes of a Docker Engine do with disks that it does not know, without an Engine."""

from pathlib import Path
from typing import Any

import pytest

from flux.runtime.docker.disks import Disk
from flux.runtime.docker.volumes import Volumes

LABELS = {"flux.node": "3"}


class HandVolume:
    """One volume of it."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request

    async def show(self) -> dict[str, Any]:
        return {"Name": self._request["Name"], "Labels": self._request["Labels"], "Options": {}}


class HandDocker:
    """An Engine that knows no volume, and a connection to it."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.volumes = self

    async def docker(self) -> "HandDocker":
        return self

    async def socket_path(self) -> None:
        return None

    async def ask(self, answer: Any, _: Any = ()) -> Any:
        return await answer

    async def list(self, **_: Any) -> dict[str, Any]:
        return {"Volumes": []}

    async def create(self, request: dict[str, Any]) -> HandVolume:
        self.told.append(request)
        return HandVolume(request)


def unknown_disk(folder: Path, monkeypatch: pytest.MonkeyPatch, labels: str) -> Disk:
    """A disk with contents, as far as can be seen without mounting it."""
    monkeypatch.setattr(Disk, "attach", lambda _: None)
    disk = Disk(folder / "data")
    disk.folder.mkdir(parents=True)
    disk.image.write_bytes(b"contents")
    (disk.folder / "labels.json").write_text(labels)
    return disk


async def test_a_disk_whose_labels_cannot_be_read_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, docker = unknown_disk(tmp_path, monkeypatch, "torn"), HandDocker()
    monkeypatch.setattr("flux.runtime.docker.volumes.find_obstacle", lambda *_: "")
    assert await Volumes(docker, tmp_path).find_all(LABELS) == []  # type: ignore[arg-type]
    assert disk.image.read_bytes() == b"contents"


async def test_an_instance_gets_its_disk_also_where_no_new_one_could_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, docker = unknown_disk(tmp_path, monkeypatch, '{"flux.node": "3"}'), HandDocker()
    monkeypatch.setattr(Disk, "grow", lambda *_: None)
    volumes = Volumes(docker, tmp_path)  # type: ignore[arg-type]
    assert await volumes.obstacle()
    await volumes.ensure("data", LABELS, 16)
    assert [request["DriverOpts"].get("device") for request in docker.told] == [str(disk.data)]

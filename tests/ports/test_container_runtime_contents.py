"""What every adapter of the runtime port promises about volumes' contents, and what a real one does with bad tars."""

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from flux.runtime.docker import DockerRuntime
from flux.runtime.docker.disks import WORKSHOP, Disk
from flux.runtime.errors import BadArchive, InUse, VolumesNotReadable
from flux.runtime.types import MIB, ImageReference, VolumeMount
from support.runtime_lab import SERVE, Lab

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **changes: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in changes.items():
        setattr(info, field, value)
    return info, content


def tar(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


TOP = member("v", type=tarfile.DIRTYPE, mode=0o755)


async def pieces(data: bytes, size: int = 700) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def put(lab: Lab, data: bytes, volume: str = "data") -> None:
    async with lab.runtime.write_volumes({"v": lab.name(volume)}, pieces(data)) as unpacked:
        await unpacked.swap()


async def get(lab: Lab, volume: str = "data") -> dict[str, bytes]:
    async with aclosing(lab.runtime.read_volumes({"v": lab.name(volume)})) as stream:
        data = b"".join([piece async for piece in stream])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {item.name: archive.extractfile(item) for item in archive if item.isreg()}
        return {name: file.read() for name, file in found.items() if file is not None}


async def test_what_is_written_is_read_and_takes_the_place_of_all_that_was_there(lab: Lab) -> None:
    await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 16)
    await put(lab, tar(TOP, member("v/a", b"1"), member("v/sub/b", b"2" * 10_000)))
    assert await get(lab) == {"v/a": b"1", "v/sub/b": b"2" * 10_000}
    await put(lab, tar(TOP, member("v/c", b"3")))
    assert await get(lab) == {"v/c": b"3"}


async def test_a_slow_reader_that_leaves_before_the_end_waits_for_nothing(lab: Lab) -> None:
    await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 16)
    await put(lab, tar(TOP, member("v/a", os.urandom(8 * MIB))))
    async with asyncio.timeout(60), aclosing(lab.runtime.read_volumes({"v": lab.name("data")})) as stream:
        for _ in range(4):
            assert await anext(stream)
            await asyncio.sleep(0.1)  # slower than it is packed, so that much waits to be read
    assert (await get(lab)).keys() == {"v/a"}


async def test_several_volumes_go_in_one_tar(lab: Lab) -> None:
    for name in ("one", "two"):
        await lab.runtime.ensure_volume(lab.name(name), lab.labels, 16)
    both = {"x": lab.name("one"), "y": lab.name("two")}
    data = tar(member("x/a", b"1"), member("y/b", b"2"))
    async with lab.runtime.write_volumes(both, pieces(data)) as unpacked:
        await unpacked.swap()
    assert (await get(lab, "one"), await get(lab, "two")) == ({"v/a": b"1"}, {"v/b": b"2"})


X, Y = member("x/new", b"1"), member("y/new", b"2")


@pytest.mark.parametrize(
    "bad",
    [tar(X), tar(X, Y)[:1000], tar(X, member("y/large", bytes(17 * MIB))), tar(X, member("y/../x", b"2"))],
    ids=["missing", "cut off", "too large", "upwards"],
)
async def test_one_bad_volume_of_several_leaves_all_as_they_were(lab: Lab, bad: bytes) -> None:
    both = {"x": lab.name("one"), "y": lab.name("two")}
    for name in ("one", "two"):
        await lab.runtime.ensure_volume(lab.name(name), lab.labels, 16)
        await put(lab, tar(TOP, member("v/old", b"0")), name)
    with pytest.raises(BadArchive):
        async with lab.runtime.write_volumes(both, pieces(bad)) as unpacked:
            await unpacked.swap()
    assert await get(lab, "one") == await get(lab, "two") == {"v/old": b"0"}


async def test_one_volume_of_several_that_a_container_runs_with_keeps_all_as_they_were(lab: Lab) -> None:
    both = {"x": lab.name("one"), "y": lab.name("two")}
    for name in ("one", "two"):
        await lab.runtime.ensure_volume(lab.name(name), lab.labels, 16)
    container = await lab.run(SERVE, mounts=(VolumeMount(lab.name("two"), "/data"),))
    async with lab.runtime.write_volumes(both, pieces(tar(X, Y))) as unpacked:
        with pytest.raises(InUse):
            await unpacked.swap()
        assert await get(lab, "one") == await get(lab, "two") == {}
        await lab.runtime.stop(container)
        await unpacked.swap()
    assert (await get(lab, "one"), await get(lab, "two")) == ({"v/new": b"1"}, {"v/new": b"2"})


async def test_nothing_changes_before_the_swap_nor_by_a_stream_that_breaks(lab: Lab) -> None:
    await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 16)
    await put(lab, tar(TOP, member("v/old", b"1")))
    async with lab.runtime.write_volumes({"v": lab.name("data")}, pieces(tar(TOP, member("v/new", b"2")))):
        assert await get(lab) == {"v/old": b"1"}

    async def breaking() -> AsyncIterator[bytes]:
        yield tar(TOP, member("v/new", bytes(100_000)))[:50_000]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        async with lab.runtime.write_volumes({"v": lab.name("data")}, breaking()):
            pytest.fail("it was not all there")
    assert await get(lab) == {"v/old": b"1"}


async def test_a_volume_that_a_container_runs_with_is_not_swapped(lab: Lab) -> None:
    await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 16)
    await put(lab, tar(TOP, member("v/old", b"1")))
    container = await lab.run(SERVE, mounts=(VolumeMount(lab.name("data"), "/data"),))
    with pytest.raises(InUse):
        await put(lab, tar(TOP, member("v/new", b"2")))
    assert await get(lab) == {"v/old": b"1"}
    await lab.runtime.stop(container)
    await put(lab, tar(TOP, member("v/new", b"2")))
    await lab.runtime.start(container)
    assert await get(lab) == {"v/new": b"2"}


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        bytes(10_240),
        b"no tar " * 1000,
        tar(TOP, member("v/a", bytes(5000)))[:2000],
        tar(TOP, member("w/a", b"1")),
        tar(TOP, member("v/../../etc/cron.d/x", b"1")),
        tar(TOP, member("v/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
        tar(TOP, member("v/large", bytes(17 * MIB))),
    ],
    ids=["empty", "zeros", "words", "cut off", "another name", "upwards", "device", "too large"],
)
async def test_a_bad_tar_is_refused_and_the_old_contents_stay(lab: Lab, bad: bytes) -> None:
    await lab.runtime.ensure_volume(lab.name("data"), lab.labels, 16)
    await put(lab, tar(TOP, member("v/old", b"1")))
    with pytest.raises(BadArchive):
        await put(lab, bad)
    assert await get(lab) == {"v/old": b"1"}


async def test_a_volume_that_is_not_there_is_said_to_be_missing(lab: Lab) -> None:
    with pytest.raises(VolumesNotReadable):
        await get(lab)
    with pytest.raises(VolumesNotReadable):
        await put(lab, tar(TOP))


@pytest.fixture
async def disks(engine: str, busybox: str, tmp_path: Path) -> AsyncIterator[tuple[Lab, Disk]]:
    """A real engine with one volume, and the volume's disk."""
    runtime = DockerRuntime(engine, tmp_path / "volumes")
    made = Lab(runtime, ImageReference(busybox))
    await runtime.ensure_volume(made.name("data"), made.labels, 64)
    try:
        yield made, Disk(tmp_path / "volumes" / made.name("data"))
    finally:
        await made.clean()
        assert list((tmp_path / "volumes").glob(f"{WORKSHOP}/*")) == [], "nothing is left of what was unpacked"
        await runtime.close()


@pytest.mark.docker
async def test_owners_modes_times_links_fifos_names_and_holes_are_kept(disks: tuple[Lab, Disk]) -> None:
    lab, disk = disks
    data = disk.data
    (data / "sub").mkdir(mode=0o700)
    (data / "file").write_bytes(b"words")
    os.chown(data / "file", 70, 71)
    os.chmod(data / "file", 0o4750)
    os.utime(data / "file", (1_000_000, 1_000_000.5))
    os.link(data / "file", data / "sub" / "same")
    os.symlink("/etc/passwd", data / "sub" / "link")
    os.mkfifo(data / "fifo", 0o640)
    (data / os.fsdecode(b"\xff\xfe")).write_bytes(b"odd")
    (data / ("n" * 250)).write_bytes(b"long")
    with (data / "holes").open("wb") as file:
        file.seek(30 * MIB)
        file.write(b"end")
        file.truncate(40 * MIB)
    os.chown(data, 1000, 1000)
    stream = b"".join([piece async for piece in lab.runtime.read_volumes({"v": lab.name("data")})])
    assert len(stream) < MIB, "holes are not written out"
    await put(lab, stream)
    assert (data.stat().st_uid, data.stat().st_gid) == (1000, 1000)
    kept = (data / "file").stat()
    assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o7777, kept.st_mtime) == (70, 71, 0o4750, 1_000_000.5)
    assert (data / "sub" / "same").stat().st_ino == kept.st_ino
    assert os.readlink(data / "sub" / "link") == "/etc/passwd"
    assert (data / "fifo").is_fifo()
    assert (data / os.fsdecode(b"\xff\xfe")).read_bytes() == b"odd"
    assert (data / ("n" * 250)).read_bytes() == b"long"
    holes = (data / "holes").stat()
    assert (holes.st_size, holes.st_blocks * 512 < MIB) == (40 * MIB, True)
    with (data / "holes").open("rb") as file:
        file.seek(30 * MIB)
        assert file.read(3) == b"end"


def _link_then_through(outside: Path) -> bytes:
    link = member("v/way", type=tarfile.SYMTYPE, linkname=str(outside))
    return tar(TOP, link, member("v/way/planted", b"x"))


def _link_then_over(outside: Path) -> bytes:
    link = member("v/file", type=tarfile.SYMTYPE, linkname=str(outside / "planted"))
    return tar(TOP, link, member("v/file", b"x"))


def _hard_link_outside(outside: Path) -> bytes:
    return tar(TOP, member("v/mine", type=tarfile.LNKTYPE, linkname=str(outside / "secret")))


def _absolute(outside: Path) -> bytes:
    return tar(TOP, member(str(outside / "planted"), b"x"))


def _upwards(outside: Path) -> bytes:
    return tar(TOP, member(f"v/../../../..{outside}/planted", b"x"))


@pytest.mark.docker
@pytest.mark.parametrize("make", [_link_then_through, _link_then_over, _hard_link_outside, _absolute, _upwards])
async def test_no_tar_reaches_outside(disks: tuple[Lab, Disk], tmp_path: Path, make: Callable[[Path], bytes]) -> None:
    lab, disk = disks
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("host's")
    with suppress(BadArchive):
        await put(lab, make(outside))
    assert [item.name for item in outside.iterdir()] == ["secret"]
    assert (outside / "secret").stat().st_nlink == 1
    for path in disk.data.rglob("*"):
        assert path.is_symlink() or not path.is_file() or path.read_bytes() != b"host's"


@pytest.mark.docker
async def test_what_a_link_in_a_volume_points_to_is_not_read(disks: tuple[Lab, Disk], tmp_path: Path) -> None:
    lab, disk = disks
    (tmp_path / "secret").write_text("host's")
    os.symlink(tmp_path / "secret", disk.data / "file")
    os.symlink(tmp_path, disk.data / "folder")
    (disk.data / "etc").mkdir()
    (disk.data / "etc" / "passwd").write_text("own")
    assert await get(lab) == {"v/etc/passwd": b"own"}


def unpacking(folder: Path) -> dict[str, str]:
    """What the kernel says of the process that unpacks below a folder."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"unpack" in words and any(word.startswith(bytes(folder)) for word in words):
                lines = [line.split(":\t") for line in (entry / "status").read_text().splitlines()]
                facts = {line[0]: line[-1] for line in lines}
                return {**facts, "root": os.readlink(entry / "root")}
    raise AssertionError("nothing unpacks")


@pytest.mark.docker
async def test_a_process_that_unpacks_can_do_nothing_but_write_files(disks: tuple[Lab, Disk]) -> None:
    lab, disk = disks
    seen: dict[str, str] = {}

    async def watched() -> AsyncIterator[bytes]:
        # More than a pipe holds: it has begun to unpack when this is through.
        yield tar(TOP, member("v/a", bytes(MIB)))[:600_000]
        seen.update(unpacking(disk.folder.parent))
        raise ConnectionResetError("enough")

    with pytest.raises(ConnectionResetError):
        async with lab.runtime.write_volumes({"v": lab.name("data")}, watched()):
            pytest.fail("it was not all there")
    assert int(seen["CapEff"], 16) == int(seen["CapPrm"], 16) == 0b11011, "chown, dac_override, fowner, fsetid"
    assert seen["NoNewPrivs"] == "1"
    assert WORKSHOP in seen["root"]


@pytest.mark.docker
async def test_a_volume_without_a_disk_can_be_read_and_not_replaced(engine: str, busybox: str) -> None:
    runtime = DockerRuntime(engine)
    lab = Lab(runtime, ImageReference(busybox))
    await runtime.ensure_volume(lab.name("data"), lab.labels, 16)
    container = await lab.run(SERVE, mounts=(VolumeMount(lab.name("data"), "/data"),))
    await runtime.exec(container, ["sh", "-c", "echo kept > /data/file"])
    assert await get(lab) == {"v/file": b"kept\n"}
    with pytest.raises(VolumesNotReadable, match="plain folder"):
        await put(lab, tar(TOP))
    await lab.clean()
    await runtime.close()

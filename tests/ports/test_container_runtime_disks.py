"""Volumes with disks of their own on a real engine: a limit that holds, and what is mended after a loss of power."""

import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flux.runtime.docker import DockerRuntime
from flux.runtime.docker import disks as disks_module
from flux.runtime.docker.disks import WORKSHOP, Disk
from flux.runtime.docker.swaps import is_unfinished, swap
from flux.runtime.errors import EngineFailed, OutOfDisk, StartFailed
from flux.runtime.types import ContainerId, ContainerState, ImageReference, VolumeMount
from support.runtime_lab import FAIL, SERVE, Lab, eventually

pytestmark = pytest.mark.docker
FILL = "dd if=/dev/zero of=/data/full bs=4k count=16384"
"""64 MiB."""


@pytest.fixture
async def disks(engine: str, busybox: str, tmp_path: Path) -> AsyncIterator[Lab]:
    """An engine whose volumes get disks in tmp_path/volumes."""
    runtime = DockerRuntime(engine, tmp_path / "volumes")
    made = Lab(runtime, ImageReference(busybox))
    try:
        yield made
    finally:
        await made.clean()
        await runtime.close()


async def run_on(lab: Lab, volume: str, name: str) -> ContainerId:
    return await lab.run(SERVE, name, mounts=(VolumeMount(lab.name(volume), "/data"),))


async def shell(lab: Lab, container: ContainerId, text: str) -> tuple[int, str]:
    result = await lab.runtime.exec(container, ["sh", "-c", text])
    return result.exit_code, (result.stdout + result.stderr).decode()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def disk(lab: Lab, tmp_path: Path, volume: str = "data") -> Disk:
    return Disk(tmp_path / "volumes" / lab.name(volume))


async def test_a_full_volume_hurts_only_its_app(disks: Lab, tmp_path: Path) -> None:
    for volume in ("data", "neighbour"):
        await disks.runtime.ensure_volume(disks.name(volume), disks.labels, 24)
    full, neighbour = await run_on(disks, "data", "web"), await run_on(disks, "neighbour", "other")
    code, said = await shell(disks, full, FILL)
    assert code != 0
    assert "No space left on device" in said
    code, _ = await shell(disks, full, "echo more > /data/more")
    assert code != 0
    code, said = await shell(disks, neighbour, "dd if=/dev/zero of=/data/own bs=1M count=8 2>/dev/null && ls /data")
    assert (code, said) == (0, "own\n")
    assert (tmp_path / "volumes" / disks.name("data") / "disk.img").stat().st_blocks * 512 <= 24 * 1024**2


async def test_room_that_an_app_frees_goes_back_to_the_host(disks: Lab, tmp_path: Path) -> None:
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 48)
    container = await run_on(disks, "data", "web")
    await shell(disks, container, "dd if=/dev/zero of=/data/big bs=1M count=32 && sync")
    before = disk(disks, tmp_path).image.stat().st_blocks
    await shell(disks, container, "rm /data/big && sync")

    async def blocks() -> int:
        return disk(disks, tmp_path).image.stat().st_blocks

    await eventually(blocks, lambda now: now < before / 2)


async def test_a_volume_that_grew_keeps_what_is_on_it_and_has_the_room(disks: Lab) -> None:
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 16)
    container = await run_on(disks, "data", "web")
    assert (await shell(disks, container, "echo kept > /data/file"))[0] == 0
    assert (await shell(disks, container, FILL))[0] != 0
    await disks.runtime.remove(container, force=True)
    assert (await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 96)).size_mib == 96
    again = await run_on(disks, "data", "web")
    assert await shell(disks, again, f"{FILL} 2>/dev/null && cat /data/file") == (0, "kept\n")


@contextmanager
def shown_elsewhere() -> Iterator[Callable[[], None]]:
    """A copy of all mounts, as a container has for a moment that begins or ends; until what is yielded is called."""
    namespace = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; cat"]
    with subprocess.Popen(namespace, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        yield other.stdin.close


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Of 16 MiB, where no kernel grows what is mounted, as for root without all capabilities."""
    run = disks_module._run

    def run_but_grow_no_device(program: str, *arguments: str, also: int = 0) -> str:
        if program == "resize2fs" and arguments[0].startswith("/dev/"):
            raise EngineFailed("resize2fs failed on a volume's disk: Permission denied")
        return run(program, *arguments, also=also)

    monkeypatch.setattr(disks_module, "_run", run_but_grow_no_device)
    made = Disk(tmp_path / "data")
    made.make({}, 16)
    (made.data / "file").write_text("kept")
    try:
        yield made
    finally:
        made.delete()


def room_mib(disk: Disk) -> int:
    room = os.statvfs(disk.mount_point)
    return room.f_blocks * room.f_frsize // 1024**2


def test_a_volume_grows_once_nobody_elses_mounts_show_it_any_more(small: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = disks_module._run
    with shown_elsewhere() as end:

        def run_and_end_when_seen(program: str, *arguments: str, also: int = 0) -> str:
            said = run(program, *arguments, also=also)
            if program == "losetup" and said and not small.is_attached:
                end()
            return said

        monkeypatch.setattr(disks_module, "_run", run_and_end_when_seen)
        small.grow(96)
    assert (small.data / "file").read_text() == "kept"
    assert (small.size_mib, room_mib(small) > 80) == (96, True)


def test_a_volume_that_others_show_for_long_keeps_its_size_and_stays_mounted(
    small: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disks_module, "_CLOSING_SECONDS", 0.1)
    with shown_elsewhere():
        with pytest.raises(EngineFailed, match="still in use"):
            small.grow(96)
        assert (small.data / "file").read_text() == "kept"
        assert (small.size_mib, room_mib(small) < 16) == (16, True)
    small.grow(96)
    assert (small.size_mib, room_mib(small) > 80) == (96, True)


async def test_a_volume_in_use_grows_where_the_kernel_lets_it_and_is_never_taken_from_its_container(disks: Lab) -> None:
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 16)
    container = await run_on(disks, "data", "web")
    in_use = await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 64)
    assert in_use.size_mib in (16, 64)
    assert await shell(disks, container, "echo kept > /data/file && sync && cat /data/file") == (0, "kept\n")
    await disks.runtime.remove(container, force=True)
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 64)
    again = await run_on(disks, "data", "web")
    code, said = await shell(disks, again, "cat /data/file && dd if=/dev/zero of=/data/x bs=1M count=40 2>/dev/null")
    assert (code, said) == (0, "kept\n")


async def test_a_new_volume_begins_with_what_the_image_has_there(disks: Lab) -> None:
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 16)
    container = await disks.run(SERVE, mounts=(VolumeMount(disks.name("data"), "/bin"),))
    assert (await shell(disks, container, "test -e /bin/busybox && test ! -e /bin/lost+found"))[0] == 0


async def test_after_a_restart_of_the_machine_the_volume_is_mounted_before_its_container_starts(
    disks: Lab, tmp_path: Path
) -> None:
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 16)
    container = await run_on(disks, "data", "web")
    await shell(disks, container, "echo kept > /data/file")
    await disks.runtime.stop(container)
    disk(disks, tmp_path).detach()
    assert not disk(disks, tmp_path).is_attached
    await disks.runtime.start(container)
    assert await shell(disks, container, "cat /data/file") == (0, "kept\n")


async def test_a_container_never_writes_beside_a_disk_that_is_not_mounted(
    disks: Lab, engine: str, tmp_path: Path
) -> None:
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 16)
    container = await disks.create(disks.spec(FAIL, mounts=(VolumeMount(disks.name("data"), "/data"),)))
    disk(disks, tmp_path).detach()
    started = command("docker", "-H", engine, "start", container)
    assert started.returncode != 0
    assert (await disks.view(container)).state is ContainerState.CREATED
    disk(disks, tmp_path).image.rename(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="disk") as raised:
        await disks.runtime.start(container)
    assert not isinstance(raised.value, StartFailed), "the lease is not given back for it"
    (tmp_path / "elsewhere").rename(disk(disks, tmp_path).image)


def _file_without_file_system(folder: Disk) -> None:
    folder.folder.mkdir(parents=True)
    (folder.folder / "disk.img.new").write_bytes(bytes(1024**2))


def _only_labels(folder: Disk) -> None:
    folder.folder.mkdir(parents=True)
    (folder.folder / "labels.json").write_text("{}")


def _labels_half_written(folder: Disk) -> None:
    folder.folder.mkdir(parents=True)
    (folder.folder / ".labels.json.abc.new").touch()


def _not_mounted(folder: Disk) -> None:
    folder.make({"a": "b"}, 16)
    folder.detach()


def _mounted_without_volume(folder: Disk) -> None:
    folder.make({"a": "b"}, 16)


def _removal_begun(folder: Disk) -> None:
    folder.make({"a": "b"}, 16)
    (folder.data / "old").touch()
    folder.doom()


def _grown_file(folder: Disk) -> None:
    folder.make({"a": "b"}, 16)
    with folder.image.open("ab") as image:
        image.truncate(32 * 1024**2)


@pytest.mark.parametrize(
    "interrupted",
    [
        _file_without_file_system,
        _only_labels,
        _labels_half_written,
        _not_mounted,
        _mounted_without_volume,
        _removal_begun,
        _grown_file,
    ],
)
async def test_whatever_step_the_power_failed_at_the_next_look_mends_it(
    disks: Lab, tmp_path: Path, interrupted: Callable[[Disk], None]
) -> None:
    interrupted(disk(disks, tmp_path))
    made = await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 32)
    assert (made.limited, made.size_mib) == (True, 32)
    container = await run_on(disks, "data", "web")
    code, said = await shell(disks, container, "ls /data && dd if=/dev/zero of=/data/x bs=1M count=20 2>/dev/null")
    assert (code, said) == (0, ""), "the room is there, and nothing of a volume that was being removed"


async def test_a_disk_that_docker_forgot_is_found_again_and_one_being_removed_is_removed(
    disks: Lab, engine: str, tmp_path: Path
) -> None:
    for volume in ("data", "doomed"):
        await disks.runtime.ensure_volume(disks.name(volume), disks.labels, 16)
        assert command("docker", "-H", engine, "volume", "rm", disks.name(volume)).returncode == 0
    (disk(disks, tmp_path).data / "kept").touch()
    disk(disks, tmp_path, "doomed").doom()
    strange = tmp_path / "volumes" / "a-folder-of-somebody-else"
    strange.mkdir()
    (strange / "notes").touch()
    later = DockerRuntime(engine, tmp_path / "volumes")
    (found,) = await later.list_volumes(disks.labels)
    assert (found.name, found.labels, found.size_mib) == (disks.name("data"), disks.labels, 16)
    assert not disk(disks, tmp_path, "doomed").folder.exists()
    await later.close()
    container = await run_on(disks, "data", "web")
    assert await shell(disks, container, "ls /data") == (0, "kept\n")


def killed_while_swapping(made: list[Disk]) -> None:
    """New contents were prepared, and who was to swap them died after the first."""
    for item in made:
        place = item.folder.parent / WORKSHOP / "some" / item.folder.name
        item.prepare(place)
        (place / "data" / "new").touch()
        item.seal(place)
    child = os.fork()
    if child == 0:
        adopt = Disk.adopt

        def then_die(item: Disk) -> None:
            adopt(item)
            os._exit(9)

        Disk.adopt = then_die  # type: ignore[method-assign]
        swap(made)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert is_unfinished(made[1])


async def test_a_restore_of_two_volumes_that_was_killed_between_them_is_finished_before_a_container_starts(
    disks: Lab, engine: str, tmp_path: Path
) -> None:
    for volume in ("one", "two"):
        await disks.runtime.ensure_volume(disks.name(volume), disks.labels, 16)
    mounts = (VolumeMount(disks.name("one"), "/one"), VolumeMount(disks.name("two"), "/two"))
    container = await disks.run(SERVE, mounts=mounts)
    assert (await shell(disks, container, "touch /one/old /two/old"))[0] == 0
    await disks.runtime.stop(container)
    killed_while_swapping([disk(disks, tmp_path, volume) for volume in ("one", "two")])
    later = DockerRuntime(engine, tmp_path / "volumes")
    await later.start(container)
    assert await shell(disks, container, "ls /one /two") == (0, "/one:\nnew\n\n/two:\nnew\n")
    await later.close()


async def test_an_agent_that_starts_again_finishes_one_restore_and_lets_go_of_what_was_unpacked_for_another(
    disks: Lab, engine: str, tmp_path: Path
) -> None:
    for volume in ("one", "two", "other"):
        await disks.runtime.ensure_volume(disks.name(volume), disks.labels, 16)
    one, two, other = (disk(disks, tmp_path, volume) for volume in ("one", "two", "other"))
    killed_while_swapping([one, two])
    place = other.folder.parent / WORKSHOP / "another" / "other"
    other.prepare(place)
    (other.data / "old").touch()
    later = DockerRuntime(engine, tmp_path / "volumes")
    assert await later.volume_limits() == "", "which agents ask for before they list"
    await later.list_volumes(disks.labels)
    await later.close()
    assert not is_unfinished(two)
    assert not place.parent.exists()
    assert not (other.folder / "restored.img").exists()
    for item in (one, two, other):
        item.attach()
    assert [sorted(os.listdir(item.data)) for item in (one, two, other)] == [["new"], ["new"], ["old"]]


async def test_a_restore_that_the_hosts_disk_has_no_room_for_changes_nothing(
    engine: str, busybox: str, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    assert command("mount", "-t", "tmpfs", "-o", "size=24m", "none", str(small)).returncode == 0
    runtime = DockerRuntime(engine, small)
    lab = Lab(runtime, ImageReference(busybox))
    try:
        both = {"x": lab.name("one"), "y": lab.name("two")}
        for name in both.values():
            await runtime.ensure_volume(name, lab.labels, 16)
            (Disk(small / name).data / "old").touch()
        with pytest.raises(OutOfDisk):
            async with runtime.write_volumes(both, large_tar("x/a", "y/b")):
                pytest.fail("it is not all there")
        assert [os.listdir(Disk(small / name).data) for name in both.values()] == [["old"], ["old"]]
        assert not list(small.glob("*/restored.img"))
    finally:
        await lab.clean()
        await runtime.close()
        assert command("umount", str(small)).returncode == 0


async def large_tar(*names: str) -> AsyncIterator[bytes]:
    """12 MiB in each file."""
    for name in names:
        info = tarfile.TarInfo(name)
        info.size = 12 * 1024**2
        yield info.tobuf() + os.urandom(info.size)
    yield bytes(1024)


async def test_a_removed_volume_leaves_no_file_no_mount_and_no_loop_device(disks: Lab, tmp_path: Path) -> None:
    await disks.runtime.ensure_volume(disks.name("data"), disks.labels, 16)
    await disks.runtime.remove_volume(disks.name("data"))
    assert list((tmp_path / "volumes").iterdir()) == []
    assert str(tmp_path) not in command("losetup", "-a").stdout


async def test_volumes_are_released_where_nothing_runs_and_taken_again_at_the_next_start(
    disks: Lab, tmp_path: Path
) -> None:
    for volume in ("data", "used"):
        await disks.runtime.ensure_volume(disks.name(volume), disks.labels, 16)
    container = await run_on(disks, "data", "web")
    await run_on(disks, "used", "other")
    await shell(disks, container, "echo kept > /data/file")
    await disks.runtime.stop(container)
    await disks.runtime.release_volumes(disks.labels)
    assert not disk(disks, tmp_path).is_attached
    assert disk(disks, tmp_path, "used").is_attached
    await disks.runtime.start(container)
    assert await shell(disks, container, "cat /data/file") == (0, "kept\n")


async def test_without_a_folder_sizes_are_counted_and_the_view_says_so(engine: str) -> None:
    runtime = DockerRuntime(engine)
    lab = Lab(runtime, ImageReference(""))
    made = await runtime.ensure_volume(lab.name("data"), lab.labels, 16)
    assert (made.size_mib, made.limited) == (16, False)
    assert "folder" in await runtime.volume_limits()
    await lab.clean()
    await runtime.close()

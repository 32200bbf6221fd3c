"""What every adapter promises about secrets: readable in their container, gone with it, in no view of the engine."""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiodocker
import pytest

from flux.runtime.docker import DockerRuntime
from flux.runtime.docker.secret_folder import SecretFolder
from flux.runtime.errors import EngineFailed, ImageNotFound, RequestRefused
from flux.runtime.types import ContainerId, ImageReference, SecretFile
from support.runtime_lab import Lab


def in_memory(path: Path) -> bool:
    """As `stat` of coreutils says."""
    told = subprocess.run(["stat", "-f", "-c", "%T", path.parent], capture_output=True, text=True, check=True)
    return told.stdout.strip() == "tmpfs"


SECRETS = (SecretFile("/run/secrets/password", b"p4ss-planted"), SecretFile("/etc/app/key", bytes(range(256)), 0o400))


async def test_a_container_reads_its_secrets_and_they_go_with_it(lab: Lab) -> None:
    container = await lab.run(secrets=SECRETS)
    for secret in SECRETS:
        result = await lab.runtime.exec(container, ("cat", secret.path))
        assert (result.exit_code, result.stdout) == (0, secret.data)
    view = await lab.view(container)
    assert "p4ss-planted" not in repr((view, lab.spec(secrets=SECRETS), SECRETS))
    await lab.runtime.remove(container, force=True)
    again = await lab.create(lab.spec(secrets=(SecretFile(SECRETS[0].path, b"another"),)))
    await lab.runtime.start(again)
    assert (await lab.runtime.exec(again, ("cat", SECRETS[0].path))).stdout == b"another"


async def test_placing_secrets_again_is_harmless(lab: Lab) -> None:
    container = await lab.run(secrets=SECRETS)
    await lab.runtime.place_secrets(lab.name("web"), SECRETS)
    await lab.runtime.stop(container, 0)
    await lab.runtime.place_secrets(lab.name("web"), SECRETS)
    await lab.runtime.start(container)
    assert (await lab.runtime.exec(container, ("cat", SECRETS[0].path))).stdout == SECRETS[0].data


@pytest.mark.parametrize("path", ["", "relative", "/nul\0"])
async def test_a_secret_elsewhere_than_at_an_absolute_path_is_refused(lab: Lab, path: str) -> None:
    with pytest.raises(RequestRefused):
        await lab.create(lab.spec(secrets=(SecretFile(path, b""),)))


async def test_a_name_that_leads_out_of_the_folder_is_refused(lab: Lab) -> None:
    with pytest.raises(RequestRefused):
        await lab.runtime.place_secrets("../elsewhere", SECRETS)


@pytest.fixture
async def docker_lab(engine: str, busybox: str) -> AsyncIterator[Lab]:
    made = Lab(DockerRuntime(engine), ImageReference(busybox))
    yield made
    await made.clean()
    await made.runtime.close()


@pytest.mark.docker
async def test_docker_knows_where_a_secret_is_and_not_what(docker_lab: Lab, engine: str) -> None:
    container = await docker_lab.run(secrets=SECRETS)
    async with aiodocker.Docker(engine) as docker:
        inspected = await docker.containers.container(container).show()
    assert "p4ss-planted" not in json.dumps(inspected)
    (source,) = [Path(mount["Source"]) for mount in inspected["Mounts"] if mount["Destination"] == SECRETS[0].path]
    assert source.read_bytes() == SECRETS[0].data
    assert source.parent.parent.stat().st_mode & 0o077 == 0
    assert in_memory(source)
    written = await docker_lab.runtime.exec(ContainerId(container), ("sh", "-c", f"echo x > {SECRETS[0].path}"))
    assert written.exit_code != 0
    await docker_lab.runtime.remove(container, force=True)
    assert not source.parent.exists()


@pytest.mark.docker
async def test_no_secret_stays_of_a_container_that_could_not_be_made(docker_lab: Lab) -> None:
    spec = replace(docker_lab.spec(secrets=SECRETS), image=ImageReference(f"127.0.0.1:5000/none@sha256:{'c' * 64}"))
    with pytest.raises(ImageNotFound):
        await docker_lab.runtime.create(spec)
    places = [Path("/run/flux-secrets"), Path(f"/dev/shm/flux-secrets-{os.getuid()}")]
    assert not [place for place in places if (place / spec.name).exists()]


def test_secrets_go_to_the_first_folder_that_is_this_users_alone(tmp_path: Path) -> None:
    open_to_all, own = tmp_path / "open", tmp_path / "own"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    on_disk = tmp_path / "disk" / "folder"
    on_disk.parent.mkdir()
    folders = (on_disk, tmp_path / "missing" / "folder", open_to_all, own)
    folder = SecretFolder(folders, lambda path: path != on_disk.parent)
    folder.place("web", SECRETS)
    (first, second) = (Path(path) for path in folder.paths("web", SECRETS))
    assert first.parent == own / "web"
    assert (first.read_bytes(), second.stat().st_mode & 0o777) == (SECRETS[0].data, 0o400)
    before = first.stat().st_ino
    folder.place("web", SECRETS)
    assert first.stat().st_ino == before, "what a container has mounted stays the same file"
    folder.clear("web")
    assert not first.parent.exists()
    with pytest.raises(EngineFailed, match="no place in memory"):
        SecretFolder((open_to_all,), lambda _: True).place("web", SECRETS)

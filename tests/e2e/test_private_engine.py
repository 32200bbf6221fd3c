"""Private Docker Engines start, meet nobody else, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.dockerd import Daemon
from tools.engine import private_engine, shared_engine
from tools.images import push_images
from tools.paths import ROOT
from tools.programs import docker
from tools.recipes import find_recipe
from tools.registry import running_registry

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def busybox() -> Iterator[str]:
    """A reference by digest to an image in a registry that lives as long as this module's tests."""
    recipe = find_recipe("flux/busybox:1")
    assert recipe is not None
    with running_registry() as registry:
        digest = push_images(registry.host, [recipe])[recipe.name]
        yield f"{registry.host}/{recipe.repository}@{digest}"


def processes_of(daemon: Daemon) -> list[str]:
    """Command lines that name the Engine's sockets or files."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(daemon.runtime) in command:
            found.append(command)
    return found


def test_an_engine_pulls_by_digest_runs_and_leaves_nothing_behind(tmp_path: Path, busybox: str) -> None:
    with private_engine(tmp_path / "engine") as daemon:
        docker(daemon.host, "pull", "--quiet", busybox)
        assert docker(daemon.host, "run", "--rm", busybox, "echo", "hello") == "hello\n"
        docker(daemon.host, "run", "--detach", "--restart=always", busybox, "sleep", "1000")
        assert processes_of(daemon)
    assert processes_of(daemon) == []
    assert not daemon.runtime.exists()


def test_two_engines_do_not_see_each_other(tmp_path: Path, busybox: str) -> None:
    with private_engine(tmp_path / "first") as first, private_engine(tmp_path / "second") as second:
        docker(first.host, "pull", "--quiet", busybox)
        docker(first.host, "run", "--detach", busybox, "sleep", "1000")
        assert docker(second.host, "ps", "--all", "--quiet") == ""
        assert docker(second.host, "images", "--quiet") == ""


def test_an_engine_that_was_killed_starts_again_empty_but_with_its_images(tmp_path: Path, busybox: str) -> None:
    daemon = Daemon(tmp_path / "engine")
    try:
        daemon.start()
        docker(daemon.host, "pull", "--quiet", busybox)
        container = docker(daemon.host, "run", "--detach", "--volume=data:/data", busybox, "sleep", "1000").strip()
        state = json.loads(docker(daemon.host, "inspect", container))[0]["State"]
        os.kill(int((daemon.runtime / "docker.pid").read_text()), signal.SIGKILL)
        daemon.start()
        assert docker(daemon.host, "ps", "--all", "--quiet") == ""
        assert docker(daemon.host, "volume", "ls", "--quiet") == ""
        assert docker(daemon.host, "images", "--quiet") != ""
        assert not Path("/proc", str(state["Pid"]), "exe").exists()
    finally:
        daemon.stop()


def test_the_containers_of_a_killed_engine_end_when_it_is_stopped(tmp_path: Path, busybox: str) -> None:
    with private_engine(tmp_path / "engine") as daemon:
        docker(daemon.host, "pull", "--quiet", busybox)
        container = docker(daemon.host, "run", "--detach", busybox, "sleep", "1000").strip()
        state = json.loads(docker(daemon.host, "inspect", container))[0]["State"]
        os.kill(int((daemon.runtime / "docker.pid").read_text()), signal.SIGKILL)
    assert processes_of(daemon) == []
    assert not Path("/proc", str(state["Pid"]), "exe").exists()


def test_a_process_id_file_that_names_a_stranger_harms_nobody(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "engine")
    daemon.runtime.mkdir(parents=True)
    (daemon.runtime / "docker.pid").write_text(str(os.getpid()))
    daemon.start()
    daemon.stop()
    assert processes_of(daemon) == []


def test_a_shared_engine_runs_until_its_last_user_has_gone(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "engine")
    with shared_engine(daemon):
        with shared_engine(daemon):
            assert daemon.is_answering()
        assert daemon.is_answering()
    assert not daemon.is_answering()


def test_the_status_of_a_command_is_passed_on() -> None:
    command = [sys.executable, "-m", "tools.with_engine", "sh", "-c", 'test -n "$DOCKER_HOST" && exit 7']
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 7


def test_a_command_ends_with_the_process_that_runs_it() -> None:
    command = [sys.executable, "-m", "tools.with_engine", "sh", "-c", "echo $$; exec sleep 1000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert not Path("/proc", str(child)).exists()

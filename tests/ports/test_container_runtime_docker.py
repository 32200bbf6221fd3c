"""What only a real engine can show: hardening, isolation, names in a network, secrecy, pulls, an engine gone away."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
import pytest

from flux.runtime.docker import DockerRuntime
from flux.runtime.errors import (
    ContainerNotFound,
    ImagePullFailed,
    PortTaken,
    RuntimeFailure,
    RuntimeUnavailable,
    StartFailed,
)
from flux.runtime.memory import run_until_stopped
from flux.runtime.types import (
    ContainerId,
    ContainerState,
    HealthCommand,
    ImageReference,
    LogStream,
    PublishedPort,
    PullProgress,
    RegistryLogin,
    VolumeMount,
)
from support.cable import cable_to
from support.registry_gate import gate_before, push_fresh_image
from support.runtime_lab import PATIENCE_SECONDS, SERVE, Lab, Script, eventually

pytestmark = pytest.mark.docker

SECRET = "correct-horse-battery-staple"
WEB = Script(
    "mkdir -p /tmp/www; echo hello > /tmp/www/index.html; httpd -p 8000 -h /tmp/www; echo ready; sleep 600",
    run_until_stopped,
)
ADDRESS = "ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f4 | cut -d/ -f1"


@pytest.fixture
async def docker(engine: str, busybox: str) -> AsyncIterator[Lab]:
    made = Lab(DockerRuntime(engine), ImageReference(busybox))
    try:
        yield made
    finally:
        await made.clean()
        await made.runtime.close()


async def shell(lab: Lab, container: ContainerId, script: str) -> tuple[int, str]:
    done = await lab.runtime.exec(container, ["sh", "-c", script])
    return done.exit_code, done.stdout.decode().strip()


async def serve(lab: Lab, name: str = "web", **changes: object) -> ContainerId:
    container = await lab.run(WEB, name, **changes)
    await eventually(
        lambda: shell(lab, container, "wget -qO- http://127.0.0.1:8000/"), lambda answer: answer == (0, "hello")
    )
    return container


async def test_every_container_is_hardened(docker: Lab, engine: str) -> None:
    container = await docker.run(SERVE, pids_limit=77)
    async with aiodocker.Docker(url=engine) as raw:
        host = (await raw.containers.get(container))["HostConfig"]
    assert host["NanoCpus"] == 500_000_000
    assert host["Memory"] == host["MemorySwap"] == 32 * 1024 * 1024
    assert host["PidsLimit"] == 77
    assert host["CapDrop"] == ["ALL"]
    assert {"NET_RAW", "MKNOD", "SYS_ADMIN"}.isdisjoint(host["CapAdd"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert not host["Privileged"]


async def test_the_kernel_agrees_that_privileges_are_dropped(docker: Lab) -> None:
    _, status = await shell(docker, await docker.run(SERVE), "grep -E 'NoNewPrivs|CapBnd' /proc/1/status")
    assert re.search(r"NoNewPrivs:\s+1", status)
    bounding = int(re.search(r"CapBnd:\s+([0-9a-f]+)", status)[1], 16)  # type: ignore[index]
    chown, setgid, net_raw, sys_admin, mknod = 0, 6, 13, 21, 27
    assert [bool(bounding >> number & 1) for number in (chown, setgid, net_raw, sys_admin, mknod)] == [
        True,
        True,
        False,
        False,
        False,
    ]


async def test_a_program_that_takes_more_memory_than_its_limit_is_killed_and_it_shows(docker: Lab) -> None:
    container = await docker.run(Script("head -c 200m /dev/zero | tail", run_until_stopped))
    ended = await docker.until(container, lambda view: view.state is ContainerState.EXITED)
    assert ended.oom_killed
    assert ended.exit_code == 137


async def test_more_processes_than_the_limit_cannot_be_had(docker: Lab) -> None:
    container = await docker.run(SERVE, pids_limit=10)
    code, _ = await shell(docker, container, "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; exit 0")
    assert code != 0


async def test_components_reach_each_other_by_name(docker: Lab) -> None:
    await serve(docker, "web")
    other = await docker.run(SERVE, "other")
    assert await shell(docker, other, "wget -qO- http://web:8000/") == (0, "hello")


async def test_instances_do_not_reach_each_other(docker: Lab) -> None:
    web = await serve(docker, "web")
    _, address = await shell(docker, web, ADDRESS)
    neighbour = await docker.run(SERVE, "neighbour")
    stranger = await docker.run(SERVE, "stranger", network=docker.name("other-net"))
    assert (await shell(docker, neighbour, f"nc -w 2 {address} 8000 < /dev/null"))[0] == 0
    assert (await shell(docker, stranger, f"nc -w 2 {address} 8000 < /dev/null"))[0] != 0
    assert (await shell(docker, neighbour, "nslookup -type=a web"))[0] == 0
    assert (await shell(docker, stranger, "nslookup -type=a web"))[0] != 0


async def test_a_published_port_serves_the_host(docker: Lab) -> None:
    web = await serve(docker, ports=(PublishedPort(8000, host_ip="127.0.0.1"),))
    port = (await docker.view(web)).bindings[0].host
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        assert await answer.text() == "hello\n"


async def test_a_host_port_of_another_program_is_taken(docker: Lab) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        container = await docker.create(docker.spec(ports=(PublishedPort(80, host=port),)))
        with pytest.raises(PortTaken) as raised:
            await docker.runtime.start(container)
    assert raised.value.port == port


async def test_what_the_spec_says_of_the_program_holds(docker: Lab) -> None:
    container = await docker.run(
        SERVE,
        environment={"GREETING": "good day = and more", "EMPTY": ""},
        user="1000:1000",
        working_dir="/tmp",
        hostname="tower",
        read_only=True,
        tmpfs=("/scratch",),
        shm_mib=8,
        init=True,
    )
    _, said = await shell(docker, container, 'echo "$GREETING|${EMPTY-unset}|$(id -u):$(id -g)|$(pwd)|$(hostname)"')
    assert said == "good day = and more||1000:1000|/tmp|tower"
    assert (await shell(docker, container, "touch /tmp/x"))[0] != 0
    assert (await shell(docker, container, "touch /scratch/x"))[0] == 0
    assert (await shell(docker, container, "df -m /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2"))[1] == "8"
    assert "init" in (await shell(docker, container, "cat /proc/1/comm"))[1]


async def test_an_entry_point_of_ones_own_replaces_the_images(docker: Lab) -> None:
    spec = docker.spec(entrypoint=("sh", "-c"), command=("exit 9",))
    container = await docker.create(spec)
    await docker.runtime.start(container)
    ended = await docker.until(container, lambda view: view.state is ContainerState.EXITED)
    assert ended.exit_code == 9


async def test_a_volume_outlives_its_containers(docker: Lab) -> None:
    await docker.runtime.ensure_volume(docker.name("data"), docker.labels, 16)
    mounts = (VolumeMount(docker.name("data"), "/data"),)
    first = await docker.run(SERVE, mounts=mounts)
    await shell(docker, first, "echo kept > /data/file")
    await docker.runtime.remove(first, force=True)
    second = await docker.run(SERVE, mounts=(replace(mounts[0], read_only=True),))
    assert await shell(docker, second, "cat /data/file") == (0, "kept")
    assert (await shell(docker, second, "touch /data/other"))[0] != 0


async def test_long_lines_and_a_last_line_without_an_end_come_whole(docker: Lab) -> None:
    script = "head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'caf\\303\\251 \\377'; exit 0"
    container = await docker.run(Script(script, run_until_stopped))
    await docker.until(container, lambda view: view.state is ContainerState.EXITED)
    lines = [line async for line in docker.runtime.logs(container)]
    assert [line.text for line in lines] == ["x" * 40_000, "café �"]
    assert {line.stream for line in lines} == {LogStream.OUT}


async def test_output_of_a_command_beyond_the_limit_is_dropped(docker: Lab) -> None:
    container = await docker.run(SERVE)
    done = await docker.runtime.exec(container, ["sh", "-c", "head -c 3000000 /dev/zero"])
    assert done.truncated
    assert len(done.stdout) == 1024 * 1024


async def test_a_command_that_takes_too_long_is_ended(docker: Lab) -> None:
    container = await docker.run(SERVE)
    before = (await docker.runtime.stats(container)).pids
    with pytest.raises(TimeoutError):
        await docker.runtime.exec(container, ["sleep", "600"], timeout_seconds=0.2)
    assert (await docker.runtime.stats(container)).pids == before, "it is ended, and does not pile up"


@pytest.mark.parametrize(
    "changes",
    [
        {"entrypoint": (SECRET,)},
        {"entrypoint": (f"/{SECRET}/run",)},
        {"command": (SECRET, "--password", SECRET)},
        {"entrypoint": ("/tmp", SECRET)},
        {"user": "nobody-of-that-name", "environment": {"PASSWORD": SECRET}},
        {"working_dir": "/proc/1/x", "environment": {"PASSWORD": SECRET}},
    ],
    ids=["entrypoint", "path", "command", "directory", "user", "working_dir"],
)
async def test_a_failed_start_tells_why_without_the_private_half(
    docker: Lab, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    container = await docker.create(docker.spec(**changes))
    with pytest.raises(StartFailed) as raised:
        await docker.runtime.start(container)
    view = await docker.view(container)
    assert raised.value.message
    assert view.error
    assert view.state is ContainerState.CREATED
    cause = [raised.value.__cause__, raised.value.__context__]
    for text in (raised.value, raised.value.hint, repr(raised.value), *cause, view, caplog.text):
        assert SECRET not in str(text)


async def test_neither_spec_nor_view_shows_the_private_half(docker: Lab) -> None:
    spec = docker.spec(
        environment={"PASSWORD": SECRET},
        entrypoint=("sh", "-c", f"echo {SECRET} > /dev/null; echo ready; sleep 600"),
        command=(SECRET,),
        health=HealthCommand(("test", "-n", SECRET)),
    )
    container = await docker.create(spec)
    await docker.runtime.start(container)
    view = await docker.view(container)
    assert SECRET not in repr(spec)
    assert SECRET not in repr(view)
    assert {field.name for field in fields(view)}.isdisjoint({"environment", "command", "entrypoint"})


async def test_a_pull_shows_its_progress(docker: Lab, registry: str) -> None:
    digest = push_fresh_image(registry)
    seen: list[PullProgress] = []
    await docker.runtime.pull(ImageReference(f"{registry}/flux/fresh@{digest}"), on_progress=seen.append)
    assert (seen[-1].layers_done, seen[-1].layers) == (1, 1)
    assert seen[-1].bytes_done == seen[-1].bytes_total > 1_000_000


async def test_a_registry_with_a_login_hands_out_images_to_those_who_have_it(docker: Lab, registry: str) -> None:
    digest = push_fresh_image(registry)
    async with gate_before(registry, aiohttp.encode_basic_auth("tenant", SECRET)) as gate:
        gate.blobs_open.set()
        image = gate.image(digest)
        for login in (None, RegistryLogin("tenant", "wrong")):
            with pytest.raises(ImagePullFailed) as raised:
                await docker.runtime.pull(image, login)
            assert not raised.value.retry
        login = RegistryLogin("tenant", SECRET)
        assert SECRET not in repr(login)
        await docker.runtime.pull(image, login)
        assert await docker.runtime.has_image(image)


async def test_a_registry_that_does_not_answer_is_worth_another_try(docker: Lab) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(ImagePullFailed) as raised:
            await docker.runtime.pull(ImageReference(f"{host}/flux/busybox@sha256:{'1' * 64}"))
    assert raised.value.retry


async def test_a_cancelled_pull_ends_and_can_be_begun_again(docker: Lab, registry: str) -> None:
    digest = push_fresh_image(registry)
    async with gate_before(registry) as gate:
        pull = asyncio.create_task(docker.runtime.pull(gate.image(digest)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await gate.blob_asked.wait()
        pull.cancel()
        with suppress(asyncio.CancelledError):
            await pull
        assert not await docker.runtime.has_image(gate.image(digest))
        gate.blobs_open.set()
        await docker.runtime.pull(gate.image(digest))
        assert await docker.runtime.has_image(gate.image(digest))


async def test_more_logs_than_a_pool_of_connections_can_be_followed(docker: Lab) -> None:
    container = await docker.run(SERVE)
    followers = [docker.runtime.logs(container, follow=True) for _ in range(120)]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            lines = await asyncio.gather(*(anext(follower) for follower in followers))
            assert {line.text for line in lines} == {"ready"}
            assert (await docker.view(container)).state is ContainerState.RUNNING
    finally:
        await asyncio.gather(*(follower.aclose() for follower in followers))


async def test_an_engine_that_goes_away_is_unavailable_and_met_again_when_it_is_back(
    docker: Lab, engine: str, tmp_path: Path
) -> None:
    container = await docker.run(SERVE)
    async with cable_to(engine, tmp_path) as cable:
        runtime = DockerRuntime(cable.host)
        try:
            assert (await runtime.find_container(container)) is not None
            async with runtime.events(docker.labels) as events, aclosing(runtime.logs(container, follow=True)) as lines:
                assert (await anext(lines)).text == "ready"
                await cable.cut()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    with pytest.raises(RuntimeUnavailable):
                        await anext(events)
                    with pytest.raises(RuntimeUnavailable):
                        await anext(lines)
            for operation in (
                runtime.list_containers(docker.labels),
                runtime.find_container(container),
                runtime.start(container),
                runtime.stop(container),
                runtime.remove(container, force=True),
                runtime.pull(docker.image),
                runtime.has_image(docker.image),
                runtime.ping(),
                runtime.stats(container),
                runtime.exec(container, ["true"]),
            ):
                with pytest.raises(RuntimeUnavailable) as raised:
                    await operation
                assert raised.value.retry
                assert "DOCKER_HOST" in raised.value.hint
            await cable.join()
            view = await runtime.find_container(container)
            assert view is not None
            assert view.state is ContainerState.RUNNING
        finally:
            await runtime.close()


async def test_an_engine_that_was_never_there_is_unavailable(tmp_path: Path) -> None:
    runtime = DockerRuntime(f"unix://{tmp_path}/nothing.sock")
    with pytest.raises(RuntimeUnavailable) as raised:
        await runtime.ping()
    assert "systemctl start docker" in raised.value.hint
    await runtime.close()


@pytest.mark.parametrize("host", ["", "nonsense", "ftp://127.0.0.1", "tcp://127.0.0.1:1", "unix://"])
async def test_a_host_that_makes_no_sense_is_unavailable(host: str) -> None:
    runtime = DockerRuntime(host)
    with pytest.raises(RuntimeUnavailable):
        await runtime.ping()
    await runtime.close()


@pytest.mark.parametrize("container", ["../images/json", "a?b=c", "", "a/b", "a\nb"])
async def test_what_is_not_a_container_never_reaches_the_engine(docker: Lab, container: str) -> None:
    identity = ContainerId(container)
    for operation in (
        docker.runtime.find_container(identity),
        docker.runtime.remove(identity, force=True),
        docker.runtime.exec(identity, ["true"]),
        docker.runtime.stats(identity),
        anext(docker.runtime.logs(identity)),
    ):
        with pytest.raises(RuntimeFailure) as raised:
            await operation
        assert not isinstance(raised.value, ContainerNotFound)

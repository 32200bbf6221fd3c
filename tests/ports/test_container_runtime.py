"""What every adapter of the runtime port promises about containers."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from flux.runtime.errors import (
    ContainerNotFound,
    ContainerRunning,
    ImageNotFound,
    NameConflict,
    PortTaken,
    RequestRefused,
)
from flux.runtime.types import (
    ContainerHealth,
    ContainerId,
    ContainerState,
    ContainerView,
    HealthCommand,
    ImageReference,
    PublishedPort,
)
from support.runtime_lab import FAIL, IGNORE_STOP, SERVE, STAND, Lab

NOWHERE = ContainerId("flux-nowhere")


async def test_an_engine_says_what_it_is(lab: Lab) -> None:
    info = await lab.runtime.ping()
    assert info.version
    assert info.architecture in ("amd64", "arm64")
    assert info.cpus > 0
    assert info.memory_mib > 0


async def test_a_pulled_image_is_held_and_pulling_it_again_is_harmless(lab: Lab) -> None:
    for _ in range(2):
        await lab.runtime.pull(lab.image)
        assert await lab.runtime.has_image(lab.image)


async def test_an_image_that_the_registry_lacks_is_told_from_one_that_is_not_pulled(lab: Lab) -> None:
    absent = ImageReference(lab.image[:-64] + "0" * 64)
    assert not await lab.runtime.has_image(absent)
    with pytest.raises(ImageNotFound) as raised:
        await lab.runtime.pull(absent)
    assert not raised.value.retry
    with pytest.raises(ImageNotFound):
        await lab.create(lab.spec(image=absent))


@pytest.mark.parametrize(
    "image",
    [
        "",
        "nginx",
        "nginx:latest",
        "host/../../containers/x/json@sha256:" + "0" * 64,
        "a/b@sha256:xyz",
        "a/b?c@sha256:0",
    ],
)
async def test_an_image_without_a_digest_is_refused(lab: Lab, image: str) -> None:
    with pytest.raises(RequestRefused):
        await lab.runtime.has_image(ImageReference(image))
    with pytest.raises(RequestRefused):
        await lab.runtime.pull(ImageReference(image))


async def test_a_created_container_waits_to_be_started(lab: Lab) -> None:
    container = await lab.create(lab.spec())
    view = await lab.view(container)
    assert view.state is ContainerState.CREATED
    assert view.name == lab.name("web")
    assert view.image == lab.image
    assert view.labels.items() >= lab.labels.items()
    assert (view.exit_code, view.started_at, view.bindings) == (None, None, ())


async def test_a_started_container_runs_until_it_is_stopped(lab: Lab) -> None:
    container = await lab.run(SERVE)
    running = await lab.view(container)
    assert running.state is ContainerState.RUNNING
    assert running.started_at is not None
    assert running.exit_code is None
    await lab.runtime.stop(container)
    stopped = await lab.view(container)
    assert stopped.state is ContainerState.EXITED
    assert stopped.exit_code == 0
    assert stopped.finished_at is not None


async def test_a_program_that_ignores_the_request_is_killed_after_the_grace(lab: Lab) -> None:
    container = await lab.run(IGNORE_STOP)
    await lab.runtime.stop(container, grace_seconds=1)
    assert (await lab.view(container)).exit_code == 137


async def test_every_step_of_a_life_may_be_repeated(lab: Lab) -> None:
    spec = lab.spec()
    container = await lab.create(spec)
    assert await lab.create(spec) == container
    await lab.runtime.start(container)
    await lab.runtime.start(container)
    assert await lab.create(spec) == container
    await lab.runtime.stop(container)
    await lab.runtime.stop(container)
    await lab.runtime.remove(container)
    await lab.runtime.remove(container)
    await lab.runtime.stop(container)
    assert await lab.runtime.find_container(container) is None


async def test_a_container_can_be_started_again_after_its_end(lab: Lab) -> None:
    container = await lab.run(FAIL)
    ended = await lab.until(container, lambda view: view.state is ContainerState.EXITED)
    assert ended.exit_code == 3
    await lab.runtime.start(container)
    again = await lab.until(
        container, lambda view: view.state is ContainerState.EXITED and view.started_at != ended.started_at
    )
    assert again.exit_code == 3


async def test_an_existing_name_with_other_labels_is_a_conflict(lab: Lab) -> None:
    spec = lab.spec()
    await lab.create(spec)
    with pytest.raises(NameConflict):
        await lab.create(replace(spec, labels={**spec.labels, "flux.plan_hash": "other"}))


async def test_a_running_container_is_removed_only_with_force(lab: Lab) -> None:
    container = await lab.run()
    with pytest.raises(ContainerRunning):
        await lab.runtime.remove(container)
    await lab.runtime.remove(container, force=True)
    assert await lab.runtime.find_container(container) is None


async def test_removing_a_container_from_two_sides_is_fine(lab: Lab) -> None:
    container = await lab.run()
    await asyncio.gather(*(lab.runtime.remove(container, force=True) for _ in range(3)))
    assert await lab.runtime.find_container(container) is None


async def test_what_is_not_there_is_not_found(lab: Lab) -> None:
    assert await lab.runtime.find_container(NOWHERE) is None
    with pytest.raises(ContainerNotFound):
        await lab.runtime.start(NOWHERE)


async def test_containers_are_listed_by_all_labels_in_the_order_of_names(lab: Lab) -> None:
    for name in ("b", "a"):
        await lab.create(lab.spec(name=name))
    assert [view.name for view in await lab.runtime.list_containers(lab.labels)] == [lab.name("a"), lab.name("b")]
    selected = await lab.runtime.list_containers({**lab.labels, "flux.component": "b"})
    assert [view.name for view in selected] == [lab.name("b")]
    assert await lab.runtime.list_containers({**lab.labels, "flux.component": "c"}) == []


async def test_a_known_view_stands_until_state_health_or_bindings_change(lab: Lab) -> None:
    health = HealthCommand(("true",), 200, 1000, 3, 0)
    ports = (PublishedPort(8000, "tcp"),)
    container = await lab.run(STAND, health=health, ports=ports)
    await lab.until(container, lambda view: view.health is ContainerHealth.HEALTHY)
    await lab.run(STAND, "plain")

    async def listed(known: dict[ContainerId, ContainerView]) -> dict[ContainerId, ContainerView]:
        return {view.id: view for view in await lab.runtime.list_containers(lab.labels, known)}

    seen = await listed({})
    marked = {name: replace(view, created_at=1.0) for name, view in seen.items()}
    assert await listed(marked) == marked
    others = {name: replace(view, created_at=1.0) for name, view in seen.items() if name != container}
    assert await listed(others) == {**others, container: seen[container]}
    other_health = {**marked, container: replace(marked[container], health=ContainerHealth.STARTING)}
    assert await listed(other_health) == {**marked, container: seen[container]}
    other_bindings = {**marked, container: replace(marked[container], bindings=())}
    assert await listed(other_bindings) == {**marked, container: seen[container]}

    await lab.runtime.stop(container, 0)
    ended = await listed(marked)
    assert ended[container].state is ContainerState.EXITED
    assert ended[container].finished_at is not None
    marked_end = {name: replace(view, created_at=1.0) for name, view in ended.items()}
    assert await listed(marked_end) == marked_end
    await lab.runtime.start(container)
    assert (await listed(marked_end))[container].state is ContainerState.RUNNING
    await lab.runtime.remove(container, force=True)
    assert container not in await listed(marked_end)


async def test_a_published_port_gets_a_host_port(lab: Lab) -> None:
    container = await lab.run(ports=(PublishedPort(80, host_ip="127.0.0.1"), PublishedPort(53, "udp")))
    bindings = (await lab.view(container)).bindings
    assert [(binding.container, binding.protocol, binding.host_ip) for binding in bindings] == [
        (53, "udp", "0.0.0.0"),
        (80, "tcp", "127.0.0.1"),
    ]
    assert all(binding.host > 0 for binding in bindings)


async def test_a_host_port_can_be_had_once_and_is_free_again_after_a_stop(lab: Lab) -> None:
    first = await lab.run(name="first", ports=(PublishedPort(80),))
    port = (await lab.view(first)).bindings[0].host
    second = await lab.create(lab.spec(name="second", ports=(PublishedPort(80, host=port),)))
    with pytest.raises(PortTaken) as raised:
        await lab.runtime.start(second)
    assert raised.value.port == port
    await lab.runtime.stop(first)
    await lab.runtime.start(second)
    assert (await lab.view(second)).bindings[0].host == port


async def test_a_health_command_decides_whether_a_container_is_healthy(lab: Lab) -> None:
    check = HealthCommand(("test", "-e", "/tmp/well"), interval_ms=100, timeout_ms=5_000, retries=2)
    container = await lab.run(health=check)
    assert (await lab.view(container)).health in (ContainerHealth.STARTING, ContainerHealth.UNHEALTHY)
    await lab.until(container, lambda view: view.health is ContainerHealth.UNHEALTHY)
    await lab.runtime.exec(container, ["touch", "/tmp/well"])
    await lab.until(container, lambda view: view.health is ContainerHealth.HEALTHY)


async def test_a_container_without_a_health_command_has_no_health(lab: Lab) -> None:
    assert (await lab.view(await lab.run())).health is ContainerHealth.NONE


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu_milli": 0},
        {"memory_mib": 0},
        {"pids_limit": 0},
        {"name": "../etc"},
        {"alias": "a b"},
        {"tmpfs": ("relative",)},
        {"ports": (PublishedPort(0),)},
        {"ports": (PublishedPort(80, "sctp"),)},
        {"ports": (PublishedPort(80, host_ip="localhost"),)},
        {"environment": {"A=B": "c"}},
        {"environment": {"A": "b\0c"}},
        {"command": ("a\0b",)},
        {"health": HealthCommand(())},
    ],
    ids=str,
)
async def test_a_spec_that_no_engine_could_run_as_meant_is_refused(lab: Lab, changes: dict[str, Any]) -> None:
    with pytest.raises(RequestRefused):
        await lab.runtime.create(lab.spec(**changes))

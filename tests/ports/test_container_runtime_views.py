"""What every adapter of the runtime port promises about logs, counters, commands and events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from flux.runtime.errors import ContainerNotFound, ContainerNotRunning
from flux.runtime.types import ContainerEvent, ContainerId, ContainerState, EventKind, LogLine, LogStream
from support.runtime_lab import FAIL, PATIENCE_SECONDS, SERVE, SPEAK, Lab, eventually

NOWHERE = ContainerId("flux-nowhere")
SPOKEN = ["line 1", "line 2", "line 3", "line 4", "line 5"]


async def read(lines: AsyncIterator[LogLine]) -> list[LogLine]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [line async for line in lines]


async def spoken(lab: Lab) -> ContainerId:
    container = await lab.run(SPEAK)
    await lab.until(container, lambda view: view.state is ContainerState.EXITED)
    return container


async def test_a_log_has_both_outputs_in_order_with_times(lab: Lab) -> None:
    lines = await read(lab.runtime.logs(await spoken(lab)))
    assert [line.text for line in lines if line.stream is LogStream.OUT] == SPOKEN
    assert [line.text for line in lines if line.stream is LogStream.ERR] == ["a complaint"]
    times = [line.time_ns for line in lines if line.stream is LogStream.OUT]
    assert times == sorted(times)
    assert times[0] > 0


async def test_a_log_can_be_cut_to_its_last_lines_and_to_those_since_a_time(lab: Lab) -> None:
    container = await spoken(lab)
    lines = [line for line in await read(lab.runtime.logs(container)) if line.stream is LogStream.OUT]
    assert len(await read(lab.runtime.logs(container, tail=2))) == 2
    assert await read(lab.runtime.logs(container, tail=0)) == []
    since = await read(lab.runtime.logs(container, since_ns=lines[3].time_ns))
    assert [line.text for line in since if line.stream is LogStream.OUT] == SPOKEN[3:]


async def test_a_followed_log_ends_with_the_container(lab: Lab) -> None:
    container = await lab.create(lab.spec(SPEAK))
    await lab.runtime.start(container)
    lines = await read(lab.runtime.logs(container, follow=True))
    assert [line.text for line in lines if line.stream is LogStream.OUT] == SPOKEN


async def test_a_followed_log_can_be_left_at_any_time(lab: Lab) -> None:
    container = await lab.run(SERVE)
    for _ in range(3):
        lines = lab.runtime.logs(container, follow=True)
        async with aclosing(lines):
            assert (await anext(lines)).text == "ready"


async def test_a_log_keeps_earlier_runs(lab: Lab) -> None:
    container = await lab.run(FAIL)
    first = await lab.until(container, lambda view: view.state is ContainerState.EXITED)
    await lab.runtime.start(container)
    await lab.until(container, lambda view: view.state is ContainerState.EXITED and view.started_at != first.started_at)
    assert [line.text for line in await read(lab.runtime.logs(container))] == ["giving up", "giving up"]


async def test_the_log_of_nothing_is_not_found(lab: Lab) -> None:
    with pytest.raises(ContainerNotFound):
        await read(lab.runtime.logs(NOWHERE))


async def test_counters_of_a_running_container_grow(lab: Lab) -> None:
    container = await lab.run(SERVE)
    first = await lab.runtime.stats(container)
    assert first.memory_limit_bytes == 32 * 1024 * 1024
    assert 0 < first.memory_bytes < first.memory_limit_bytes
    assert first.pids >= 1
    second = await eventually(lambda: lab.runtime.stats(container), lambda stats: stats.cpu_ns > first.cpu_ns)
    assert second.read_at > first.read_at


async def test_counters_need_a_running_container(lab: Lab) -> None:
    container = await lab.create(lab.spec())
    with pytest.raises(ContainerNotRunning):
        await lab.runtime.stats(container)
    with pytest.raises(ContainerNotFound):
        await lab.runtime.stats(NOWHERE)


async def test_a_command_runs_to_its_end_inside_a_container(lab: Lab) -> None:
    container = await lab.run(SERVE)
    done = await lab.runtime.exec(container, ["echo", "one", "two"])
    assert (done.exit_code, done.stdout, done.stderr, done.truncated) == (0, b"one two\n", b"", False)
    assert (await lab.runtime.exec(container, ["false"])).exit_code == 1
    assert (await lab.runtime.exec(container, ["no-such-program"])).exit_code in (126, 127)


async def test_a_command_needs_a_running_container(lab: Lab) -> None:
    container = await lab.create(lab.spec())
    with pytest.raises(ContainerNotRunning):
        await lab.runtime.exec(container, ["true"])
    with pytest.raises(ContainerNotFound):
        await lab.runtime.exec(NOWHERE, ["true"])


async def test_events_tell_the_life_of_containers_with_the_labels(lab: Lab) -> None:
    async with lab.runtime.events(lab.labels) as events:
        container = await lab.run(FAIL)
        await lab.until(container, lambda view: view.state is ContainerState.EXITED)
        await lab.runtime.remove(container)
        seen = await collect(events, EventKind.REMOVED)
    kinds = [event.kind for event in seen]
    assert kinds == [EventKind.CREATED, EventKind.STARTED, EventKind.DIED, EventKind.REMOVED]
    assert {event.container for event in seen} == {container}
    assert {event.name for event in seen} == {lab.name("web")}
    assert all(event.labels.items() >= lab.labels.items() for event in seen)
    assert seen[2].exit_code == 3


async def test_events_of_others_are_not_heard(lab: Lab) -> None:
    async with lab.runtime.events({**lab.labels, "flux.component": "mine"}) as events:
        await lab.run(FAIL, "other")
        await lab.run(FAIL, "mine")
        seen = await collect(events, EventKind.DIED)
    assert {event.name for event in seen} == {lab.name("mine")}


async def test_what_the_listener_raises_is_left_as_it_is(lab: Lab) -> None:
    with pytest.raises(OSError, match="of my own"):
        async with lab.runtime.events(lab.labels):
            raise OSError("of my own")


async def collect(events: AsyncIterator[ContainerEvent], last: EventKind) -> list[ContainerEvent]:
    seen: list[ContainerEvent] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for event in events:
            seen.append(event)
            if event.kind is last:
                break
    return seen

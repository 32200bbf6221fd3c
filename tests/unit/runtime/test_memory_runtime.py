"""What only the in-memory engine offers: time that a test moves, and faults that it chooses."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from flux.runtime.errors import ImagePullFailed, PortTaken, RuntimeUnavailable, StartFailed
from flux.runtime.memory import ManualClock, MemoryEngine, MemoryRuntime, Process
from flux.runtime.types import (
    ContainerHealth,
    ContainerId,
    ContainerSpec,
    ContainerState,
    ContainerView,
    HealthCommand,
    ImageReference,
    PublishedPort,
)

IMAGE = ImageReference(f"registry.test/app@sha256:{'a' * 64}")
LABELS = {"flux.node": "1"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def engine(clock: ManualClock) -> AsyncIterator[MemoryEngine]:
    async with MemoryEngine(clock) as made:
        made.add_image(IMAGE)
        yield made


@pytest.fixture
def runtime(engine: MemoryEngine) -> MemoryRuntime:
    return MemoryRuntime(engine)


async def view(runtime: MemoryRuntime, container: ContainerId) -> ContainerView:
    found = await runtime.find_container(container)
    assert found is not None
    return found


async def started(
    runtime: MemoryRuntime,
    clock: ManualClock,
    health: HealthCommand | None = None,
    ports: tuple[PublishedPort, ...] = (),
) -> ContainerId:
    pull = asyncio.create_task(runtime.pull(IMAGE))
    await clock.advance(runtime.engine.pull_seconds)
    await pull
    await runtime.ensure_network("net", LABELS)
    container = await runtime.create(
        ContainerSpec(
            name="web",
            image=IMAGE,
            cpu_milli=100,
            memory_mib=64,
            network="net",
            alias="web",
            labels=LABELS,
            health=health,
            ports=ports,
        )
    )
    await runtime.start(container)
    return container


async def test_a_pull_takes_the_time_it_is_told_to(
    engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    engine.pull_seconds = 60
    pull = asyncio.create_task(runtime.pull(IMAGE))
    await clock.advance(59)
    assert not await runtime.has_image(IMAGE)
    await clock.advance(1)
    await pull
    assert await runtime.has_image(IMAGE)


async def test_a_fault_of_a_pull_or_a_start_happens_once(
    engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    engine.pull_faults[IMAGE] = ImagePullFailed("The registry is down.")
    pull = asyncio.create_task(runtime.pull(IMAGE))
    await clock.advance(0)
    with pytest.raises(ImagePullFailed):
        await pull
    engine.start_faults["web"] = StartFailed("The program to start is not in the image.")
    with pytest.raises(StartFailed):
        await started(runtime, clock)
    assert (await view(runtime, ContainerId("web"))).error == "The program to start is not in the image."
    await runtime.start(ContainerId("web"))
    assert (await view(runtime, ContainerId("web"))).error == ""


async def test_while_the_engine_is_down_nothing_answers_and_everything_runs_on(
    engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    container = await started(runtime, clock)
    async with runtime.events(LABELS) as events:
        engine.go_down()
        with pytest.raises(RuntimeUnavailable):
            await anext(events)
    with pytest.raises(RuntimeUnavailable):
        await runtime.list_containers({})
    with pytest.raises(RuntimeUnavailable):
        await runtime.ping()
    engine.come_back()
    assert (await view(runtime, container)).state is ContainerState.RUNNING


async def test_a_crash_is_seen_as_one(engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock) -> None:
    container = await started(runtime, clock)
    await clock.advance(5)
    engine.crash("web", 139)
    crashed = await view(runtime, container)
    assert (crashed.state, crashed.exit_code, crashed.oom_killed) == (ContainerState.EXITED, 139, False)
    assert crashed.finished_at == clock.now()
    await runtime.start(container)
    engine.crash("web", 137, out_of_memory=True)
    assert (await view(runtime, container)).oom_killed


async def test_a_program_runs_by_the_clock(engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock) -> None:
    async def boot(process: Process) -> int:
        await process.clock.sleep(10)
        process.print("booted")
        await process.clock.sleep(10)
        return 4

    engine.add_image(IMAGE, boot)
    container = await started(runtime, clock)
    await clock.advance(15)
    assert [line.text async for line in runtime.logs(container)] == ["booted"]
    await clock.advance(5)
    assert (await view(runtime, container)).exit_code == 4


async def test_health_follows_the_command_by_the_clock(
    engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    check = HealthCommand(("test", "-e", "/well"), interval_ms=1_000, retries=2, start_period_ms=5_000)
    container = await started(runtime, clock, check)
    await clock.advance(4.5)
    assert (await view(runtime, container)).health is ContainerHealth.STARTING
    await clock.advance(2)
    assert (await view(runtime, container)).health is ContainerHealth.UNHEALTHY
    await runtime.exec(container, ["touch", "/well"])
    await clock.advance(1)
    assert (await view(runtime, container)).health is ContainerHealth.HEALTHY


async def test_a_port_of_a_program_outside_is_taken(
    engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    engine.taken_ports.add(8080)
    with pytest.raises(PortTaken):
        await started(runtime, clock, ports=(PublishedPort(80, host=8080),))
    engine.taken_ports.clear()
    await runtime.start(ContainerId("web"))


async def test_several_runtimes_share_an_engine(
    engine: MemoryEngine, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    container = await started(runtime, clock)
    other = MemoryRuntime(engine)
    await other.remove(container, force=True)
    assert await runtime.find_container(container) is None


async def test_sleepers_wake_in_the_order_of_their_times(clock: ManualClock) -> None:
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await clock.advance(2)
    assert woken == [1, 2]
    await clock.advance(1)
    await asyncio.gather(*tasks)
    assert woken == [1, 2, 3]

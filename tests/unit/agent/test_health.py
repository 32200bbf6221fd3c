"""The agent's own health checks: what passes, what fails, and how many failures make a container unhealthy."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from flux.agent.health import Checked, HealthChecks, StartupChecks, passes
from flux.contracts.apps.types import Health
from flux.runtime.memory import MemoryEngine, MemoryRuntime
from flux.runtime.types import (
    Binding,
    ContainerHealth,
    ContainerId,
    ContainerState,
    ContainerView,
    ExecResult,
    HealthCommand,
)
from support.waiting import until

HTTP = Health("http", port=80, path="/healthz", interval_ms=100, timeout_ms=30_000, retries=3)
TCP = Health("tcp", port=80, interval_ms=100, timeout_ms=30_000, retries=3)
IMPATIENT = Health("http", port=80, path="/healthz", timeout_ms=300)
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def view(port: int, started_at: float = 0.0, run: str = "a") -> ContainerView:
    bindings = (Binding(80, "tcp", port, "127.0.0.1"),) if port else ()
    return ContainerView(
        id=ContainerId(run), name="web", labels={}, image="web", state=ContainerState.RUNNING, exit_code=None,
        oom_killed=False, error="", health=ContainerHealth.NONE, bindings=bindings, created_at=0, started_at=started_at,
        finished_at=None,
    )  # fmt: skip


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def says(head: bytes, body: bytes = b"") -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + head + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"200 OK", True),
        (b"204 No Content", True),
        (b"301 Moved Permanently\r\nLocation: http://127.0.0.1:1/", True),
        (b"400 Bad Request", False),
        (b"404 Not Found", False),
        (b"503 Service Unavailable", False),
    ],
)
async def test_an_answer_below_400_passes_and_a_redirect_is_not_followed(head: bytes, expected: bool) -> None:
    async with server(says(head)) as port:
        assert await passes(HTTP, view(port)) is expected


async def test_the_path_is_asked_for_as_it_is_written() -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        await says(b"200 OK")(reader, writer)

    async with server(answer) as port:
        assert await passes(Health("http", port=80, path="/a%2Fb?c=d%20e"), view(port))
    assert asked == [b"GET /a%2Fb?c=d%20e HTTP/1.1\r\n"]


async def test_an_endless_body_costs_nothing() -> None:
    sent = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()
            sent += 65536

    async with server(answer) as port:
        assert await passes(HTTP, view(port))
    assert sent < 16 * 2**20


async def _silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _noise(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff" * 100_000)
    await writer.drain()


async def _endless_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Padding: " + b"x" * 60_000 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize("answer", [_silence, _noise, _endless_headers])
async def test_what_is_no_timely_http_answer_fails(answer: Answer) -> None:
    async with server(answer) as port:
        async with asyncio.timeout(20):
            assert not await passes(IMPATIENT, view(port))


async def test_tcp_passes_where_somebody_listens() -> None:
    async with server(_silence) as port:
        assert await passes(TCP, view(port))
    assert not await passes(TCP, view(port)), "nobody listens any more"
    assert not await passes(TCP, view(0)), "the port is not published"


def test_only_failures_in_a_row_make_a_container_unhealthy() -> None:
    checked = Checked().passed()
    for _ in range(50):
        checked = checked.failed(HTTP, 100).failed(HTTP, 100)
        assert checked.verdict is ContainerHealth.HEALTHY
        checked = checked.passed()
    checked = checked.failed(HTTP, 100).failed(HTTP, 100).failed(HTTP, 100)
    assert checked.verdict is ContainerHealth.UNHEALTHY
    assert checked.passed().verdict is ContainerHealth.HEALTHY


def test_failures_of_the_start_period_do_not_count_until_the_first_pass() -> None:
    slow = Health("http", port=80, path="/", retries=2, start_period_ms=10_000)
    checked = Checked()
    for second in range(10):
        checked = checked.failed(slow, second)
    assert checked == Checked()
    assert checked.failed(slow, 10).failed(slow, 11).verdict is ContainerHealth.UNHEALTHY
    assert checked.passed().failed(slow, 3).failed(slow, 4).verdict is ContainerHealth.UNHEALTHY


@asynccontextmanager
async def watching() -> AsyncIterator[HealthChecks]:
    checks = HealthChecks(lambda: None, time.time)
    try:
        yield checks
    finally:
        await checks.close()


async def test_a_slow_container_does_not_delay_the_verdict_on_another() -> None:
    patient = Health("http", port=80, path="/", interval_ms=100, timeout_ms=60_000)
    async with server(_silence) as slow, server(says(b"200 OK")) as quick, watching() as checks:
        checks.watch({"slow": (patient, view(slow)), "quick": (HTTP, view(quick))})
        await until(lambda: checks.verdicts()["quick"] is ContainerHealth.HEALTHY)
        assert checks.verdicts()["slow"] is ContainerHealth.STARTING


async def test_what_is_ready_during_the_first_interval_need_not_wait_for_its_end() -> None:
    ready = False

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(b"200 OK" if ready else b"503 Not Yet")(reader, writer)

    rare = Health("http", port=80, path="/", interval_ms=3_600_000, timeout_ms=1000, retries=1, start_period_ms=1000)
    async with server(answer) as port, watching() as checks:
        checks.watch({"web": (rare, view(port, started_at=time.time()))})
        await asyncio.sleep(0)
        assert checks.verdicts()["web"] is ContainerHealth.STARTING
        ready = True
        await until(lambda: checks.verdicts()["web"] is ContainerHealth.HEALTHY)


async def test_a_new_run_of_a_container_begins_without_a_verdict() -> None:
    async with server(says(b"200 OK")) as port, watching() as checks:
        checks.watch({"web": (HTTP, view(port))})
        await until(lambda: checks.verdicts()["web"] is ContainerHealth.HEALTHY)
        checks.watch({"web": (HTTP, view(port, started_at=5.0))})
        assert checks.verdicts()["web"] is ContainerHealth.STARTING
        checks.watch({})
        assert checks.verdicts() == {}


class Hanging(MemoryRuntime):
    """An engine in which a command hangs the first time."""

    def __init__(self) -> None:
        super().__init__(MemoryEngine())
        self.patience: list[float] = []

    async def exec(self, container: ContainerId, argv: Sequence[str], *, timeout_seconds: float = 30) -> ExecResult:
        self.patience.append(timeout_seconds)
        if len(self.patience) == 1:
            raise TimeoutError
        return ExecResult(0, b"", b"", truncated=False)


async def test_a_command_that_hangs_at_the_start_gets_the_time_of_its_check_and_is_tried_again() -> None:
    runtime = Hanging()
    checks = StartupChecks(runtime, lambda: None)
    checks.watch({"web": (view(0), HealthCommand(("pg_isready",), timeout_ms=1500))})
    await until(lambda: checks.has_passed(view(0)))
    assert runtime.patience == [1.5, 1.5]
    await checks.close()

"""Which instances count as alive."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from flux.ingress.health import HealthChecker, HealthOptions
from flux.ingress.routes import App, Target
from support.beside import beside

QUICK = HealthOptions(interval=0.05, connect_timeout=1, request_every=2, request_timeout=0.3)
PATIENCE_SECONDS = 60


class Service:
    """A web service that can be told to fall silent."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.requests: list[web.Request] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.target = Target("127.0.0.1", 0)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        await self.answers.wait()
        return web.Response(status=self.status)


@asynccontextmanager
async def service(status: int = 200) -> AsyncIterator[Service]:
    made = Service(status)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.target = Target("127.0.0.1", runner.addresses[0][1])
    try:
        yield made
    finally:
        await runner.cleanup()


class Watch:
    """A running checker, and a way to wait for what it finds."""

    def __init__(self, options: HealthOptions = QUICK) -> None:
        self._changed = asyncio.Event()
        self.checker = HealthChecker(options, self._changed.set)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._changed.clear()
                if not condition():
                    await self._changed.wait()

    def of(self, *targets: Target) -> None:
        self.checker.watch([App("web", "web.flux.localhost", sticky=False, targets=targets)])


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    made = Watch()
    running = asyncio.create_task(made.checker.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize("status", [200, 301, 401, 404, 405, 500, 503])
async def test_any_answer_is_a_sign_of_life(watch: Watch, status: int) -> None:
    async with service(status) as web_service:
        watch.of(web_service.target)
        assert watch.checker.down == {web_service.target}
        await watch.until(lambda: not watch.checker.down)


async def test_a_check_asks_for_the_app_by_its_name(watch: Watch) -> None:
    async with service() as web_service:
        watch.of(web_service.target)
        await watch.until(lambda: not watch.checker.down)
        request = web_service.requests[0]
        assert (request.method, request.path, request.host) == ("HEAD", "/", "web.flux.localhost")


async def test_an_instance_whose_port_is_closed_is_down(watch: Watch) -> None:
    async with service() as web_service:
        watch.of(web_service.target)
        await watch.until(lambda: not watch.checker.down)
    await watch.until(lambda: watch.checker.down == {web_service.target})


async def test_an_instance_that_accepts_and_says_nothing_is_down_until_it_answers(watch: Watch) -> None:
    async with service() as web_service:
        watch.of(web_service.target)
        await watch.until(lambda: not watch.checker.down)
        web_service.answers.clear()
        await watch.until(lambda: watch.checker.down == {web_service.target})
        web_service.answers.set()
        await watch.until(lambda: not watch.checker.down)


async def test_a_silent_instance_delays_the_checks_of_no_other() -> None:
    patient = Watch(HealthOptions(interval=0.05, request_timeout=600))
    async with service() as silent, service() as other, beside(patient.checker.run()):
        silent.answers.clear()
        patient.of(silent.target, other.target)
        await patient.until(lambda: patient.checker.down == {silent.target})
        assert len(silent.requests) == 1


async def test_a_service_that_speaks_no_http_is_down(watch: Watch) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with service() as web_service:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        try:
            mail = Target("127.0.0.1", server.sockets[0].getsockname()[1])
            watch.of(mail, web_service.target)
            await watch.until(lambda: watch.checker.down == {mail})
            await watch.checker.wait_first_checks(PATIENCE_SECONDS)
            assert mail in watch.checker.down
        finally:
            server.close()


async def test_what_is_not_routed_any_more_is_forgotten(watch: Watch) -> None:
    async with service() as web_service:
        watch.of(web_service.target)
        await watch.until(lambda: not watch.checker.down)
        watch.of()
        watch.of(web_service.target)
        assert watch.checker.down == {web_service.target}


async def test_first_checks_are_not_waited_for_too_long() -> None:
    watch = Watch()
    watch.of(Target("127.0.0.1", 1))
    await watch.checker.wait_first_checks(0.01)
    assert watch.checker.down == {Target("127.0.0.1", 1)}


async def test_a_program_that_starts_late_is_up_long_before_the_next_usual_check() -> None:
    changed = asyncio.Event()
    checker = HealthChecker(HealthOptions(interval=600, request_timeout=0.2), changed.set)
    async with service() as late, asyncio.TaskGroup() as group:
        late.answers.clear()
        checker.watch([App("web", "web.flux.localhost", sticky=False, targets=(late.target,))])
        running = group.create_task(checker.run())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await checker.wait_first_checks(PATIENCE_SECONDS)
            assert late.target in checker.down
            late.answers.set()
            await changed.wait()
        assert late.target not in checker.down
        running.cancel()


async def test_an_instance_is_new_until_it_answers_or_the_time_for_that_is_over() -> None:
    changed = asyncio.Event()
    checker = HealthChecker(HealthOptions(interval=600, newness=0.2), changed.set)
    nobody = Target("127.0.0.1", 1)
    async with service() as web_service, asyncio.TaskGroup() as group:
        targets = (web_service.target, nobody)
        checker.watch([App("web", "web.flux.localhost", sticky=False, targets=targets)])
        assert checker.new == set(targets)
        running = group.create_task(checker.run())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while web_service.target in checker.down or checker.new:
                changed.clear()
                await changed.wait()
        assert checker.down == {nobody}
        running.cancel()


class Machine:
    """Answers until its power fails: then the kernel takes in no connection more, and refuses none."""

    def __init__(self) -> None:
        self._sockets = [socket.create_server(("127.0.0.1", 0), backlog=0)]
        self._sockets[0].setblocking(False)
        self.target = Target("127.0.0.1", self._sockets[0].getsockname()[1])
        self._serving = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._sockets[0])
            with connection, suppress(OSError):
                if await loop.sock_recv(connection, 4096):
                    await loop.sock_sendall(connection, b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    async def lose_power(self) -> None:
        self._serving.cancel()
        await asyncio.wait([self._serving])
        for _ in range(8):
            waiting = socket.socket()
            self._sockets.append(waiting)
            waiting.setblocking(False)
            waiting.connect_ex(self.target)

    async def close(self) -> None:
        self._serving.cancel()
        await asyncio.wait([self._serving])
        for one in self._sockets:
            one.close()


@pytest.mark.parametrize("loses_power", [True, False])
async def test_only_a_machine_that_is_silent_counts_as_lost(loses_power: bool) -> None:
    lost: asyncio.Queue[Target] = asyncio.Queue()
    changed = asyncio.Event()
    options = HealthOptions(interval=0.05, connect_timeout=2, request_timeout=5)
    checker = HealthChecker(options, changed.set, lost.put)
    machine = Machine()
    async with asyncio.TaskGroup() as group:
        checker.watch([App("web", "web.flux.localhost", sticky=False, targets=(machine.target,))])
        running = group.create_task(checker.run())
        async with asyncio.timeout(3 * PATIENCE_SECONDS):
            await changed.wait()
            assert not checker.down
            changed.clear()
            if loses_power:
                await machine.lose_power()
                assert await lost.get() == machine.target
            else:
                await machine.close()
                await changed.wait()
            assert checker.down == {machine.target}
        running.cancel()
    assert lost.empty()
    await machine.close()

"""A real Caddy under a running ingress loop, instances to put behind it, and a visitor who counts."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from flux.ingress.caddy import Caddy
from flux.ingress.health import HealthOptions
from flux.ingress.loop import IngressLoop
from flux.ingress.options import IngressOptions
from flux.services.ports import free_port
from support.chain_routes import HandRoutes
from support.waiting import until

PATIENCE_SECONDS = 60
QUICK = HealthOptions(interval=0.2, request_every=2, request_timeout=0.5)
"""Health checks that need less patience than the usual ones."""


@dataclass(slots=True)
class Instance:
    """A web service in its own process."""

    name: str
    port: int
    process: asyncio.subprocess.Process

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()

    def hang(self) -> None:
        """It keeps its port, accepts connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def instance(name: str, status: int = 200) -> AsyncIterator[Instance]:
    """Answers until it is killed."""
    script = Path(__file__).with_name("web_instance.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), name, str(status), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield Instance(name, int(await process.stdout.readline()), process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await process.stdout.read()


@dataclass(slots=True)
class Answer:
    """What a visitor got."""

    status: int
    text: str
    headers: Any
    seconds: float


@dataclass(slots=True)
class Visitor:
    """A browser without cookies, unless it is given some."""

    session: aiohttp.ClientSession
    url: str

    async def ask(self, app: str, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        started_at = time.monotonic()
        async with self.session.request(
            method, self.url + path, headers={"Host": f"{app}.flux.localhost", **headers}, allow_redirects=False
        ) as answer:
            text = await answer.text()
            return Answer(answer.status, text, answer.headers.copy(), time.monotonic() - started_at)

    async def until(self, app: str, condition: Callable[[Answer], bool]) -> Answer:
        """Ask until the answer is as wanted."""

        async def wanted() -> Answer | None:
            answer = await self.ask(app)
            return answer if condition(answer) else None

        found = await until(wanted, PATIENCE_SECONDS, lambda: f"{app} answers as wanted")
        assert found is not None
        return found


@dataclass(slots=True)
class Ingress:
    """All of it."""

    caddy: Caddy
    source: HandRoutes
    visitor: Visitor
    options: IngressOptions


@asynccontextmanager
async def running_ingress(home: Path, health: HealthOptions = QUICK, **options: Any) -> AsyncIterator[Ingress]:
    """Caddy on a free port, and the loop that feeds it."""
    made = IngressOptions(home=home, **{"http_port": free_port(), "listen_host": "127.0.0.1", **options})
    source = HandRoutes()
    async with AsyncExitStack() as stack:
        caddy = await stack.enter_async_context(Caddy(made))
        loop = asyncio.create_task(IngressLoop(source, caddy, health=health, poll_seconds=0.5).run())
        stack.push_async_callback(_cancel, loop)
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        yield Ingress(caddy, source, Visitor(session, f"http://127.0.0.1:{made.http_port}"), made)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


@dataclass(slots=True)
class Traffic:
    """Requests at an even rate, and what became of them."""

    visitor: Visitor
    app: str
    rate: int
    answers: list[tuple[float, Answer]] = field(default_factory=list)
    """Time of the request (monotonic seconds) and its answer."""
    failures: list[str] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, seconds: float) -> None:
        """Start rate × seconds requests on time, whether or not earlier ones were answered; wait for all."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(int(self.rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / self.rate - loop.time()))
            task = asyncio.create_task(self._request())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.gather(*self._tasks)

    async def _request(self) -> None:
        started_at = time.monotonic()
        try:
            answer = await self.visitor.ask(self.app)
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append(repr(error))
            return
        if answer.status == 200:
            self.answers.append((started_at, answer))
        else:
            self.failures.append(f"{answer.status} {answer.text}")

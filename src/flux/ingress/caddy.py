"""A supervised Caddy: started, kept alive, given new routes only when they changed, stopped cleanly."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import deque
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from flux.ingress import answers
from flux.ingress.admin import CaddyAdmin
from flux.ingress.config import caddy_config, log_file
from flux.ingress.errors import CaddyFailed, CaddyMissing
from flux.ingress.home import IngressHome
from flux.ingress.listeners import check_port, hand_over_waiting_connections
from flux.ingress.options import IngressOptions
from flux.ingress.routes import RouteRules

log = structlog.get_logger(__name__)

Routes = list[dict[str, Any]]

_START_SECONDS = 30
_STOP_SECONDS = 5
_FIRST_RESTART_DELAY = 0.1
_LONGEST_RESTART_DELAY = 5.0
_HEALTHY_SECONDS = 30
"""A Caddy that lived this long is restarted without delay."""
_POLL = 0.02
_KEEPS_STREAMS_SINCE = (2, 7)
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


class Caddy:
    """Use it as a context: inside, Caddy serves."""

    def __init__(self, options: IngressOptions) -> None:
        self._options = options
        self.home = IngressHome(options.home)
        self._stack = AsyncExitStack()
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._admin: CaddyAdmin | None = None
        self._socket = Path()
        self._applied = ""
        """Hash of the routes in force."""
        self._routes: Routes = []
        self._words: deque[str] = deque(maxlen=20)
        """What Caddy says before its log file is open."""
        self.rules = RouteRules(options.domain, "")
        """What routes for it are made with; complete once it is entered."""
        self.loads = 0
        """How often routes were put into force."""
        self.restarts = 0

    async def __aenter__(self) -> Self:
        try:
            await self._enter()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def pid(self) -> int | None:
        """Process id of the Caddy that runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def apply(self, routes: Routes) -> bool:
        """Put routes into force; False when they are in force already. Raises ConfigRefused, CaddyFailed."""
        fingerprint = _fingerprint(routes)
        if fingerprint == self._applied:
            return False
        if self._admin is None:
            raise CaddyFailed("Caddy is not running.")
        await self._admin.replace_routes(routes)
        self._routes, self._applied = routes, fingerprint
        self._write_config()
        self.loads += 1
        return True

    async def routes(self) -> Any:
        """What Caddy says it serves."""
        if self._admin is None:
            raise CaddyFailed("Caddy is not running.")
        return await self._admin.routes()

    async def metrics(self) -> str:
        """Caddy's own, in Prometheus' text format. Raises CaddyFailed."""
        if self._admin is None:
            raise CaddyFailed("Caddy is not running.")
        return await self._admin.metrics()

    async def _enter(self) -> None:
        program = find_caddy(self._options.caddy)
        self._stack.enter_context(self.home.locked())
        await self.home.end_leftover()
        self._check_ports()
        hand_over_waiting_connections()
        self.rules = RouteRules(
            domain=self._options.domain,
            cookie_secret=self.home.cookie_secret(),
            allow_private_upstreams=self._options.allow_private_upstreams,
            keep_streams=await find_version(program) >= _KEEPS_STREAMS_SINCE,
        )
        # The path of a unix socket may have 107 characters at most, so it cannot lie under any home.
        directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="flux-ingress-"))
        self._socket = Path(directory, "admin.sock")
        self._routes = self.home.find_routes() or [{"handle": [answers.starting()]}]
        self._write_config()
        self._stack.push_async_callback(self._stop)
        await self._start(program)
        supervisor = asyncio.create_task(self._supervise(program))
        self._stack.push_async_callback(_cancel, supervisor)

    def _check_ports(self) -> None:
        check_port(self._options.listen_host, self._options.http_port, "--http-port")
        if self._options.https_port is not None:
            check_port(self._options.listen_host, self._options.https_port, "--https-port")

    def _write_config(self) -> None:
        """So that a Caddy that starts again serves at once what the last one did."""
        self.home.write_config(caddy_config(self._options, self._socket, self._routes))

    async def _start(self, program: str) -> None:
        self._words.clear()
        self._socket.unlink(missing_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            program,
            "run",
            "--config",
            str(self.home.config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
            start_new_session=True,
        )
        self.home.write_pid(self._process.pid)
        self._admin = CaddyAdmin(self._socket)
        self._listening = asyncio.create_task(self._listen(self._process))
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self._admin.is_ready():
                    if self._process.returncode is not None:
                        await self._listening
                        raise CaddyFailed(f"Caddy stopped while starting: {self._last_words()}")
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise CaddyFailed(f"Caddy did not answer in {_START_SECONDS} s: {self._last_words()}") from None
        self._applied = _fingerprint(self._routes)

    def _environment(self) -> dict[str, str]:
        """As little as possible: Caddy expands {env.…} in its configuration."""
        home = str(self.home.path)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "XDG_DATA_HOME": home,
            "XDG_CONFIG_HOME": home,
        }

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._words.append(line.decode("utf-8", "replace").strip())

    def _last_words(self) -> str:
        return (self._words[-1] if self._words else f"see {log_file(self._options)}")[-500:]

    async def _supervise(self, program: str) -> None:
        """Start Caddy again whenever it ends."""
        delay = _FIRST_RESTART_DELAY
        clock = asyncio.get_running_loop().time
        while True:
            started_at = clock()
            assert self._process is not None
            status = await self._process.wait()
            await self._end_session()
            log.warning("caddy ended", status=status, words=self._last_words())
            delay = _FIRST_RESTART_DELAY if clock() - started_at > _HEALTHY_SECONDS else delay
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_RESTART_DELAY)
            try:
                await self._start(program)
            except CaddyFailed as error:
                log.error("caddy not restarted", reason=str(error))
                await self._kill()
                continue
            self.restarts += 1
            log.info("caddy restarted", restarts=self.restarts)

    async def _end_session(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()
        self._applied = ""

    async def _stop(self) -> None:
        """Caddy finishes the requests that it has; then it is killed."""
        await self._end_session()
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
        await self._kill()
        self.home.forget_pid()

    async def _kill(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._listening is not None:
            await self._listening


def find_caddy(name: str) -> str:
    """Full path of the program. Raises CaddyMissing."""
    program = shutil.which(name)
    if program is None:
        raise CaddyMissing(f"{name} is not installed.", "On Debian: sudo apt-get install caddy")
    return program


async def find_version(program: str) -> tuple[int, int]:
    """Major and minor version; (0, 0) when it does not say."""
    process = await asyncio.create_subprocess_exec(
        program, "version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    match = _VERSION.match(output.decode("utf-8", "replace"))
    return (int(match[1]), int(match[2])) if match else (0, 0)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _fingerprint(routes: Routes) -> str:
    return hashlib.sha256(json.dumps(routes, sort_keys=True).encode()).hexdigest()

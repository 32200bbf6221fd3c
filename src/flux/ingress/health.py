"""Active health checks: which instances answer, whatever the chain says.

An instance is alive when it answers HTTP with any status: an app may well answer 401 or 404 at `/`. Caddy's own active
checks want 2xx or 3xx there, so they are done here; Caddy adds the passive ones (a failed request takes an instance out
for a moment and is tried on another).

Each second a connection is opened, which costs the app nothing and fails at once when container or host are gone. Only
now and then, and always before an instance comes (back) into rotation, a HEAD request shows that the program behind the
port answers: the engine's port forwarder accepts connections for programs that don't.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from flux.ingress.routes import App, Target

_NOBODY_THERE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)
_USER_AGENT = "flux-ingress-health-check"


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """Durations in seconds."""

    interval: float = 1.0
    first_interval: float = 0.05
    """Between the first checks of a target that has never answered; later a quarter of the time that it was silent, up
    to `interval`, so that a program that was just started serves as soon as it can."""
    connect_timeout: float = 1.0
    request_every: int = 5
    """Checks between two HEAD requests to an instance that is well."""
    request_timeout: float = 3.0
    failures: int = 2
    """Failed checks in a row that take an instance out of rotation."""
    newness: float = 2.0
    """How long an instance that has not answered yet counts as new: its program may be about to listen."""
    parallel: int = 64


@dataclass(slots=True)
class _Patient:
    """What is known of one target."""

    host_header: str
    watched_since: float
    """By the loop's clock."""
    is_up: bool = False
    failures: int = 0
    checks: int = 0
    is_being_checked: bool = False
    is_silent: bool = False
    """Whether not even its machine answered the last time."""
    has_answered: bool = False
    due_at: float = 0.0
    """By the loop's clock."""
    first_check: asyncio.Event = field(default_factory=asyncio.Event)


class HealthChecker:
    """Knows of each watched target whether it is up. Call `watch` with what is routed, `run` in a task."""

    def __init__(
        self,
        options: HealthOptions,
        on_change: Callable[[], None],
        on_lost: Callable[[Target], Awaitable[None]] | None = None,
    ) -> None:
        """`on_lost` is told of each target that went down because its machine does not answer at all any more."""
        self._options = options
        self._on_change = on_change
        self._on_lost = on_lost
        self._patients: dict[Target, _Patient] = {}
        self._wake = asyncio.Event()
        self._gate = asyncio.Semaphore(options.parallel)

    @property
    def down(self) -> frozenset[Target]:
        """Targets that are out of rotation: failed, or not seen to answer yet."""
        return frozenset(target for target, patient in self._patients.items() if not patient.is_up)

    @property
    def new(self) -> frozenset[Target]:
        """Those of them that may still be starting: they came a moment ago and have not answered yet."""
        since = self._now() - self._options.newness
        return frozenset(
            target
            for target, patient in self._patients.items()
            if not patient.has_answered and patient.watched_since > since
        )

    def watch(self, apps: Iterable[App]) -> None:
        """Set which targets are checked; a new one is checked at once."""
        wanted: Mapping[Target, str] = {target: app.host for app in apps for target in app.targets}
        for target in self._patients.keys() - wanted.keys():
            del self._patients[target]
        for target in wanted.keys() - self._patients.keys():
            self._patients[target] = _Patient(wanted[target], self._now())
            self._wake.set()
            asyncio.get_running_loop().call_later(self._options.newness, self._on_change)

    async def wait_first_checks(self, seconds: float) -> None:
        """Until each watched target was checked once, at most that long."""
        waits = [patient.first_check.wait() for patient in self._patients.values()]
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*waits)
        except TimeoutError:
            return

    async def run(self) -> None:
        """Check until cancelled. A target that takes long to answer delays no other."""
        async with self._session() as session, asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                now = self._now()
                next_at = now + self._options.interval
                for target, patient in self._patients.items():
                    if patient.is_being_checked:
                        continue
                    if patient.due_at <= now:
                        patient.is_being_checked = True
                        group.create_task(self._check(session, target, patient))
                    else:
                        next_at = min(next_at, patient.due_at)
                with suppress(TimeoutError):
                    async with asyncio.timeout(next_at - now):
                        await self._wake.wait()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _session(self) -> aiohttp.ClientSession:
        options = self._options
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=options.request_timeout, sock_connect=options.connect_timeout),
            headers={"User-Agent": _USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def _check(self, session: aiohttp.ClientSession, target: Target, patient: _Patient) -> None:
        options, was_up, begun = self._options, patient.is_up, self._now()
        is_due = patient.checks % options.request_every == 0
        async with self._gate:
            well = await self._connects(target, patient)
            if well and (is_due or patient.failures or not was_up):
                well = await self._answers(session, target, patient.host_header)
        patient.checks += 1
        patient.has_answered = patient.has_answered or well
        patient.failures = 0 if well else patient.failures + 1
        patient.is_up = well or (was_up and patient.failures < options.failures)
        patient.due_at = begun + options.interval
        if not patient.has_answered:
            now = self._now()
            pause = max(options.first_interval, (now - patient.watched_since) / 4)
            if pause < options.interval:
                patient.due_at = now + pause
                self._wake.set()
        patient.is_being_checked = False
        patient.first_check.set()
        if patient.is_up is not was_up and self._patients.get(target) is patient:
            self._on_change()
            if patient.is_silent and not patient.is_up and self._on_lost is not None:
                await self._on_lost(target)

    async def _connects(self, target: Target, patient: _Patient) -> bool:
        patient.is_silent = False
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                _, writer = await asyncio.open_connection(target.host, target.port)
        except TimeoutError:
            patient.is_silent = True
            return False
        except OSError as error:
            patient.is_silent = error.errno in _NOBODY_THERE
            return False
        writer.transport.abort()
        return True

    async def _answers(self, session: aiohttp.ClientSession, target: Target, host_header: str) -> bool:
        try:
            async with session.head(f"http://{target}/", headers={"Host": host_header}, allow_redirects=False):
                return True
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False

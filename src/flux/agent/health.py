"""The agent's own health checks: http and tcp against the container's host port, and a first look at command checks.

Command checks are the engine's. But an engine runs the first one only after a whole interval, so while a container
starts, the agent runs the command too: what is ready at once need not wait.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from flux.contracts.apps.types import Health
from flux.runtime.errors import RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerHealth, ContainerView

STARTUP_INTERVAL = 0.2
"""Seconds between two runs of a command check while a container starts."""


@dataclass(slots=True)
class _Track:
    container: str
    failures: int = 0
    verdict: ContainerHealth = ContainerHealth.STARTING
    next_at: float = 0.0


class HealthChecks:
    """Verdicts by container name, each check at its own interval."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def verdicts(self) -> Mapping[str, ContainerHealth]:
        """What the checks said last."""
        return {name: track.verdict for name, track in self._tracks.items()}

    async def check_all(self, checked: Mapping[str, tuple[Health, ContainerView]], now: float) -> bool:
        """Run the checks that are due, all at once; True when a verdict changed. `checked` are running containers."""
        for name in [name for name in self._tracks if name not in checked]:
            del self._tracks[name]
        due = []
        for name, (health, view) in checked.items():
            run = _run_of(view)
            track = self._tracks.get(name)
            if track is None or track.container != run:
                track = self._tracks[name] = _Track(run)
            if now >= track.next_at:
                due.append(self._check(track, health, view, now))
        return any(await asyncio.gather(*due))

    async def _check(self, track: _Track, health: Health, view: ContainerView, now: float) -> bool:
        before = track.verdict
        track.next_at = now + health.interval_ms / 1000
        if await _passes(health, view):
            track.failures, track.verdict = 0, ContainerHealth.HEALTHY
            return track.verdict is not before
        in_start_period = view.started_at is not None and now - view.started_at < health.start_period_ms / 1000
        if not in_start_period:
            track.failures += 1
        if track.failures >= health.retries:
            track.verdict = ContainerHealth.UNHEALTHY
        return track.verdict is not before


async def _passes(health: Health, view: ContainerView) -> bool:
    binding = next((b for b in view.bindings if b.container == health.port and b.protocol == "tcp"), None)
    if binding is None:
        return False
    try:
        async with asyncio.timeout(health.timeout_ms / 1000):
            if health.kind == "http":
                url = f"http://{binding.host_ip}:{binding.host}{health.path or '/'}"
                async with aiohttp.request("GET", url, allow_redirects=False) as response:
                    return response.status < 400
            _, writer = await asyncio.open_connection(binding.host_ip, binding.host)
            writer.close()
            await writer.wait_closed()
            return True
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False


class StartupChecks:
    """Runs the health commands of starting containers until each passes once or the engine has its own verdict."""

    def __init__(self, runtime: ContainerRuntime, passed: Callable[[], None]) -> None:
        """`passed` is called whenever a container passed for the first time."""
        self._runtime = runtime
        self._passed = passed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready: set[str] = set()

    def watch(self, starting: Mapping[str, tuple[ContainerView, tuple[str, ...]]]) -> None:
        """Watch these running containers, by name, with their commands; forget all others."""
        runs = {_run_of(view): (view, argv) for view, argv in starting.values()}
        for run in [run for run in self._tasks if run not in runs]:
            self._tasks.pop(run).cancel()
            self._ready.discard(run)
        for run, (view, argv) in runs.items():
            if run not in self._tasks:
                self._tasks[run] = asyncio.create_task(self._until_passed(run, view, argv))

    def has_passed(self, view: ContainerView) -> bool:
        """Whether the command passed in this run of the container."""
        return _run_of(view) in self._ready

    async def close(self) -> None:
        """End all checks."""
        tasks = list(self._tasks.values())
        self.watch({})
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_passed(self, run: str, view: ContainerView, argv: tuple[str, ...]) -> None:
        while True:
            try:
                if (await self._runtime.exec(view.id, argv)).exit_code == 0:
                    self._ready.add(run)
                    self._passed()
                    return
            except (RuntimeFailure, TimeoutError):
                # The program of the check may not exist yet, and the container may be gone: the loop sees which.
                await asyncio.sleep(STARTUP_INTERVAL)
            await asyncio.sleep(STARTUP_INTERVAL)


def _run_of(view: ContainerView) -> str:
    return f"{view.id}@{view.started_at}"

"""The agent's own health checks: http and tcp against the container's host port, and a first look at command checks.

Command checks are the engine's. But an engine runs the first one only after a whole interval, so while a container
starts, the agent runs the command too: what is ready at once need not wait.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from flux.contracts.apps.types import Health
from flux.runtime.errors import RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerHealth, ContainerView, HealthCommand

STARTUP_INTERVAL = 0.2
"""Seconds between two runs of a command check while a container starts."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a container's checks have said so far in this run of it."""

    verdict: ContainerHealth = ContainerHealth.STARTING
    failures: int = 0
    """In a row, those of the start period left out."""

    def passed(self) -> "Checked":
        """One check passed: earlier failures count no longer."""
        return Checked(ContainerHealth.HEALTHY)

    def failed(self, health: Health, running_seconds: float) -> "Checked":
        """One check failed, that long after the start."""
        if self.verdict is ContainerHealth.STARTING and running_seconds < health.start_period_ms / 1000:
            return self
        failures = self.failures + 1
        return Checked(ContainerHealth.UNHEALTHY if failures >= health.retries else self.verdict, failures)


@dataclass(slots=True)
class _Watch:
    run: str
    task: asyncio.Task[None]
    checked: Checked = Checked()


class HealthChecks:
    """The http and tcp checks of running containers, each in a task of its own: a slow answer delays nobody else."""

    def __init__(self, changed: Callable[[], None], clock: Callable[[], float]) -> None:
        """`changed` is called whenever a verdict changed; `clock` is monotonic."""
        self._changed = changed
        self._clock = clock
        self._watches: dict[str, _Watch] = {}

    def verdicts(self) -> Mapping[str, ContainerHealth]:
        """What the checks said last, by container name."""
        return {name: watch.checked.verdict for name, watch in self._watches.items()}

    def watch(self, checked: Mapping[str, tuple[Health, ContainerView]]) -> None:
        """Watch these running containers, by name; forget all others, and what was said of an earlier run."""
        for name, watch in list(self._watches.items()):
            if name not in checked or watch.run != _run_of(checked[name][1]):
                watch.task.cancel()
                del self._watches[name]
        for name, (health, view) in checked.items():
            if name not in self._watches:
                task = asyncio.create_task(self._examine(name, health, view))
                self._watches[name] = _Watch(_run_of(view), task)

    async def close(self) -> None:
        """End all checks."""
        tasks = [watch.task for watch in self._watches.values()]
        self.watch({})
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _examine(self, name: str, health: Health, view: ContainerView) -> None:
        began = self._clock()
        while True:
            due = self._clock() + health.interval_ms / 1000
            if await passes(health, view):
                self._note(name, lambda checked: checked.passed())
            else:
                self._note(name, lambda checked: checked.failed(health, self._clock() - began))
            # What is ready at once need not wait for a whole interval: until the first pass more looks are taken, whose
            # failures do not count.
            while self._watches[name].checked.verdict is ContainerHealth.STARTING and self._clock() < due:
                await asyncio.sleep(min(STARTUP_INTERVAL, health.interval_ms / 1000))
                if await passes(health, view):
                    self._note(name, lambda checked: checked.passed())
            await asyncio.sleep(max(0.0, due - self._clock()))

    def _note(self, name: str, change: Callable[[Checked], Checked]) -> None:
        watch = self._watches[name]
        before, watch.checked = watch.checked.verdict, change(watch.checked)
        if watch.checked.verdict is not before:
            self._changed()


async def passes(health: Health, view: ContainerView) -> bool:
    """One http or tcp check. A redirect passes and is not followed; of a body nothing is read."""
    binding = next((b for b in view.bindings if b.container == health.port and b.protocol == "tcp"), None)
    if binding is None:
        return False
    try:
        async with asyncio.timeout(health.timeout_ms / 1000):
            if health.kind == "http":
                url = URL(f"http://{binding.host_ip}:{binding.host}{health.path or '/'}", encoded=True)
                async with aiohttp.request("GET", url, allow_redirects=False) as response:
                    return 200 <= response.status < 400
            _, writer = await asyncio.open_connection(binding.host_ip, binding.host)
            writer.close()
            await writer.wait_closed()
            return True
    except (OSError, TimeoutError, ValueError, aiohttp.ClientError):
        return False


class StartupChecks:
    """Runs the health commands of starting containers until each passes once or the engine has its own verdict."""

    def __init__(self, runtime: ContainerRuntime, passed: Callable[[], None]) -> None:
        """`passed` is called whenever a container passed for the first time."""
        self._runtime = runtime
        self._passed = passed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready: set[str] = set()

    def watch(self, starting: Mapping[str, tuple[ContainerView, HealthCommand]]) -> None:
        """Watch these running containers, by name, with their checks; forget all others."""
        runs = {_run_of(view): (view, check) for view, check in starting.values()}
        for run in [run for run in self._tasks if run not in runs]:
            self._tasks.pop(run).cancel()
            self._ready.discard(run)
        for run, (view, check) in runs.items():
            if run not in self._tasks:
                self._tasks[run] = asyncio.create_task(self._until_passed(run, view, check))

    def has_passed(self, view: ContainerView) -> bool:
        """Whether the command passed in this run of the container."""
        return _run_of(view) in self._ready

    async def close(self) -> None:
        """End all checks."""
        tasks = list(self._tasks.values())
        self.watch({})
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_passed(self, run: str, view: ContainerView, check: HealthCommand) -> None:
        while True:
            try:
                result = await self._runtime.exec(view.id, check.argv, timeout_seconds=check.timeout_ms / 1000)
                if result.exit_code == 0:
                    self._ready.add(run)
                    self._passed()
                    return
            except (RuntimeFailure, TimeoutError):
                # The program of the check may not exist yet, and the container may be gone: the loop sees which.
                await asyncio.sleep(STARTUP_INTERVAL)
            await asyncio.sleep(STARTUP_INTERVAL)


def _run_of(view: ContainerView) -> str:
    return f"{view.id}@{view.started_at}"

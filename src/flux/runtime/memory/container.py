"""One container of an in-memory engine: its program's task, its health checks, its log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from flux.runtime.memory.clock import Clock
from flux.runtime.memory.process import KILLED, Process, Program, execute
from flux.runtime.types import (
    Binding,
    ContainerHealth,
    ContainerId,
    ContainerSpec,
    ContainerState,
    ContainerView,
    EventKind,
    HealthCommand,
    LogLine,
    LogStream,
)

_NANOSECONDS = 1_000_000_000


class Container:
    """Its state is read through `view`; `tell` is called at each change."""

    def __init__(
        self, identity: ContainerId, spec: ContainerSpec, clock: Clock, tell: Callable[["Container", EventKind], None]
    ) -> None:
        self.id = identity
        self.spec = spec
        self.process: Process | None = None
        self.state = ContainerState.CREATED
        self.exit_code: int | None = None
        self.oom_killed = False
        self.error = ""
        self.health = ContainerHealth.NONE
        self.bindings: tuple[Binding, ...] = ()
        self._clock = clock
        self._tell = tell
        self._created_at = clock.now()
        self._started_at: float | None = None
        self._finished_at: float | None = None
        self._log: list[LogLine] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._doctor: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self.state is ContainerState.RUNNING

    @property
    def started_at(self) -> float:
        """Only while it runs."""
        return self._started_at or 0.0

    def view(self) -> ContainerView:
        return ContainerView(
            id=self.id,
            name=self.spec.name,
            labels=dict(self.spec.labels),
            image=self.spec.image,
            state=self.state,
            exit_code=self.exit_code,
            oom_killed=self.oom_killed,
            error=self.error,
            health=self.health,
            bindings=self.bindings if self.is_running else (),
            created_at=self._created_at,
            started_at=self._started_at,
            finished_at=self._finished_at,
        )

    def start(self, program: Program, bindings: tuple[Binding, ...]) -> None:
        """Run the program in a task of its own."""
        self.process = Process(self.spec, self._clock, self._write)
        self.state, self.exit_code, self.error, self.oom_killed = ContainerState.RUNNING, None, "", False
        self.bindings = bindings
        self._started_at, self._finished_at = self._clock.now(), None
        if self.spec.health is not None:
            self.health = ContainerHealth.STARTING
            self._doctor = asyncio.create_task(self._examine(self.process, self.spec.health))
        self._task = asyncio.create_task(self._run(program, self.process))
        self._change(EventKind.STARTED)

    async def stop(self, grace_seconds: float) -> None:
        """Ask, wait for the grace, kill."""
        if self.process is None or self._task is None or not self.is_running:
            return
        self.process.stop_requested.set()
        patience = asyncio.ensure_future(self._clock.sleep(grace_seconds))
        try:
            await asyncio.wait((self._task, patience), return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        self.kill()

    def kill(self, exit_code: int = KILLED, *, out_of_memory: bool = False) -> None:
        """End the program from outside."""
        if self._task is not None and self.is_running:
            self._task.cancel()
            self.oom_killed = out_of_memory
            self._end(exit_code)

    async def lines(self, *, follow: bool, tail: int | None, since_ns: int) -> AsyncIterator[LogLine]:
        """The log, and what is added to it until the program ends."""
        kept = [line for line in self._log if line.time_ns >= since_ns]
        for line in kept if tail is None else kept[len(kept) - min(tail, len(kept)) :]:
            yield line
        position = len(self._log)
        while follow:
            while position < len(self._log):
                yield self._log[position]
                position += 1
            if not self.is_running:
                return
            await self._changed.wait()

    async def shut_down(self) -> None:
        """Leave no task behind."""
        for task in (self._task, self._doctor):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _run(self, program: Program, process: Process) -> None:
        exit_code = await program(process)
        if process is self.process and self.is_running:
            self._end(exit_code)

    async def _examine(self, process: Process, health: HealthCommand) -> None:
        failures = 0
        while True:
            await self._clock.sleep(health.interval_ms / 1000)
            failures = 0 if execute(process, health.argv).exit_code == 0 else failures + 1
            in_start_period = (self._clock.now() - self.started_at) * 1000 < health.start_period_ms
            found = self.health
            if failures == 0:
                found = ContainerHealth.HEALTHY
            elif failures >= health.retries and not in_start_period:
                found = ContainerHealth.UNHEALTHY
            if found is not self.health:
                self.health = found
                self._change(EventKind.HEALTH_CHANGED)

    def _end(self, exit_code: int) -> None:
        self.state, self.exit_code, self._finished_at = ContainerState.EXITED, exit_code, self._clock.now()
        if self._doctor is not None:
            self._doctor.cancel()
        if self.health is not ContainerHealth.NONE:
            self.health = ContainerHealth.UNHEALTHY
        if self.oom_killed:
            self._change(EventKind.OUT_OF_MEMORY)
        self._change(EventKind.DIED)

    def _write(self, stream: LogStream, text: str) -> None:
        self._log.append(LogLine(int(self._clock.now() * _NANOSECONDS), stream, text))
        self._pulse()

    def _change(self, kind: EventKind) -> None:
        self._pulse()
        self._tell(self, kind)

    def _pulse(self) -> None:
        """Wake everyone who waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()

"""What runs in an in-memory container: a coroutine that gets its process. And a shell of a few words for `exec`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from flux.runtime.memory.clock import Clock
from flux.runtime.types import ContainerSpec, ExecResult, LogStream

KILLED = 137
"""Exit code after SIGKILL."""
NOT_FOUND = 127


@dataclass(slots=True, eq=False)
class Process:
    """A program's view of its container."""

    spec: ContainerSpec
    clock: Clock
    write: Callable[[LogStream, str], None]
    stop_requested: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by `stop`; a program that does not return then is killed after the grace."""
    commands: int = 0
    """How many more run in the container, by `open_exec`."""
    files: set[str] = field(default_factory=set)
    """Paths that exist, for `test -e` in health commands."""

    def print(self, text: str, stream: LogStream = LogStream.OUT) -> None:
        """Write one line to the log."""
        self.write(stream, text)


Program = Callable[[Process], Awaitable[int]]
"""Runs until it returns its exit code."""


async def run_until_stopped(process: Process) -> int:
    """A service that does nothing and ends when asked to."""
    await process.stop_requested.wait()
    return 0


def execute(process: Process, argv: Sequence[str]) -> ExecResult:
    """Run a command: true, false, echo, touch, test -e, cat of a secret; others are not in the image."""
    code, output = 0, ""
    match list(argv):
        case ["true"]:
            code = 0
        case ["false"]:
            code = 1
        case ["echo", *words]:
            output = " ".join(words) + "\n"
        case ["touch", path]:
            process.files.add(path)
        case ["test", "-e", path]:
            code = 0 if path in process.files else 1
        case ["cat", path]:
            found = [secret.data for secret in process.spec.secrets if secret.path == path]
            return ExecResult(0 if found else 1, b"".join(found), b"", truncated=False)
        case _:
            code = NOT_FOUND
    return ExecResult(code, output.encode(), b"", truncated=False)

"""A command in an in-memory container, to talk to: a few words of a shell that read input and obey signals."""

import asyncio
import signal as signals
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flux.runtime.memory.process import Process, execute
from flux.runtime.types import ExecOutput, LogStream, TerminalSize

REPORT_RESIZE = ("sh", "-c", "trap 'stty size; exit 7' WINCH; echo ready; while :; do sleep 0.05; done")
"""Says its window's size once that changes, and ends."""
_PIECES = 16
"""Pieces that wait in each direction before the writer does."""


class MemoryExecSession:
    """Meets `runtime.port.ExecSession`.

    Knows cat, sleep, yes, stty size and REPORT_RESIZE beside what `execute` knows.
    """

    def __init__(self, process: Process, argv: Sequence[str], terminal: TerminalSize | None) -> None:
        self._process = process
        self._argv = tuple(argv)
        self._terminal = terminal
        self._resized = asyncio.Event()
        self._input: asyncio.Queue[bytes] = asyncio.Queue(_PIECES)
        self._output: asyncio.Queue[bytes] = asyncio.Queue(_PIECES)
        self._signal = 0
        self._task = asyncio.create_task(self._run())

    async def read(self) -> ExecOutput | None:
        piece = asyncio.ensure_future(self._output.get())
        await self._unless_ended(piece)
        if not piece.done() and self._output.empty():
            piece.cancel()
            return None
        return ExecOutput(LogStream.OUT, await piece)

    async def write(self, data: bytes) -> None:
        if data:
            await self._put(data)

    async def close_input(self) -> None:
        await self._put(b"")

    async def resize(self, size: TerminalSize) -> None:
        if self._terminal not in (None, size):
            self._terminal = size
            self._resized.set()

    async def signal(self, number: int) -> None:
        if not self._task.done():
            self._signal = number
            self._task.cancel()

    async def wait(self) -> int:
        await asyncio.wait((self._task,))
        return 128 + self._signal if self._task.cancelled() else self._task.result()

    async def hang_up(self) -> None:
        """End the command if it still runs."""
        await self.signal(signals.SIGHUP)
        await asyncio.wait((self._task,))

    async def _run(self) -> int:
        self._process.commands += 1
        try:
            return await self._obey()
        finally:
            self._process.commands -= 1

    async def _obey(self) -> int:
        match self._argv:
            case ("cat",):
                while data := await self._input.get():
                    await self._output.put(data)
            case ("sleep", seconds):
                await self._process.clock.sleep(float(seconds))
            case ("yes",):
                while True:
                    await self._output.put(b"y\n" * 1024)
            case ("stty", "size"):
                await self._say_size()
            case argv if argv == REPORT_RESIZE:
                await self._output.put(b"ready\r\n")
                await self._resized.wait()
                await self._say_size()
                return 7
            case argv:
                result = execute(self._process, argv)
                if result.stdout:
                    await self._output.put(result.stdout)
                return result.exit_code
        return 0

    async def _say_size(self) -> None:
        if self._terminal is not None:
            await self._output.put(f"{self._terminal.rows} {self._terminal.columns}\r\n".encode())

    async def _put(self, data: bytes) -> None:
        putting = asyncio.ensure_future(self._input.put(data))
        await self._unless_ended(putting)
        putting.cancel()

    async def _unless_ended(self, waited: "asyncio.Future[bytes] | asyncio.Future[None]") -> None:
        try:
            await asyncio.wait((waited, self._task), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            waited.cancel()
            raise


@asynccontextmanager
async def open_exec(
    process: Process, argv: Sequence[str], terminal: TerminalSize | None
) -> AsyncIterator[MemoryExecSession]:
    """The session of a command."""
    session = MemoryExecSession(process, argv, terminal)
    try:
        yield session
    finally:
        await session.hang_up()

"""A command in a container on Docker: aiodocker's stream, and signals by way of the host's process table.

The Engine API can neither signal such a command nor end it, and leaves it running when its client goes away. So the
agent does it itself where it shares the host with the Engine: the process is told by its cgroup, held by a pidfd.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
from aiodocker.execs import Exec
from aiodocker.stream import Stream

from flux.runtime.checks import check_name
from flux.runtime.docker.connection import STREAM_ERRORS, Connection, broken_stream
from flux.runtime.docker.failures import failure
from flux.runtime.errors import ContainerNotFound, ContainerNotRunning, EngineFailed, RequestRefused
from flux.runtime.types import ContainerId, ExecOutput, ExecResult, LogStream, TerminalSize

_LONGEST_OUTPUT = 1024 * 1024
"""Of a command that is run to its end, both streams together."""
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 0.5
"""Seconds between two looks at a command that has closed its outputs and not ended."""
_LOOKS_FOR_A_PROCESS = 250
"""Before a command without one is taken for one that cannot be reached."""
_HANG_UP_GRACE = 1.0
"""Seconds that a command has after SIGHUP."""


class DockerExecSession:
    """Meets `runtime.port.ExecSession`."""

    def __init__(self, connection: Connection, process: Exec, stream: Stream) -> None:
        self._connection = connection
        self._process = process
        self._stream = stream

    async def read(self) -> ExecOutput | None:
        try:
            message = await self._stream.read_out()
        except STREAM_ERRORS as error:
            found = broken_stream(error)
        else:
            if message is None:
                return None
            return ExecOutput(LogStream.ERR if message.stream == 2 else LogStream.OUT, bytes(message.data))
        raise found

    async def write(self, data: bytes) -> None:
        if (transport := self._transport()) is None or transport.is_closing():
            return
        try:
            await self._stream.write_in(data)
        except (OSError, aiohttp.ClientError):
            return  # it ended meanwhile: its output and exit code say how

    async def close_input(self) -> None:
        if (transport := self._transport()) is None or transport.is_closing():
            return
        if not transport.can_write_eof():
            raise RequestRefused("The way to the engine cannot end a command's input alone.", "Use its Unix socket.")
        transport.write_eof()

    async def resize(self, size: TerminalSize) -> None:
        if not (await self._begun())["Running"]:
            return
        try:
            await self._connection.ask(self._process.resize(h=size.rows, w=size.columns))
        except (RequestRefused, EngineFailed, ContainerNotFound, ContainerNotRunning):
            return  # it has no terminal, or has ended meanwhile

    async def signal(self, number: int) -> None:
        found = await self._begun()
        if not found["Running"]:
            return
        if not _signal(found["Pid"], found["ContainerID"], number):
            raise RequestRefused(
                "The agent cannot signal this command.", "It needs the engine on the same machine, and root."
            )

    async def wait(self) -> int:
        pause = _FIRST_WAIT
        while (found := await self._inspect())["Running"] or found["ExitCode"] is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_WAIT)
        return int(found["ExitCode"])

    async def hang_up(self) -> None:
        """Close the stream and end the command if it still runs."""
        transport = self._transport()
        await self._stream.close()
        if transport is not None:
            transport.abort()  # input that nobody took would keep it open
        for number in (signal.SIGHUP, signal.SIGKILL):
            found = await self._begun()
            if not found["Running"] or not _signal(found["Pid"], found["ContainerID"], number):
                return
            try:
                async with asyncio.timeout(_HANG_UP_GRACE):
                    await self.wait()
            except TimeoutError:
                continue

    async def _begun(self) -> dict[str, Any]:
        """What the Engine says of the command once it has a process: it answers `start` before."""
        found = await self._inspect()
        for _ in range(_LOOKS_FOR_A_PROCESS):
            if found["Pid"] or not found["Running"]:
                break
            await asyncio.sleep(_FIRST_WAIT)
            found = await self._inspect()
        return found

    def _transport(self) -> asyncio.Transport | None:
        response = self._stream._resp  # aiodocker ends the input only together with the output
        connection = None if response is None else response.connection
        transport = None if connection is None else connection.transport
        return transport if isinstance(transport, asyncio.Transport) else None

    async def _inspect(self) -> dict[str, Any]:
        return await self._connection.ask(self._process.inspect())


@asynccontextmanager
async def open_exec(
    connection: Connection,
    container: ContainerId,
    argv: Sequence[str],
    terminal: TerminalSize | None,
    *,
    with_input: bool = True,
) -> AsyncIterator[DockerExecSession]:
    """The session of a command; see `runtime.port.ContainerRuntime.open_exec`. Without input it reads its end."""
    check_name(container)
    docker = await connection.docker()
    handle = docker.containers.container(container)
    created = handle.exec(list(argv), stdin=with_input, tty=terminal is not None)
    process = await connection.ask(created, argv)
    stream = process.start(detach=False)
    await _begin(stream, argv)
    session = DockerExecSession(connection, process, stream)
    try:
        if terminal is not None:
            await session.resize(terminal)
        yield session
    finally:
        await session.hang_up()


async def execute(
    connection: Connection, container: ContainerId, argv: Sequence[str], timeout_seconds: float
) -> ExecResult:
    """A command to its end; see `runtime.port.ContainerRuntime.exec`."""
    output = {LogStream.OUT: bytearray(), LogStream.ERR: bytearray()}
    truncated = False
    async with (
        asyncio.timeout(timeout_seconds),
        open_exec(connection, container, argv, None, with_input=False) as session,
    ):
        while (piece := await session.read()) is not None:
            room = _LONGEST_OUTPUT - sum(len(part) for part in output.values())
            output[piece.stream] += piece.data[:room]
            truncated = truncated or len(piece.data) > room
        exit_code = await session.wait()
    return ExecResult(exit_code, bytes(output[LogStream.OUT]), bytes(output[LogStream.ERR]), truncated)


async def _begin(stream: Stream, argv: Sequence[str]) -> None:
    try:
        await stream.__aenter__()
    except aiodocker.DockerError as error:
        found = failure(error.status, error.message, argv)
    except STREAM_ERRORS as error:
        found = broken_stream(error)
    else:
        return
    raise found


def _signal(pid: int, container: str, number: int) -> bool:
    """Whether the process is the container's and took the signal. Its pidfd makes sure that it is no later process."""
    try:
        handle = os.pidfd_open(pid)
    except (OSError, OverflowError, ValueError):
        return False
    try:
        if container not in Path(f"/proc/{pid}/cgroup").read_text():
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True

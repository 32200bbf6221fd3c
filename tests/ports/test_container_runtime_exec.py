"""What every adapter of the runtime port promises about commands that somebody talks to."""

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from flux.runtime.errors import ContainerNotFound, ContainerNotRunning
from flux.runtime.memory.exec_session import REPORT_RESIZE
from flux.runtime.port import ExecSession
from flux.runtime.types import ContainerId, TerminalSize
from support.runtime_lab import PATIENCE_SECONDS, SERVE, STAND, Lab, eventually

MUCH = 32 * 2**20
WINDOW = TerminalSize(columns=91, rows=37)


async def rest(session: ExecSession) -> bytes:
    """All output to its end."""
    data = bytearray()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (piece := await session.read()) is not None:
            data += piece.data
    return bytes(data)


async def until(session: ExecSession, words: bytes) -> bytes:
    data = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while words not in data:
            piece = await session.read()
            assert piece is not None, f"the output ended before {words!r}: {data!r}"
            data += piece.data
    return data


async def test_output_and_exit_code_come_back(lab: Lab) -> None:
    container = await lab.run(SERVE)
    async with lab.runtime.open_exec(container, ["echo", "one", "two"]) as session:
        assert await rest(session) == b"one two\n"
        assert await session.wait() == 0
    async with lab.runtime.open_exec(container, ["false"]) as session:
        assert await rest(session) == b""
        assert await session.wait() == 1
    async with lab.runtime.open_exec(container, ["no-such-program"]) as session:
        await rest(session)
        assert await session.wait() in (126, 127)


async def test_input_goes_through_byte_for_byte_and_its_end_is_told(lab: Lab) -> None:
    container = await lab.run(SERVE)
    sent = os.urandom(64) + bytes(range(256)) * 8192
    async with lab.runtime.open_exec(container, ["cat"]) as session:

        async def send() -> None:
            for start in range(0, len(sent), 65536):
                await session.write(sent[start : start + 65536])
            await session.close_input()

        sending = asyncio.create_task(send())
        received = await rest(session)
        await sending
        assert received == sent
        assert await session.wait() == 0


async def test_a_reader_who_waits_makes_the_command_wait(lab: Lab) -> None:
    container = await lab.run(SERVE)
    async with lab.runtime.open_exec(container, ["cat"]) as session:
        piece = bytes(65536)
        written = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while written < MUCH:
                    await session.write(piece)
                    written += len(piece)
        assert written < MUCH


async def test_a_terminal_has_a_size_that_may_change(lab: Lab) -> None:
    container = await lab.run(SERVE)
    async with lab.runtime.open_exec(container, REPORT_RESIZE, terminal=TerminalSize(80, 24)) as session:
        await until(session, b"ready")
        await session.resize(WINDOW)
        assert await until(session, b"37 91") is not None
        await rest(session)
        assert await session.wait() == 7


async def test_a_signal_ends_a_command(lab: Lab) -> None:
    container = await lab.run(SERVE)
    async with lab.runtime.open_exec(container, ["sleep", "1000"]) as session:
        await session.signal(signal.SIGTERM)
        assert await rest(session) == b""
        assert await session.wait() == 128 + signal.SIGTERM


@pytest.mark.parametrize("terminal", [None, WINDOW])
async def test_a_command_ends_when_it_is_left(lab: Lab, terminal: TerminalSize | None) -> None:
    container = await lab.run(STAND)
    async with lab.runtime.open_exec(container, ["sleep", "1000"], terminal=terminal):
        await eventually(lambda: lab.runtime.stats(container), lambda stats: stats.pids == 2)
    await eventually(lambda: lab.runtime.stats(container), lambda stats: stats.pids == 1)


async def test_what_is_written_after_the_end_is_lost(lab: Lab) -> None:
    container = await lab.run(SERVE)
    async with lab.runtime.open_exec(container, ["true"]) as session:
        await rest(session)
        await session.write(b"too late")
        await session.close_input()
        await session.signal(signal.SIGTERM)
        assert await session.wait() == 0


async def test_a_session_needs_a_running_container(lab: Lab) -> None:
    container = await lab.create(lab.spec())
    with pytest.raises(ContainerNotRunning):
        async with lab.runtime.open_exec(container, ["true"]):
            pass
    with pytest.raises(ContainerNotFound):
        async with lab.runtime.open_exec(ContainerId("flux-nowhere"), ["true"]):
            pass

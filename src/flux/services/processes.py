"""Child processes of ours: each with a log file of its own, found again later, never confused with strangers.

A process is named by its id *and* when it started, since ids are used again.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from flux.services.errors import CloudFailed

PROGRAM = "flux.cli.main"
_POLL = 0.02
_START_TOLERANCE = 1.0
"""Seconds by which two readings of a process's start may differ (the kernel's clock ticks, adjusted time)."""
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process as the state file knows it."""

    name: str
    pid: int
    started: float
    """Unix seconds, as the system says."""
    log: str

    def find(self) -> psutil.Process | None:
        """The process if it is still the same one and alive."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _START_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def is_alive(self) -> bool:
        return self.find() is not None


class ChildProcess:
    """A running `flux …` command of ours."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self.log = log
        self.record = ProcessRecord(name, process.pid, psutil.Process(process.pid).create_time(), str(log))

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def pid(self) -> int:
        return self.record.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        while True:
            if (code := self.exit_code) is not None:
                return code
            await asyncio.sleep(_POLL)

    async def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL when it lingers."""
        if self.exit_code is None:
            self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.wait()
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL."""
        if self.exit_code is None:
            self._process.kill()
        await self.wait()

    def check(self) -> None:
        """Raise CloudFailed when it has ended, with its last words."""
        if (code := self.exit_code) is not None:
            raise CloudFailed(
                f"{self.name} ended with {_ending(code)}: {last_line(self.log)}", f"its log is {self.log}"
            )


def start(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, program: str = PROGRAM
) -> ChildProcess:
    """Start `flux ARGUMENTS` in a session of its own: Ctrl-C reaches only the supervisor, which stops all in order.

    `program` is the Python module that takes the arguments.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    return ChildProcess(name, process, log)


async def end(record: ProcessRecord, seconds: float) -> None:
    """Stop a process that is not our child any more: SIGTERM, then SIGKILL. A stranger with its id is left alone."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        process = record.find()
        if process is None:
            return
        with suppress(psutil.Error):
            process.send_signal(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await _ended(record)


async def _ended(record: ProcessRecord) -> None:
    """The system tells only a parent when a process ends; others have to look."""
    while True:
        if not record.is_alive:
            return
        await asyncio.sleep(_POLL)


def last_line(log: Path) -> str:
    """The last words of a process."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return "it left no log"
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("error: ")


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"

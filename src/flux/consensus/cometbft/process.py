"""The `cometbft` program: found, started, listened to, started again when it ends, stopped.

It ends by itself whenever its connection to the application breaks, also with exit code 0, and has to be started anew
then. Its log lines become ours.
"""

import asyncio
import json
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from flux.consensus.cometbft.errors import CometError, CometMissing

log = structlog.get_logger(__name__)
PROGRAM = "cometbft"
_STOP_SECONDS = 10.0
_SHORT_LIFE = 10.0
"""Seconds; a program that ends sooner did not get going."""
_SHORT_LIVES = 6
"""In a row, until it is given up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_LINE_LIMIT = 1 << 20


def find_program() -> Path:
    """The program on PATH, or where `make cometbft` puts it. Raises CometMissing."""
    beside = Path(sys.prefix).parent / ".flux" / "bin" / PROGRAM
    found = shutil.which(PROGRAM) or (str(beside) if beside.exists() else None)
    if found is None:
        raise CometMissing(
            "the program cometbft (v0.40) is not installed: run `make cometbft`, or put it on PATH "
            "(go install github.com/cometbft/cometbft/cmd/cometbft@v0.40.0)"
        )
    return Path(found).resolve()


class CometProcess:
    """One node's program. `run` keeps it running until `stop`."""

    def __init__(self, program: Path, home: Path, on_line: Callable[[str], None]) -> None:
        """`on_line` hears each message that it logs."""
        self._command = (str(program), "start", "--home", str(home))
        self._home = home
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._tail: deque[str] = deque(maxlen=20)

    @property
    def pid(self) -> int | None:
        """Of the program while it runs."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def run(self) -> None:
        """Run until stopped. Raises CometError when it keeps ending."""
        short_lives, pause = 0, _FIRST_PAUSE
        while not self._stopping.is_set():
            begun = time.monotonic()
            code = await self._live()
            if self._stopping.is_set():
                return
            if time.monotonic() - begun >= _SHORT_LIFE:
                short_lives, pause = 0, _FIRST_PAUSE
            short_lives += 1
            last = self._tail[-1] if self._tail else "it said nothing"
            log.warning("cometbft ended", code=code, last=last)
            if short_lives >= _SHORT_LIVES:
                raise CometError(f"cometbft keeps ending (exit code {code}): {last}")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it lingers; `run` returns."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _live(self) -> int:
        """One life of it; the exit code."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        log.info("cometbft started", pid=process.pid)
        assert process.stdout is not None
        try:
            while line := await self._line(process.stdout):
                self._forward(line.decode("utf-8", "replace").strip())
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _line(self, output: asyncio.StreamReader) -> bytes:
        """The next line; empty at the end. A peer decides how long one is: CometBFT prints what it refused."""
        while True:
            try:
                return await output.readline()
            except ValueError:
                log.warning("a log line of cometbft is left out: it is too long", limit=_LINE_LIMIT)

    def _forward(self, line: str) -> None:
        """A line of its log into ours."""
        if not line:
            return
        try:
            document = json.loads(line)
            level, message = str(document.pop("level")), str(document.pop("_msg"))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Panics and the like, as Go prints them.
            level, message, document = "error", line, {}
        document.pop("ts", None)
        facts = {f"comet_{key}": value for key, value in document.items()}
        if level == "error":
            self._tail.append(f"{message} {document.get('err', '')}".strip())
            log.error("cometbft: " + message, **facts)
        else:
            log.info("cometbft: " + message, **facts)
        self._on_line(message)

"""Run a command with a working Docker Engine: `python -m tools.with_engine COMMAND…`.

DOCKER_HOST is set for the command. Its exit status is passed on. However it ends (also by Ctrl-C, SIGTERM or SIGHUP to
this process), the Engine is stopped if this started it and nobody else uses it.
"""

import signal
import subprocess
import sys
from types import FrameType

from tools.engine import running_engine
from tools.errors import ToolError, run_tool

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 30


class Interrupted(BaseException):
    """A signal asked this process to end. Not an Exception, so that nothing on the way takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> int:
    """Run the command of the command line and return its status, 128 + N after signal N."""
    command = sys.argv[1:]
    if not command:
        raise ToolError("Say which command to run: tools/with_engine COMMAND…")
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with running_engine():
            try:
                return _run(command)
            finally:
                _ignore_signals()
    except Interrupted as interruption:
        return 128 + interruption.number


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def _let_signals_in() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _ignore_signals() -> None:
    """The way out is short, and must be walked to its end."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _run(command: list[str]) -> int:
    # A signal between the start and the wait would leave the command to nobody.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        process = subprocess.Popen(command, preexec_fn=_let_signals_in)
    except OSError as error:
        _let_signals_in()
        raise ToolError(f"Cannot run {command[0]}: {error.strerror}") from error
    try:
        _let_signals_in()
        status = process.wait()
    except Interrupted as interruption:
        _ignore_signals()
        _end(process, interruption.number)
        raise
    return status if status >= 0 else 128 - status


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    """Let the command clean up. After Ctrl-C the terminal has told it too, so it is only reminded when it lingers."""
    if number != signal.SIGINT:
        process.send_signal(number)
    for reminder in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.wait(_GRACE_SECONDS if sys.stdin.isatty() or number != signal.SIGINT else 2)
        except subprocess.TimeoutExpired:
            process.send_signal(reminder)
    process.wait()


if __name__ == "__main__":
    run_tool(main)

"""This process' own terminal and streams, for commands that talk to a program elsewhere."""

import asyncio
import os
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

_CHUNK = 32 * 1024
_STDIN = 0


def are_terminals() -> bool:
    """Whether people sit at both ends."""
    return os.isatty(_STDIN) and sys.stdout.isatty()


def window() -> tuple[int, int]:
    """Columns and rows."""
    size = os.get_terminal_size(_STDIN)
    return max(1, size.columns), max(1, size.lines)


@contextmanager
def raw_mode() -> Iterator[None]:
    """Every key goes through as it is, Ctrl-C too; put right again at the end."""
    before = termios.tcgetattr(_STDIN)
    tty.setraw(_STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)


async def read_input() -> AsyncIterator[bytes]:
    """Standard input to its end, whatever it is; read in a thread, since files and terminals cannot be polled alike.

    The thread is left behind when its reader goes: it may wait for a key that nobody presses.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    wanted = threading.Semaphore(1)

    def read() -> None:
        while True:
            wanted.acquire()
            try:
                data = os.read(_STDIN, _CHUNK)
            except OSError:
                data = b""
            if loop.is_closed():
                return
            loop.call_soon_threadsafe(pieces.put_nowait, data)
            if not data:
                return

    threading.Thread(target=read, daemon=True).start()
    while data := await pieces.get():
        yield data
        wanted.release()


def write_output(data: bytes, *, is_error: bool) -> None:
    """All of it, now."""
    stream = sys.stderr.buffer if is_error else sys.stdout.buffer
    stream.write(data)
    stream.flush()

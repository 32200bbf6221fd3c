"""Questions on the terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


def confirm(question: str) -> None:
    """Raises typer.Abort unless the answer is yes."""
    import typer

    with _interruptible():
        typer.confirm(question, abort=True, err=True)


def hidden(question: str, *, twice: bool = False) -> str:
    """An answer that nobody sees on the screen. Raises typer.Abort."""
    import typer

    with _interruptible():
        return str(typer.prompt(question, hide_input=True, confirmation_prompt=twice, err=True))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the question: in an event loop it would cancel the task that asks, and that waits for the answer."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

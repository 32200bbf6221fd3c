"""Questions on the terminal, asked while an event loop runs."""

import asyncio
import signal

import pytest
import typer

from flux.cli.asking import confirm, hidden


@pytest.mark.parametrize("name", ["confirm", "prompt"])
def test_one_ctrl_c_ends_a_question(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def asked(*_: object, **__: object) -> str:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise typer.Abort from None
        return "answered"

    monkeypatch.setattr(f"typer.{name}", asked)

    async def command() -> None:
        before = signal.getsignal(signal.SIGINT)
        try:
            confirm("Remove it?") if name == "confirm" else hidden("Value")
        finally:
            assert signal.getsignal(signal.SIGINT) is before

    with pytest.raises(typer.Abort):
        asyncio.run(command())

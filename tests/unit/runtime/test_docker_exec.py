"""A command in a container whose Engine goes away meanwhile."""

from typing import Any

import aiohttp
import pytest

from flux.runtime.docker.exec_session import execute
from flux.runtime.errors import RuntimeUnavailable
from flux.runtime.types import ContainerId


class DyingDocker:
    """An Engine that takes a command and then ends, and the connection to it; also container, command and stream."""

    def __init__(self) -> None:
        self.containers = self

    async def docker(self) -> "DyingDocker":
        return self

    async def ask(self, answer: Any, _: Any = ()) -> Any:
        return await answer

    def container(self, _: str) -> "DyingDocker":
        return self

    async def exec(self, _: list[str], *, stdin: bool, tty: bool) -> "DyingDocker":
        assert not stdin
        assert not tty
        return self

    def start(self, *, detach: bool) -> "DyingDocker":
        assert not detach
        return self

    async def __aenter__(self) -> "DyingDocker":
        return self

    _resp = None

    async def close(self) -> None:
        pass

    async def inspect(self) -> None:
        raise RuntimeUnavailable("It is gone.")

    async def read_out(self) -> None:
        raise aiohttp.ServerDisconnectedError


async def test_an_engine_that_goes_away_during_a_command_is_told_in_the_words_of_the_port() -> None:
    with pytest.raises(RuntimeUnavailable):
        await execute(DyingDocker(), ContainerId("web"), ["true"], 5)  # type: ignore[arg-type]

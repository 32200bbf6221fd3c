"""A command in a container whose Engine goes away meanwhile."""

from typing import Any

import aiohttp
import pytest

from flux.runtime.docker.observation import Observation
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

    async def exec(self, _: list[str]) -> "DyingDocker":
        return self

    def start(self, *, detach: bool) -> "DyingDocker":
        assert not detach
        return self

    async def __aenter__(self) -> "DyingDocker":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read_out(self) -> None:
        raise aiohttp.ServerDisconnectedError


async def test_an_engine_that_goes_away_during_a_command_is_told_in_the_words_of_the_port() -> None:
    with pytest.raises(RuntimeUnavailable):
        await Observation(DyingDocker()).exec(ContainerId("web"), ["true"], 5)  # type: ignore[arg-type]

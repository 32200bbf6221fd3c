"""Logs over the node's API: who reads slowly, nothing, or went away takes no more of a node than it may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from flux.agent.api.logs import LogLimits
from flux.runtime.types import LogStream
from flux.sdk.agent_api import AgentClient, AgentRefused
from support.agent_api_lab import OWNER, AgentApiLab, agent_api_lab
from support.waiting import until

ONE = LogLimits(per_lease=1, stall_seconds=0.5, look_seconds=0.1)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[AgentApiLab]:
    async with agent_api_lab(tmp_path, logs=ONE) as lab:
        yield lab


def follow(api: AgentApiLab, agents: AgentClient, tail: int = 0) -> AsyncIterator[dict[str, Any]]:
    return agents.logs(api.node, OWNER, api.lease.id, follow=True, tail=tail)


def say(api: AgentApiLab, line: str) -> None:
    (container,) = api.engine.containers.values()
    assert container.process is not None
    container.process.print(line, LogStream.OUT)


async def is_free(api: AgentApiLab) -> bool:
    """Whether the one reader that may be there is not."""
    try:
        async for _ in api.agents.logs(api.node, OWNER, api.lease.id, follow=False, tail=0):
            pass
    except AgentRefused as refused:
        return refused.status != 429
    return True


async def test_readers_of_one_instance_are_counted(api: AgentApiLab) -> None:
    say(api, "first")
    async with aclosing(follow(api, api.agents, tail=1)) as lines:  # type: ignore[type-var]
        assert (await anext(lines))["text"] == "first"
        assert not await is_free(api)
    await until(lambda: is_free(api))


async def test_a_reader_that_leaves_an_app_that_says_nothing_is_noticed(api: AgentApiLab) -> None:
    say(api, "last words")
    async with AgentClient() as leaving:
        await anext(follow(api, leaving, tail=1))
    await until(lambda: is_free(api))


async def test_a_reader_that_leaves_a_talkative_app_is_noticed(api: AgentApiLab) -> None:
    talking = asyncio.create_task(_talk(api))
    try:
        async with AgentClient() as leaving:
            await anext(follow(api, leaving))
        await until(lambda: is_free(api))
    finally:
        talking.cancel()


async def test_a_reader_that_takes_nothing_is_cut_off(api: AgentApiLab) -> None:
    talking = asyncio.create_task(_talk(api))
    try:
        async with AgentClient() as idle:
            lines = follow(api, idle)
            await anext(lines)
            await until(lambda: is_free(api))
    finally:
        talking.cancel()


async def test_the_longest_line_reaches_its_reader_whatever_is_in_it(tmp_path: Path) -> None:
    line = "\0" * 64 * 1024
    async with agent_api_lab(tmp_path) as api:
        say(api, line)
        async with aclosing(follow(api, api.agents, tail=1)) as lines:  # type: ignore[type-var]
            assert (await anext(lines))["text"] == line


async def _talk(api: AgentApiLab) -> None:
    while True:
        for _ in range(20):
            say(api, "x" * 60_000)
        await asyncio.sleep(0)

"""An agent's loops: a fault in one leaves the others running."""

import asyncio

import pytest

from flux.services import agent
from support.waiting import until


async def test_a_loop_that_fails_begins_anew_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "RETRY", 0)
    begun, faults = 0, 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise KeyError("what a stranger left out")
        await asyncio.Event().wait()

    def faulted() -> None:
        nonlocal faults
        faults += 1

    async with asyncio.TaskGroup() as group:
        other = group.create_task(asyncio.Event().wait())
        task = group.create_task(agent.begin_anew(work, faulted))
        await until(lambda: begun == 3, 5)
        assert faults == 2
        assert not other.done()
        task.cancel()
        other.cancel()
    assert task.cancelled()

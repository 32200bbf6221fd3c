"""What nodes say is anything: it neither ends a command for all other nodes nor commands the terminal."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from flux.cli.output import Output
from flux.cli.usage import UsageReader
from flux.contracts.nodes.types import Node
from flux.sdk import agent_api
from flux.sdk.agent_api import AgentClient
from flux.sdk.errors import Unreachable
from flux.sdk.signer import Signer
from support.leases import make_lease

STATUS = {"components": [{"component": "web", "state": "running", "health": "none"}]}


class HandAgents:
    """Nodes that answer as they like."""

    def __init__(self, status: Any, stats: Any) -> None:
        self._status = status
        self._stats = stats

    async def status(self, *_: object) -> Any:
        return self._status

    async def stats(self, *_: object) -> Any:
        return self._stats


@pytest.mark.parametrize(
    ("status", "stats"),
    [
        ({}, {"components": {}}),
        (STATUS, {}),
        ({"components": 7}, {"components": {}}),
        ({"components": [7]}, {"components": {}}),
        ({"components": [{"component": []}]}, {"components": {}}),
        (STATUS, {"components": []}),
        (STATUS, {"components": {"web": 7}}),
    ],
)
async def test_an_answer_without_sense_is_said_of_its_instance_alone(status: Any, stats: Any) -> None:
    lease = make_lease()
    reader = UsageReader(cast(AgentClient, HandAgents(status, stats)), cast(Signer, None))
    (instance,) = await reader.read([lease], {lease.node: cast(Node, None)})
    assert instance.error
    assert instance.health == "unknown"


@pytest.mark.parametrize("value", ["text", None, float("nan"), float("inf"), -1, 2**63])
async def test_counters_that_are_none_are_left_out(value: Any) -> None:
    lease = make_lease()
    told = {"components": {"web": {"read_at": 1.0, "cpu_ns": 2, "memory_bytes": value}}}
    reader = UsageReader(cast(AgentClient, HandAgents(STATUS, told)), cast(Signer, None))
    for _ in range(2):
        (instance,) = await reader.read([lease], {lease.node: cast(Node, None)})
        assert (instance.error, instance.memory) == ("", 0)


@asynccontextmanager
async def asked(body: bytes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AgentClient]:
    """A client of nodes that answer this to everything."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/answer", answer)
    async with TestServer(app) as server, AgentClient() as agents:
        monkeypatch.setattr(agents, "_get", lambda *_: aiohttp.request("GET", server.make_url("/answer")))
        monkeypatch.setattr(agent_api, "_base", lambda _: "https://node")
        yield agents


@pytest.mark.parametrize("body", [b"no JSON", b"[" * 2000, b"7", b"\xff"])
async def test_a_node_that_answers_something_else_counts_as_unreachable(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(body, monkeypatch) as agents:
        with pytest.raises(Unreachable):
            await agents.status(cast(Node, None), cast(Signer, None), make_lease().id)


def test_a_terminal_obeys_nothing_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    output, hostile = Output(json=False), "\x1b]0;title\x07\x1b[2J"
    output.line(f"a\tline\n{hostile}")
    output.note(hostile)
    output.failure({}, f"error: {hostile}")
    shown = "".join(capsys.readouterr())
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "a\tline\n" in shown
    Output(json=True).document({"said": hostile})
    assert json.loads(capsys.readouterr().out) == {"said": hostile}


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON\n",
        b"7\n",
        b"{}\n",
        b"\xff\n",
        b"[" * 2000 + b"\n",
        b'{"component": "web", "time_ns": 1, "stream": "stdout", "text": ["x"]}\n',
        b'{"component": "web", "time_ns": 1e300, "stream": "stdout", "text": "x"}\n',
        b'{"component": "web", "time_ns": 99999999999999999999999, "stream": "stdout", "text": "x"}\n',
        b'{"component": "web", "time_ns": 1, "stream": "stdout", "text": "\\ud800"}\n',
        b"x" * 3_000_000,
    ],
)
async def test_log_lines_that_are_none_end_the_stream_of_that_node(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(body, monkeypatch) as agents:
        with pytest.raises(Unreachable):
            await anext(agents.logs(cast(Node, None), cast(Signer, None), make_lease().id, follow=False, tail=1))


def test_an_item_of_a_stream_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=False).item({}, "web\x1b]0;mine\x07 \x9b31m| \tgood")
    assert capsys.readouterr().out == "web\ufffd]0;mine\ufffd \ufffd31m| \tgood\n"

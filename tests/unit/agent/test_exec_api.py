"""`exec` over the node's API: bytes both ways, windows, signals, exit codes; bounds; nobody but the owner."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from flux.agent.api.exec import ExecLimits
from flux.runtime.memory.exec_session import REPORT_RESIZE
from flux.sdk.agent_api import AgentRefused, signed_headers
from flux.sdk.exec_session import WINDOW, Channel, ExecClient, SessionEnded, Start, message
from support.agent_api_lab import OWNER, STRANGER, AgentApiLab, agent_api_lab
from support.waiting import until


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[AgentApiLab]:
    async with agent_api_lab(tmp_path) as lab:
        yield lab


async def rest(session: ExecClient) -> bytes:
    data = bytearray()
    async with asyncio.timeout(20):
        async for piece in session.output():
            data += piece.data
    return bytes(data)


async def test_the_owner_runs_a_command_and_gets_its_exit_code(api: AgentApiLab) -> None:
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("echo", "one"))) as session:
        assert await rest(session) == b"one\n"
        assert session.exit_code == 0
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("false",))) as session:
        assert await rest(session) == b""
        assert session.exit_code == 1


async def test_more_than_a_window_of_bytes_goes_through_unchanged(api: AgentApiLab) -> None:
    sent = os.urandom(3 * WINDOW + 17)
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("cat",))) as session:

        async def send() -> None:
            await session.write(sent)
            await session.close_input()

        sending = asyncio.create_task(send())
        assert await rest(session) == sent
        await sending
        assert session.exit_code == 0


async def test_a_window_and_a_signal_reach_a_command_that_reads_no_input(api: AgentApiLab) -> None:
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(REPORT_RESIZE, True, 80, 24)) as session:
        await session.write(bytes(WINDOW))
        await session.resize(91, 37)
        assert b"37 91" in await rest(session)
        assert session.exit_code == 7
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("sleep", "1000"))) as session:
        await session.write(bytes(WINDOW))
        await session.signal(signal.SIGTERM)
        assert await rest(session) == b""
        assert session.exit_code == 128 + signal.SIGTERM


async def test_a_command_ends_when_its_client_goes_away(api: AgentApiLab) -> None:
    (container,) = api.engine.containers.values()
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("sleep", "1000"))):
        await until(lambda: container.process is not None and container.process.commands == 1)
    await until(lambda: container.process is not None and container.process.commands == 0)
    await until(lambda: not api.exec.find_refusal(api.lease.id))


async def test_nobody_but_the_owner_gets_a_session(api: AgentApiLab) -> None:
    with pytest.raises(AgentRefused, match="only the app's owner") as refused:
        async with api.agents.exec(api.node, STRANGER, api.lease.id, Start(("true",))):
            pass
    assert refused.value.status == 403


async def test_a_request_for_a_session_counts_once(api: AgentApiLab) -> None:
    target = f"/v1/leases/{api.lease.id}/exec?component="
    url = f"https://{api.node.endpoint.host}:{api.node.endpoint.port}{target}"
    headers = signed_headers(OWNER, api.node.endpoint.certificate, "GET", target, int(time.time()))
    async with aiohttp.ClientSession() as http:
        pin = aiohttp.Fingerprint(api.node.endpoint.certificate)
        async with http.ws_connect(url, ssl=pin, headers=headers):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url, ssl=pin, headers=headers)
        assert refused.value.status == 401


async def test_a_component_that_does_not_run_is_named(api: AgentApiLab) -> None:
    with pytest.raises(AgentRefused, match=r"database does not run .* these do: web") as refused:
        async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("true",)), "database"):
            pass
    assert refused.value.status == 409


async def test_of_several_components_one_must_be_chosen(tmp_path: Path) -> None:
    async with agent_api_lab(tmp_path, components=("database", "web")) as api:
        with pytest.raises(AgentRefused, match="choose a component: database, web"):
            async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("true",))):
                pass


async def test_sessions_are_bounded_in_number_and_in_time(tmp_path: Path) -> None:
    async with (
        agent_api_lab(tmp_path, ExecLimits(per_lease=1)) as api,
        api.agents.exec(api.node, OWNER, api.lease.id, Start(("sleep", "1000"))),
    ):
        with pytest.raises(AgentRefused, match="1 sessions are open") as refused:
            async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("true",))):
                pass
        assert refused.value.status == 429
    limits = ExecLimits(idle_seconds=0.3, total_seconds=30)
    async with (
        agent_api_lab(tmp_path, limits) as api,
        api.agents.exec(api.node, OWNER, api.lease.id, Start(("sleep", "1000"))) as session,
    ):
        with pytest.raises(SessionEnded, match=r"nothing was said for 0\.3 s"):
            await rest(session)
    limits = ExecLimits(idle_seconds=30, total_seconds=0.3)
    async with (
        agent_api_lab(tmp_path, limits) as api,
        api.agents.exec(api.node, OWNER, api.lease.id, Start(("sleep", "1000"))) as session,
    ):
        with pytest.raises(SessionEnded, match=r"lasts 0\.3 s at most"):
            await rest(session)


@pytest.mark.parametrize(
    "start",
    [
        Start(()),
        Start(("",)),
        Start(("echo", "a\0b")),
        Start(("true",) * 300),
        Start(("true",), True, 0, 10),
        Start(("true",), True, 10, 10**6),
    ],
)
async def test_what_cannot_be_run_is_refused_in_words(api: AgentApiLab, start: Start) -> None:
    async with api.agents.exec(api.node, OWNER, api.lease.id, start) as session:
        with pytest.raises(SessionEnded):
            await rest(session)


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xff",
        message(Channel.WINDOW, b"{"),
        message(Channel.WINDOW, b'{"columns": -1, "rows": 3}'),
        message(Channel.SIGNAL, bytes([19])),
        message(Channel.SIGNAL),
        message(Channel.END, b"{}"),
        message(Channel.INPUT, bytes(100_000)),
    ],
)
async def test_hostile_messages_end_the_session_and_nothing_else(api: AgentApiLab, hostile: bytes) -> None:
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("sleep", "1000"))) as session:
        for _ in range(6):
            await session._send(hostile)
        with pytest.raises(SessionEnded):
            await rest(session)
    async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("echo", "alive"))) as session:
        assert await rest(session) == b"alive\n"


async def test_the_audit_log_says_who_and_how_long_and_nothing_of_what(api: AgentApiLab) -> None:
    with capture_logs() as logs:
        async with api.agents.exec(api.node, OWNER, api.lease.id, Start(("cat",))) as session:
            await session.write(b"a secret word")
            await session.close_input()
            await rest(session)
        await until(lambda: any(line["event"] == "exec ended" for line in logs))
    began, ended = (line for line in logs if line["event"].startswith("exec "))
    assert (began["lease"], began["component"], began["terminal"]) == (7, "web", False)
    assert (ended["exit_code"], ended["bytes_in"], ended["bytes_out"]) == (0, 13, 13)
    assert began["account"] == ended["account"]
    assert "secret" not in str(logs)
    assert "cat" not in str(logs)


async def test_counters_come_by_component_and_only_to_the_owner(api: AgentApiLab) -> None:
    counters = (await api.agents.stats(api.node, OWNER, api.lease.id))["components"]["web"]
    assert counters["memory_bytes"] > 0
    assert counters["memory_limit_bytes"] == 32 * 2**20
    with pytest.raises(AgentRefused):
        await api.agents.stats(api.node, STRANGER, api.lease.id)


async def test_a_client_that_reads_nothing_holds_nothing_once_its_session_ends(tmp_path: Path) -> None:
    async with agent_api_lab(tmp_path, ExecLimits(parting_seconds=0.5)) as api:
        await _leave_unread(api)


async def _leave_unread(api: AgentApiLab) -> None:
    target = f"/v1/leases/{api.lease.id}/exec?component="
    url = f"https://{api.node.endpoint.host}:{api.node.endpoint.port}{target}"
    headers = signed_headers(OWNER, api.node.endpoint.certificate, "GET", target, int(time.time()))
    pin = aiohttp.Fingerprint(api.node.endpoint.certificate)

    def narrow(address: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a fixed one, so that it stays full
        return made

    connector = aiohttp.TCPConnector(socket_factory=narrow)
    unread = aiohttp.ClientWSTimeout(ws_close=0.1)  # the other side's farewell is not read either
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.ws_connect(url, ssl=pin, headers=headers, timeout=unread) as websocket,
    ):
        link = websocket._response.connection
        assert link is not None
        assert isinstance(link.transport, asyncio.Transport)
        link.transport.pause_reading()
        await websocket.send_str('{"argv": ["yes"]}')
        (connection,) = api.server.connections
        await until(lambda: connection.writing_paused, seconds=30)
        await websocket.send_bytes(b"nonsense")
        await until(lambda: not api.server.connections, seconds=25)
        assert not api.exec.find_refusal(api.lease.id)

"""Both carriers of JSON-RPC do the same; the plain one leaves aiohttp alone and comes through closed connections."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from flux.sdk import plain_transport
from flux.sdk.errors import RpcError, Unreachable
from flux.sdk.plain_http import fetch
from flux.sdk.plain_transport import PlainTransport
from flux.sdk.transport import HttpTransport, Transport
from flux.services.ports import free_port

Opened = Callable[[str], AbstractAsyncContextManager[Transport]]


class Chain:
    """Answers with what it was asked; heads grow with each request."""

    def __init__(self) -> None:
        self.url = ""
        self.height = 0
        self.connections: set[object] = set()
        self.sockets = 0
        self.answer: Callable[[], web.StreamResponse] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") == "websocket":
            stream = web.WebSocketResponse()
            await stream.prepare(request)
            await stream.receive_json()
            self.sockets += 1
            await stream.send_json({"jsonrpc": "2.0", "id": 0, "result": "0x1"})
            await stream.send_json({"params": {"result": {"number": "socket"}}})
            await stream.receive()
            return stream
        self.connections.add(request.transport)
        if self.answer is not None:
            return self.answer()
        body = await request.json()
        answers = [self._answer(call) for call in (body if isinstance(body, list) else [body])]
        return web.json_response(answers[::-1] if isinstance(body, list) else answers[0])

    def _answer(self, call: dict[str, object]) -> dict[str, object]:
        common = {"jsonrpc": "2.0", "id": call["id"]}
        match call["method"]:
            case "refuse":
                return {**common, "error": {"code": -7, "message": "no", "data": "0x00"}}
            case "eth_blockNumber":
                self.height += 1
                return {**common, "result": hex(self.height)}
            case "eth_getBlockByNumber":
                return {**common, "result": {"number": call["params"]}}
        return {**common, "result": [call["method"], call["params"]]}


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    found = Chain()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(application, host="127.0.0.1") as server:
        found.url = f"http://127.0.0.1:{server.port}"
        yield found


@pytest.fixture(params=[PlainTransport, HttpTransport])
def opened(request: pytest.FixtureRequest) -> Opened:
    kind: Opened = request.param
    return kind


@pytest.mark.parametrize("answer", ["text", 7, None, {"result": 1}, [], [1], ["x"], [{"id": 99, "result": 1}]])
async def test_a_batch_that_is_not_answered_call_by_call_is_an_error(
    chain: Chain, opened: Opened, answer: object
) -> None:
    chain.answer = lambda: web.json_response(answer)
    async with opened(chain.url) as transport:
        with pytest.raises(RpcError):
            await transport.batch([("a", ()), ("b", ())])


async def test_what_is_asked_after_the_end_opens_nothing(chain: Chain, opened: Opened) -> None:
    async with opened(chain.url) as transport:
        await transport.request("a")
    chain.connections.clear()
    with pytest.raises(Unreachable):
        await transport.request("a")
    assert not chain.connections


async def test_requests_and_batches_are_answered_in_their_order_over_one_connection(
    opened: Opened, chain: Chain
) -> None:
    async with opened(chain.url) as transport:
        assert await transport.request("a", 1) == ["a", [1]]
        assert await transport.batch([("b", ()), ("c", (2,))]) == [["b", []], ["c", [2]]]
        assert await transport.batch([]) == []
    assert len(chain.connections) == 1


async def test_requests_of_one_moment_do_not_wait_for_each_other(opened: Opened, chain: Chain) -> None:
    async with opened(chain.url) as transport:
        answers = await asyncio.gather(*(transport.request("a", number) for number in range(20)))
    assert answers == [["a", [number]] for number in range(20)]


async def test_an_error_answer_is_raised_with_its_facts(opened: Opened, chain: Chain) -> None:
    async with opened(chain.url) as transport:
        with pytest.raises(RpcError) as caught:
            await transport.request("refuse")
        assert (caught.value.code, caught.value.data) == (-7, "0x00")
        with pytest.raises(RpcError):
            await transport.batch([("a", ()), ("refuse", ())])


async def test_what_is_no_endpoint_is_unreachable_with_a_reason(opened: Opened, chain: Chain) -> None:
    chain.answer = lambda: web.Response(text="<html>")
    async with opened(chain.url) as transport:
        with pytest.raises(Unreachable, match="not JSON"):
            await transport.request("a")
    async with opened(f"http://127.0.0.1:{free_port()}") as transport:
        with pytest.raises(Unreachable, match="Connection refused"):
            await transport.request("a")
    async with opened("http://") as transport:
        with pytest.raises(Unreachable, match="a URL is like"):
            await transport.request("a")


async def test_a_connection_that_was_closed_meanwhile_is_opened_again(chain: Chain) -> None:
    async with PlainTransport(chain.url) as transport:
        await transport.request("a")
        (connection,) = chain.connections
        assert isinstance(connection, asyncio.Transport)
        connection.abort()
        assert await transport.request("b") == ["b", []]
    assert len(chain.connections) == 2


async def test_heads_are_asked_for_at_first_and_subscribed_to_later(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_transport, "POLL", 0.001)
    async with PlainTransport(chain.url) as transport:
        async with aclosing(transport.subscribe("newHeads")) as heads:
            assert (await anext(heads))["number"] == ["0x2", False]
            assert (await anext(heads))["number"] == ["0x3", False]
        assert chain.sockets == 0
        monkeypatch.setattr(plain_transport, "BRIEF", 0.0)
        async with aclosing(transport.subscribe("newHeads")) as heads:
            assert await anext(heads) == {"number": "socket"}
    assert chain.sockets == 1


async def test_a_login_does_not_follow_a_redirect(chain: Chain) -> None:
    seen: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(text="0123456789", headers={"Other": "yes"})

    application = web.Application()
    application.router.add_get("/", elsewhere)
    async with TestServer(application, host="127.0.0.1") as server:
        place = f"http://127.0.0.1:{server.port}/"
        chain.answer = lambda: web.Response(status=307, headers={"Location": place})
        answer = await fetch(chain.url, {"Authorization": "Basic secret", "Accept": "*/*"}, 4, 10)
    assert (answer.status, answer.headers["other"], answer.body) == (200, "yes", b"0123")
    assert seen == [None]


async def test_a_silent_peer_does_not_hold_up_the_end_of_a_command() -> None:
    program = (
        "import asyncio, sys; from flux.sdk.plain_transport import PlainTransport\n"
        "async def main():\n"
        "    async with asyncio.timeout(0.2):\n"
        "        await PlainTransport(sys.argv[1]).request('a')\n"
        "asyncio.run(main())"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        ended = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", program, url], capture_output=True, timeout=25, check=False
        )
    assert b"TimeoutError" in ended.stderr


def test_a_deployment_starts_without_what_only_other_commands_need() -> None:
    program = "import sys, flux.cli.deploy; print({'aiohttp', 'psutil', 'cryptography', 'numpy'} & sys.modules.keys())"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"

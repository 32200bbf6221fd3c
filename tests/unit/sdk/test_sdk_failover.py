"""A transport with several endpoints of one chain, some of which are down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from flux.sdk import transport as transport_module
from flux.sdk.errors import RpcError, Unreachable
from flux.sdk.transport import HttpTransport
from flux.services.ports import free_port


class Endpoint:
    """Answers with its name, counts, and can fall silent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0
        self.port = free_port()
        self.runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/", self._answer)
        self.runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if request.headers.get("Upgrade") == "websocket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.receive_json()
            await socket.send_json({"jsonrpc": "2.0", "id": 0, "result": "0x1"})
            await socket.send_json({"params": {"result": self.name}})
            await socket.receive()
            return socket
        body = await request.json()
        if body["method"] == "refuse":
            return web.json_response({"jsonrpc": "2.0", "id": body["id"], "error": {"code": -1, "message": "no"}})
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": self.name})


@asynccontextmanager
async def endpoints(*names: str) -> AsyncIterator[list[Endpoint]]:
    made = [Endpoint(name) for name in names]
    for endpoint in made:
        await endpoint.start()
    try:
        yield made
    finally:
        for endpoint in made:
            await endpoint.stop()


def urls(made: list[Endpoint]) -> str:
    return ", ".join(endpoint.url for endpoint in made)


async def test_the_first_that_answers_is_asked_and_kept() -> None:
    async with endpoints("a", "b", "c") as made, HttpTransport(urls(made)) as transport:
        assert await transport.request("who") == "a"
        await made[0].stop()
        assert await transport.request("who") == "b"
        await made[0].start()
        assert await transport.request("who") == "b"
        assert transport.url == made[1].url
        await made[1].stop()
        await made[2].stop()
        assert await transport.request("who") == "a"


async def test_only_when_none_answers_the_chain_is_unreachable_and_all_are_named() -> None:
    async with endpoints("a", "b") as made, HttpTransport(urls(made)) as transport:
        for endpoint in made:
            await endpoint.stop()
        with pytest.raises(Unreachable) as caught:
            await transport.request("who")
        assert all(endpoint.url in str(caught.value) for endpoint in made)
        await made[1].start()
        assert await transport.request("who") == "b"


async def test_an_answer_that_is_an_error_is_an_answer() -> None:
    async with endpoints("a", "b") as made, HttpTransport(urls(made)) as transport:
        with pytest.raises(RpcError, match="no"):
            await transport.request("refuse")
        assert made[1].asked == 0


async def heard_until_silence(transport: HttpTransport) -> list[str]:
    heard: list[str] = []
    with suppress(Unreachable):
        async for name in transport.subscribe("newHeads"):
            heard.append(name)
    return heard


async def test_a_line_that_falls_silent_is_left_for_another_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "SILENCE", 1.0)
    async with endpoints("a", "b") as made, HttpTransport(urls(made)) as transport:
        assert [await heard_until_silence(transport) for _ in range(3)] == [["a"], ["b"], ["a"]]

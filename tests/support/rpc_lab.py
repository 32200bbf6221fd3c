"""A node's RPC for tests, on a loopback port: the counter chain behind it, blocks made by the test."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from flux.kernel.revert_data import error_selector
from flux.rpc.dispatch import Limits
from flux.rpc.server import create_app, listen, serve
from support.chain_lab import Lab
from support.counter import TooMuch

ERRORS = {error_selector(TooMuch): "TooMuch"}


class HandEngine:
    """Makes no blocks by itself; counts how often it was told of transactions."""

    name = "hand"

    def __init__(self) -> None:
        self.notified = 0

    def notify(self) -> None:
        self.notified += 1


class LabClock:
    """Time of the newest block, and what a test adds to it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.ahead = 0

    def __call__(self) -> float:
        return float(self._lab.now + self.ahead)


class RpcClient:
    """Sends requests as they are, so that tests can send what no library would."""

    def __init__(self, url: str, session: aiohttp.ClientSession, lab: Lab, engine: HandEngine, clock: LabClock) -> None:
        self.url = url
        self.clock = clock
        self.session = session
        self.lab = lab
        self.engine = engine

    async def raw(self, body: bytes) -> Any:
        """The decoded answer to a body."""
        async with self.session.post(self.url, data=body) as response:
            text = await response.text()
            assert response.status == 200, text
            return json.loads(text) if text else None

    async def answer(self, method: str, *params: Any) -> Any:
        """The whole answer of one request."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self.raw(json.dumps(request).encode())

    async def result(self, method: str, *params: Any) -> Any:
        """The result of one request."""
        answer = await self.answer(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def error(self, method: str, *params: Any) -> Any:
        """The error of one request."""
        answer = await self.answer(method, *params)
        assert "error" in answer, answer
        return answer["error"]

    async def send(self, *raws: bytes) -> list[str]:
        """Send transactions and make a block of them."""
        hashes = [await self.result("eth_sendRawTransaction", "0x" + raw.hex()) for raw in raws]
        await asyncio.to_thread(self.lab.produce)
        return hashes


@asynccontextmanager
async def rpc_lab(lab: Lab | None = None, limits: Limits | None = None) -> AsyncIterator[RpcClient]:
    """A served chain whose blocks the test makes."""
    made, engine = lab or Lab(), HandEngine()
    clock = LabClock(made)
    app = create_app(made.application, engine, error_names=ERRORS, limits=limits, clock=clock)
    async with serve(app, listen("127.0.0.1", 0)) as url, aiohttp.ClientSession() as session:
        yield RpcClient(url, session, made, engine, clock)

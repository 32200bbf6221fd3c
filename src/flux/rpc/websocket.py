"""One WebSocket client: requests side by side up to a limit, answers and pushed messages through one bounded queue."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import structlog

from flux.rpc import parameters
from flux.rpc.dispatch import Dispatcher
from flux.rpc.errors import limit_exceeded
from flux.rpc.methods import parse_arguments
from flux.rpc.subscriptions import Hub

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_TOO_SLOW = 1008
_GOODBYE_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class WebSocketClient:
    """Serves one connection from accept to close."""

    def __init__(self, dispatcher: Dispatcher, hub: Hub, receive: Receive, send: Send) -> None:
        self._dispatcher = dispatcher
        self._limits = dispatcher.limits
        self._hub = hub
        self._receive = receive
        self._send = send
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._ready = asyncio.Event()
        self._free = asyncio.Semaphore(dispatcher.limits.in_flight)
        self._subscriptions: set[str] = set()
        self._too_slow = asyncio.Event()

    async def run(self) -> None:
        """Until the client goes, is too slow, or the server stops."""
        if (await self._receive())["type"] != "websocket.connect":
            return
        await self._send({"type": "websocket.accept"})
        tasks = [asyncio.create_task(work) for work in (self._write(), self._read(), self._too_slow.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for identity in self._subscriptions:
                self._hub.unsubscribe(identity)
            for task in tasks:
                task.cancel()
            for failed in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(failed, Exception) and not isinstance(failed, OSError):
                    _log.error("websocket client failed", exc_info=failed)
        if self._too_slow.is_set():
            await self._say_goodbye()

    def push(self, message: bytes) -> None:
        """Queue a message; ends the connection when too much waits."""
        if self._too_slow.is_set():
            return
        self._queued += len(message)
        if self._queued > self._limits.queued:
            self._queue.clear()
            self._too_slow.set()
            return
        self._queue.append(message)
        self._ready.set()

    def subscribe(self, params: Sequence[object]) -> str:
        """Begin a subscription. Raises RpcError."""
        if len(self._subscriptions) >= self._limits.subscriptions:
            raise limit_exceeded(f"a connection has at most {self._limits.subscriptions} subscriptions")
        identity = self._hub.subscribe(params, self.push)
        self._subscriptions.add(identity)
        return identity

    def unsubscribe(self, params: Sequence[object]) -> bool:
        """End a subscription of this connection; whether there was one. Raises RpcError."""
        (identity,) = parse_arguments(params, (parameters.text,), 1)
        if identity not in self._subscriptions:
            return False
        self._subscriptions.discard(str(identity))
        self._hub.unsubscribe(str(identity))
        return True

    async def _read(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                await self._free.acquire()
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    break
                text = message.get("text")
                body = text.encode() if text is not None else message["bytes"]
                group.create_task(self._answer(body))

    async def _answer(self, body: bytes) -> None:
        try:
            answer = await self._dispatcher.handle(body, self)
            if answer:
                self.push(answer)
        finally:
            self._free.release()

    async def _write(self) -> None:
        while True:
            while self._queue:
                message = self._queue.popleft()
                await self._send({"type": "websocket.send", "text": message.decode()})
                self._queued -= len(message)
            self._ready.clear()
            await self._ready.wait()

    async def _say_goodbye(self) -> None:
        """Tell the client why, if it reads at all; the connection ends in any case."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._send({"type": "websocket.close", "code": _TOO_SLOW, "reason": "reads too slowly"})

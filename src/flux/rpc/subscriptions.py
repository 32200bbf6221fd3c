"""eth_subscribe: new heads and logs, pushed to WebSocket clients after each commit, in block order.

The committing thread only hands the block over; rendering and matching happen in a thread of the hub, and each client's
own queue decides when that client is too slow (websocket.py).
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from flux.chain.application import Application
from flux.chain.block import Block
from flux.chain.logs import LogQuery, logs_of_block
from flux.chain.receipt import Receipt
from flux.primitives.types import U64, Height
from flux.rpc import format, parameters
from flux.rpc.errors import invalid_params, method_not_found
from flux.rpc.eth_logs import LogFilter, log_filter
from flux.rpc.methods import parse_arguments

Push = Callable[[bytes], None]
"""Queues a message for a client; called in the event loop."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """What one client wants to be told."""

    identity: str
    push: Push
    wanted: LogFilter | None
    """None for new heads."""


class Hub:
    """All subscriptions of one node. Belongs to one event loop."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._subscriptions: dict[str, Subscription] = {}
        self._blocks: asyncio.Queue[tuple[Block, list[Receipt]]] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop_listening: Callable[[], None] | None = None

    def start(self) -> None:
        """Listen to commits."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="rpc-subscriptions")
        self._stop_listening = self._application.subscribe(self._committed)

    async def stop(self) -> None:
        """Stop listening and pushing."""
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def subscribe(self, params: Sequence[object], push: Push) -> str:
        """Begin a subscription from the next block on; its id. Raises RpcError."""
        kind, *rest = params if params else (None,)
        identity = "0x" + secrets.token_hex(16)
        match kind:
            case "newHeads":
                parse_arguments(rest, (), 0)
                wanted = None
            case "logs":
                wanted = _future_logs(rest)
            case str():
                raise method_not_found(f'"{kind[:40]}" subscription in eth namespace')
            case _:
                raise invalid_params(f"expected the name of a subscription, got {parameters.shown(kind)}")
        self._subscriptions[identity] = Subscription(identity, push, wanted)
        return identity

    def unsubscribe(self, identity: str) -> None:
        """End a subscription; an unknown one is no error."""
        self._subscriptions.pop(identity, None)

    def _committed(self, block: Block, receipts: list[Receipt]) -> None:
        """In the committing thread."""
        loop = self._loop
        if self._subscriptions and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._blocks.put_nowait, (block, receipts))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="rpc-subscriptions") as renderer:
            while True:
                block, receipts = await self._blocks.get()
                current = list(self._subscriptions.values())
                for subscription, message in await loop.run_in_executor(renderer, render, block, receipts, current):
                    if subscription.identity in self._subscriptions:
                        subscription.push(message)


def _future_logs(params: Sequence[object]) -> LogFilter:
    (wanted,) = parse_arguments(params, (log_filter,), 0) or [log_filter({})]
    assert isinstance(wanted, LogFilter)
    if isinstance(wanted.from_block, bytes):
        raise invalid_params("a subscription takes no blockHash; use eth_getLogs")
    return wanted


def render(
    block: Block, receipts: Sequence[Receipt], subscriptions: Sequence[Subscription]
) -> list[tuple[Subscription, bytes]]:
    """The messages that a block causes, for each subscription in order."""
    hashes = [transaction.hash for transaction in block.transactions]
    head: bytes | None = None
    rendered: dict[int, bytes] = {}
    messages = []
    for subscription in subscriptions:
        wanted = subscription.wanted
        if wanted is None:
            head = head or _encode(format.header(block.header))
            messages.append((subscription, _notification(subscription.identity, head)))
            continue
        query = LogQuery(Height(U64(0)), block.number, wanted.addresses, wanted.topics)
        if not query.may_match(block.header.logs_bloom):
            continue
        for found in logs_of_block(query, block.number, block.hash, hashes, receipts):
            log = rendered.get(found.log_index)
            if log is None:
                log = rendered[found.log_index] = _encode(format.log(found))
            messages.append((subscription, _notification(subscription.identity, log)))
    return messages


def _notification(identity: str, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"%b","result":%b}}' % (
        identity.encode(),
        result,
    )

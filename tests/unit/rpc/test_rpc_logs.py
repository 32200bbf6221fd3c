"""Logs: searched, polled and pushed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest_asyncio

from flux.primitives.abi import event_topic
from flux.rpc.dispatch import Limits
from flux.rpc.server import create_app
from flux.rpc.websocket import Message
from support.chain_lab import Lab, address
from support.counter import COUNTER
from support.rpc_lab import HandEngine, RpcClient, rpc_lab

ADDED = "0x" + event_topic("Added(address,uint64)").hex()
RANG = "0x" + event_topic("Rang(uint64,uint64)").hex()
ELSEWHERE = "0x" + "99" * 20


def topic(number: int) -> str:
    return "0x" + address(number).rjust(32, b"\0").hex()


@pytest_asyncio.fixture
async def rpc() -> AsyncIterator[RpcClient]:
    """Three blocks with one log by account 0, none, two by accounts 1 and 0."""
    async with rpc_lab(limits=Limits(subscriptions=3)) as client:
        lab = client.lab
        lab.block(lab.call(0, "add(uint64)", 1))
        lab.block()
        lab.block(lab.call(1, "add(uint64)", 2), lab.call(0, "add(uint64)", 3))
        yield client


async def numbers(rpc: RpcClient, **wanted: object) -> list[tuple[str, str]]:
    logs = await rpc.result("eth_getLogs", wanted)
    return [(log["blockNumber"], log["logIndex"]) for log in logs]


ALL = [("0x1", "0x0"), ("0x3", "0x0"), ("0x3", "0x1")]


async def test_logs_are_found_by_blocks_addresses_and_topics(rpc: RpcClient) -> None:
    everything = {"fromBlock": "earliest", "toBlock": "latest"}
    assert await numbers(rpc, **everything) == ALL
    assert await numbers(rpc) == ALL[1:]
    assert await numbers(rpc, fromBlock="0x0", toBlock="0x2") == ALL[:1]
    assert await numbers(rpc, fromBlock="0x0", toBlock="0x99") == ALL
    assert await numbers(rpc, fromBlock="0x9", toBlock="0x99") == []
    counter = "0x" + COUNTER.hex()
    assert await numbers(rpc, **everything, address=counter) == ALL
    assert await numbers(rpc, **everything, address=[ELSEWHERE, counter]) == ALL
    assert await numbers(rpc, **everything, address=ELSEWHERE) == []
    assert await numbers(rpc, **everything, address=[]) == ALL
    assert await numbers(rpc, **everything, topics=[ADDED]) == ALL
    assert await numbers(rpc, **everything, topics=[[RANG, ADDED], topic(1)]) == ALL[1:2]
    assert await numbers(rpc, **everything, topics=[None, [topic(0)]]) == [ALL[0], ALL[2]]
    assert await numbers(rpc, **everything, topics=[[ADDED, None]]) == ALL
    assert await numbers(rpc, **everything, topics=[RANG]) == []
    assert await numbers(rpc, **everything, topics=[None, None, None]) == []
    assert await numbers(rpc, **everything, topics=[[]]) == ALL


async def test_logs_of_one_block_are_found_by_its_hash(rpc: RpcClient) -> None:
    block = await rpc.result("eth_getBlockByNumber", "0x3")
    found = await rpc.result("eth_getLogs", {"blockHash": block["hash"]})
    receipts = await rpc.result("eth_getBlockReceipts", "0x3")
    assert found == [log for receipt in receipts for log in receipt["logs"]]
    assert found[0]["removed"] is False
    assert found[0]["blockHash"] == block["hash"]
    assert (await rpc.error("eth_getLogs", {"blockHash": "0x" + "12" * 32}))["message"] == "unknown block"


async def test_a_filter_that_makes_no_sense_is_refused(rpc: RpcClient) -> None:
    refused: list[tuple[object, int, str]] = [
        ({"fromBlock": "0x2", "toBlock": "0x1"}, -32602, "invalid block range params"),
        ({"blockHash": "0x" + "12" * 32, "fromBlock": "0x1"}, -32602, "choose one or the other"),
        ({"topics": [None] * 5}, -32602, "exceed max topics"),
        ({"topics": "0x12"}, -32602, "topics must be an array"),
        ({"topics": [5]}, -32602, "expected an array, got 5"),
        ({"topics": [["0x12"]]}, -32602, "expected 32 bytes"),
        ({"address": 5}, -32602, "expected an array"),
        ({"address": [ELSEWHERE] * 1_001}, -32602, "expected at most 1000 items, got 1001"),
        ({"fromBlock": 5}, -32602, "expected a quantity such as 0x1a, got 5"),
        ({"fromBlock": "0x01"}, -32602, "without leading zeros"),
        ({"fromBlock": "first"}, -32602, "got 'first'"),
        ({"from": "0x1"}, -32602, "unknown member 'from'"),
        ([], -32602, "expected an object"),
    ]
    for wanted, code, words in refused:
        error = await rpc.error("eth_getLogs", wanted)
        assert error["code"] == code, wanted
        assert words in error["message"]


async def test_a_range_beyond_the_newest_block_ends_there(rpc: RpcClient) -> None:
    assert await numbers(rpc, fromBlock="0x0", toBlock="0x" + "f" * 16) == ALL


async def test_a_polled_filter_gives_what_came_since_the_last_time(rpc: RpcClient) -> None:
    logs = await rpc.result("eth_newFilter", {"topics": [ADDED, topic(0)], "fromBlock": "earliest"})
    blocks = await rpc.result("eth_newBlockFilter")
    assert await rpc.result("eth_getFilterChanges", logs) == []
    assert await rpc.result("eth_getFilterChanges", blocks) == []
    await rpc.send(rpc.lab.call(0, "add(uint64)", 4), rpc.lab.call(1, "add(uint64)", 5))
    rpc.lab.block()
    changes = await rpc.result("eth_getFilterChanges", logs)
    assert [log["blockNumber"] for log in changes] == ["0x4"]
    hashes = [(await rpc.result("eth_getBlockByNumber", number))["hash"] for number in ("0x4", "0x5")]
    assert await rpc.result("eth_getFilterChanges", blocks) == hashes
    assert await rpc.result("eth_getFilterChanges", logs) == []
    assert [log["blockNumber"] for log in await rpc.result("eth_getFilterLogs", logs)] == ["0x1", "0x3", "0x4"]
    assert await rpc.result("eth_uninstallFilter", logs) is True
    assert await rpc.result("eth_uninstallFilter", logs) is False
    for method in ("eth_getFilterChanges", "eth_getFilterLogs"):
        assert (await rpc.error(method, logs))["message"] == "filter not found"
    assert (await rpc.error("eth_getFilterLogs", blocks))["message"] == "filter not found"
    assert (await rpc.error("eth_newFilter", {"blockHash": "0x" + "12" * 32}))["code"] == -32602


async def test_a_polled_filter_that_nobody_asks_is_forgotten(rpc: RpcClient) -> None:
    old = await rpc.result("eth_newBlockFilter")
    rpc.lab.block(seconds=299)
    young = await rpc.result("eth_newBlockFilter")
    rpc.lab.block(seconds=2)
    await rpc.result("eth_newBlockFilter")
    assert (await rpc.error("eth_getFilterChanges", old))["message"] == "filter not found"
    assert len(await rpc.result("eth_getFilterChanges", young)) == 1


class Socket:
    """A WebSocket whose answers and notifications are told apart."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.pushed: list[Any] = []

    async def ask(self, method: str, *params: object) -> Any:
        await self.socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        while True:
            message = await self.next()
            if "id" in message:
                return message
            self.pushed.append(message)

    async def next(self) -> Any:
        return json.loads(await self.socket.receive_str(timeout=5))


@asynccontextmanager
async def websocket(rpc: RpcClient) -> AsyncIterator[Socket]:
    async with rpc.session.ws_connect(rpc.url) as socket:
        yield Socket(socket)


async def test_new_heads_are_pushed_in_order(rpc: RpcClient) -> None:
    async with websocket(rpc) as socket:
        identity = (await socket.ask("eth_subscribe", "newHeads"))["result"]
        for _ in range(3):
            await asyncio.to_thread(rpc.lab.block)
        for number in (4, 5, 6):
            message = await socket.next()
            assert (message["method"], message["params"]["subscription"]) == ("eth_subscription", identity)
            block = await rpc.result("eth_getBlockByNumber", hex(number))
            for name in ("transactions", "size", "uncles"):
                del block[name]
            assert message["params"]["result"] == block
        assert (await socket.ask("eth_unsubscribe", identity))["result"] is True
        assert (await socket.ask("eth_unsubscribe", identity))["result"] is False
        await asyncio.to_thread(rpc.lab.block)
        assert (await socket.ask("eth_chainId"))["result"] == "0x4ae1"
        assert socket.pushed == []


async def test_logs_are_pushed_to_those_who_want_them(rpc: RpcClient) -> None:
    async with websocket(rpc) as socket, websocket(rpc) as other:
        mine = (await socket.ask("eth_subscribe", "logs", {"topics": [ADDED, topic(0)]}))["result"]
        everything = (await other.ask("eth_subscribe", "logs"))["result"]
        await other.ask("eth_subscribe", "logs", {"address": ELSEWHERE})
        await asyncio.to_thread(rpc.lab.block, rpc.lab.call(1, "add(uint64)", 9), rpc.lab.call(0, "add(uint64)", 9))
        wanted = await rpc.result("eth_getLogs", {"fromBlock": "0x4"})
        message = await socket.next()
        assert message["params"] == {"subscription": mine, "result": wanted[1]}
        for log in wanted:
            assert (await other.next())["params"] == {"subscription": everything, "result": log}


async def test_a_subscription_that_makes_no_sense_is_refused(rpc: RpcClient) -> None:
    async with websocket(rpc) as socket:

        async def error(*params: object) -> tuple[int, str]:
            answer = await socket.ask("eth_subscribe", *params)
            return answer["error"]["code"], answer["error"]["message"]

        assert (await error("syncs"))[0] == -32601
        assert (await error()) == (-32602, "expected the name of a subscription, got none")
        assert (await error(5))[0] == -32602
        assert (await error("newHeads", {}))[1] == "too many arguments, want at most 0"
        assert (await error("logs", {"topics": 5}))[0] == -32602
        assert (await error("logs", {"blockHash": "0x" + "12" * 32}))[0] == -32602
        for _ in range(3):
            assert "result" in await socket.ask("eth_subscribe", "newHeads")
        assert await error("newHeads") == (-32005, "a connection has at most 3 subscriptions")
        assert (await socket.ask("eth_unsubscribe", 5))["error"]["code"] == -32602
        assert (await socket.ask("eth_unsubscribe", "0x12"))["result"] is False


async def test_a_client_that_goes_takes_its_subscriptions_with_it(rpc: RpcClient) -> None:
    async with websocket(rpc) as stays:
        await stays.ask("eth_subscribe", "newHeads")
        async with websocket(rpc) as goes:
            await goes.ask("eth_subscribe", "newHeads")
        await asyncio.to_thread(rpc.lab.block)
        assert (await stays.next())["params"]["result"]["number"] == "0x4"


async def test_everything_else_works_by_websocket_too(rpc: RpcClient) -> None:
    async with websocket(rpc) as socket:
        raw = rpc.lab.transaction(0, to=address(1), value=1)
        assert len((await socket.ask("eth_sendRawTransaction", "0x" + raw.hex()))["result"]) == 66
        await socket.socket.send_bytes(b'[{"jsonrpc":"2.0","id":"x","method":"eth_chainId"}]')
        assert await socket.next() == [{"jsonrpc": "2.0", "id": "x", "result": "0x4ae1"}]
        await socket.socket.send_json([{"jsonrpc": "2.0", "id": 5, "method": "eth_subscribe", "params": ["newHeads"]}])
        ((answer,)) = await socket.next()
        await asyncio.to_thread(rpc.lab.block)
        assert (await socket.next())["params"]["subscription"] == answer["result"]


async def test_hostile_messages_get_errors_and_the_connection_lives_on(rpc: RpcClient) -> None:
    async with websocket(rpc) as socket:
        for body in (b"", b"\xff\xfe", b"[" * 100_000, b"{}", b"[]", b"5"):
            await socket.socket.send_bytes(body)
            assert (await socket.next())["error"]["code"] in (-32700, -32600)
        assert (await socket.ask("eth_chainId"))["result"] == "0x4ae1"


async def test_a_message_over_the_limit_closes_the_connection() -> None:
    async with rpc_lab(limits=Limits(body=10_000)) as rpc, websocket(rpc) as socket:
        await socket.socket.send_bytes(b" " * 10_001)
        message = await socket.socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)
        assert await rpc.result("eth_chainId") == "0x4ae1"


async def test_a_flood_of_requests_is_answered_without_holding_up_others(rpc: RpcClient) -> None:
    async with websocket(rpc) as flood:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", True]})
        sending = asyncio.gather(*[flood.socket.send_str(body) for _ in range(2_000)])
        assert await rpc.result("eth_chainId") == "0x4ae1"
        answers = [await flood.next() for _ in range(2_000)]
        await sending
        assert all(answer["result"]["number"] == "0x3" for answer in answers)


class DeafClient:
    """An ASGI connection to a client who subscribes to heads, takes the answer, and then reads no more."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.deaf = asyncio.Event()
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        body = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
        self.incoming.put_nowait({"type": "websocket.receive", "text": body})

    async def send(self, message: Message) -> None:
        if self.deaf.is_set() and message["type"] == "websocket.send":
            await asyncio.Event().wait()
        self.taken.append(message)
        if message["type"] == "websocket.send":
            self.deaf.set()


async def test_a_client_that_does_not_read_is_cut_off_and_nobody_waits_for_it() -> None:
    lab, client = Lab(), DeafClient()
    app = create_app(lab.application, HandEngine(), limits=Limits(queued=10_000))
    lifespan: asyncio.Queue[Message] = asyncio.Queue()
    lifespan.put_nowait({"type": "lifespan.startup"})
    life = asyncio.create_task(app({"type": "lifespan"}, lifespan.get, client.send))
    serving = asyncio.create_task(app({"type": "websocket"}, client.incoming.get, client.send))
    await client.deaf.wait()
    blocks = 0
    while not serving.done():
        await asyncio.to_thread(lab.block)
        blocks += 1
        assert blocks < 1_000
    assert client.taken[-1] == {"type": "websocket.close", "code": 1008, "reason": "reads too slowly"}
    lifespan.put_nowait({"type": "lifespan.shutdown"})
    await asyncio.gather(life, serving)

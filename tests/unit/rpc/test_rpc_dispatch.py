"""JSON-RPC itself, and hostile input to it, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from flux.rpc.dispatch import Limits
from support.chain_lab import address
from support.counter import COUNTER, encode
from support.rpc_lab import RpcClient, rpc_lab

LIMITS = Limits(body=100_000, batch=50, response=3_000)


@pytest_asyncio.fixture
async def rpc() -> AsyncIterator[RpcClient]:
    async with rpc_lab(limits=LIMITS) as client:
        yield client


def request(method: str, *params: object, identity: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


async def post(rpc: RpcClient, message: object) -> Any:
    return await rpc.raw(json.dumps(message).encode())


async def test_a_request_is_answered_with_its_id_whatever_that_is(rpc: RpcClient) -> None:
    for identity in (1, 0, -5, "abc", "", None, 2**53, 1.5, "\u00e9"):
        answer = await post(rpc, request("eth_chainId", identity=identity))
        assert answer == {"jsonrpc": "2.0", "id": identity, "result": "0x4ae1"}


async def test_params_may_be_left_out_and_trailing_nulls_count_as_left_out(rpc: RpcClient) -> None:
    assert (await post(rpc, {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}))["result"] == "0x4ae1"
    assert (await post(rpc, request("eth_getBalance", "0x" + "11" * 20, None)))["result"] == "0x0"


async def test_a_notification_gets_no_answer(rpc: RpcClient) -> None:
    assert await post(rpc, {"jsonrpc": "2.0", "method": "eth_chainId"}) is None
    assert await post(rpc, {"jsonrpc": "2.0", "method": "no_such"}) is None
    assert await post(rpc, [{"jsonrpc": "2.0", "method": "eth_chainId"}] * 3) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"hello",
        b"\xff\xfe\x00",
        b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b"1" * 5_000,
        b"[1e999]",
        b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0"}',
        b"NaN",
        b'"\\ud800"',
        b"\x00" * 100,
    ],
)
async def test_what_is_not_json_is_a_parse_error(rpc: RpcClient, body: bytes) -> None:
    answer = await rpc.raw(body)
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)
    assert (await post(rpc, request("eth_chainId")))["result"] == "0x4ae1"


async def test_what_is_no_request_is_an_invalid_request(rpc: RpcClient) -> None:
    bad: list[object] = [1, "text", None, True, {}, {"jsonrpc": "2.0"}, {"jsonrpc": "2.0", "method": 5}]
    bad += [{"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"}, {"id": 1, "method": "eth_chainId"}]
    bad += [request("eth_chainId", identity=identity) for identity in ([], {}, True, 2**63, "x" * 300)]
    for message in bad:
        answer = await post(rpc, message)
        assert answer["error"]["code"] == -32600, message


async def test_parameters_by_name_and_other_forms_are_refused(rpc: RpcClient) -> None:
    for params in ({"address": "0x"}, "text", 5, True):
        answer = await post(rpc, {"jsonrpc": "2.0", "id": 7, "method": "eth_getBalance", "params": params})
        assert (answer["id"], answer["error"]) == (7, {"code": -32602, "message": "non-array args"})


async def test_an_unknown_method_is_named(rpc: RpcClient) -> None:
    assert await rpc.error("eth_sendTransaction", {}) == {
        "code": -32601,
        "message": "the method eth_sendTransaction does not exist/is not available",
    }
    assert (await rpc.error("x" * 1_000))["code"] == -32601
    assert (await rpc.error("eth_subscribe", "newHeads"))["message"].startswith("notifications not supported")
    assert (await rpc.error("eth_unsubscribe", "0x1"))["code"] == -32000


async def test_missing_and_surplus_parameters_are_counted(rpc: RpcClient) -> None:
    assert (await rpc.error("eth_getBalance"))["message"] == "missing value for required argument 0"
    error = await rpc.error("eth_chainId", 1, 2)
    assert error == {"code": -32602, "message": "too many arguments, want at most 0"}
    assert (await rpc.error("eth_sendRawTransaction"))["code"] == -32602
    assert (await rpc.error("eth_sendRawTransaction", 5))["message"].startswith("invalid argument 0: expected a hex")


async def test_a_batch_answers_in_order_and_one_bad_request_spoils_nothing(rpc: RpcClient) -> None:
    raw = "0x" + rpc.lab.transaction(0, to=address(1), value=1).hex()
    answers = await post(
        rpc,
        [
            request("eth_chainId", identity="a"),
            5,
            request("eth_getBlockByNumber", "latest", False, identity="b"),
            request("eth_sendRawTransaction", raw, identity="c"),
            request("eth_sendRawTransaction", raw, identity="d"),
            request("eth_sendRawTransaction", "0x12", identity="e"),
            request("no_such", identity="f"),
            {"jsonrpc": "2.0", "method": "eth_chainId"},
            request("eth_call", {"to": "0x" + COUNTER.hex(), "data": "0x"}, identity="g"),
            request("eth_getLogs", {}, identity="h"),
            request("eth_getBalance", "nonsense", identity="i"),
            request("eth_getBlockByNumber", identity="j"),
        ],
    )
    assert [answer["id"] for answer in answers] == ["a", None, "b", "c", "d", "e", "f", "g", "h", "i", "j"]
    outcomes = {answer["id"]: answer.get("error", {}).get("code", "ok") for answer in answers}
    assert outcomes == {
        "a": "ok",
        None: -32600,
        "b": "ok",
        "c": "ok",
        "d": -32000,
        "e": -32000,
        "f": -32601,
        "g": 3,
        "h": "ok",
        "i": -32602,
        "j": -32602,
    }


async def test_a_whole_batch_of_transactions_goes_in_together(rpc: RpcClient) -> None:
    raws = [rpc.lab.transaction(number % 3, to=address(1), value=1) for number in range(50)]
    answers = await post(
        rpc, [request("eth_sendRawTransaction", "0x" + raw.hex(), identity=index) for index, raw in enumerate(raws)]
    )
    assert [answer["id"] for answer in answers] == list(range(50))
    assert all(len(answer["result"]) == 66 for answer in answers)
    assert rpc.engine.notified == 1
    assert len(rpc.lab.produce().block.transactions) == 51


async def test_batches_are_bounded_in_number_and_in_what_they_return(rpc: RpcClient) -> None:
    assert (await post(rpc, []))["error"] == {"code": -32600, "message": "empty batch"}
    error = (await post(rpc, [request("eth_chainId")] * 51))["error"]
    assert error == {"code": -32600, "message": "batch too large: at most 50 requests"}
    answers = await post(rpc, [request("eth_getBlockByNumber", "latest")] * 10)
    codes = [answer.get("error", {}).get("code") for answer in answers]
    assert codes[0] is None
    assert codes[-1] == -32003


async def test_the_slow_part_of_a_batch_has_a_deadline() -> None:
    async with rpc_lab(limits=Limits(seconds=-1)) as rpc:
        answers = await post(rpc, [request("eth_getBlockByNumber", "latest"), request("eth_chainId")])
    assert answers[0]["error"]["code"] == -32002
    assert answers[1]["result"] == "0x4ae1"


async def test_a_body_over_the_limit_is_refused_declared_or_not(rpc: RpcClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 1_000

    for body in (b" " * 100_001, endless()):
        async with rpc.session.post(rpc.url, data=body) as response:
            assert response.status == 413
            assert "content length too large" in (await response.json())["error"]["message"]
    async with rpc.session.post(rpc.url, data=b"{}", headers={"content-encoding": "gzip"}) as response:
        assert response.status == 415


async def test_a_request_sent_in_pieces_is_one_request(rpc: RpcClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"jsonrpc":"2.0",', b'"id":1,', b'"method":"eth_chainId"}'):
            yield piece

    async with rpc.session.post(rpc.url, data=pieces()) as response:
        assert (await response.json())["result"] == "0x4ae1"


async def test_a_client_that_sends_slowly_holds_up_only_itself() -> None:
    async with rpc_lab(limits=Limits(body_seconds=1)) as rpc:
        host, port = rpc.url.removeprefix("http://").split(":")
        connections = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
        for _, writer in connections:
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        assert await rpc.result("eth_chainId") == "0x4ae1"
        for reader, writer in connections:
            assert b"408" in await reader.readline()
            writer.close()


async def test_a_client_that_hangs_up_in_the_middle_is_forgotten(rpc: RpcClient) -> None:
    host, port = rpc.url.removeprefix("http://").split(":")
    for part in (b"POST / HT", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{", b"\x16\x03\x01\x02\x00"):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(part)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert await rpc.result("eth_chainId") == "0x4ae1"


async def test_browsers_of_any_origin_may_read(rpc: RpcClient) -> None:
    async with rpc.session.options(rpc.url, headers={"origin": "https://example.org"}) as response:
        assert response.status == 204
        assert response.headers["access-control-allow-origin"] == "*"
        assert "POST" in response.headers["access-control-allow-methods"]
    async with rpc.session.post(rpc.url, json=request("eth_chainId")) as response:
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.content_type == "application/json"


async def test_get_tells_the_health_of_the_node(rpc: RpcClient) -> None:
    for path in ("/", "/healthz"):
        async with rpc.session.get(rpc.url + path) as response:
            assert response.status == 200
            assert (await response.json())["healthy"] is True
    async with rpc.session.head(rpc.url) as response:
        assert (response.status, await response.read()) == (200, b"")
    rpc.lab.application.suspend("the disk is full")
    async with rpc.session.get(rpc.url) as response:
        assert response.status == 503
        assert (await response.json())["reason"] == "the disk is full"


async def test_other_verbs_and_paths_are_told_what_to_do(rpc: RpcClient) -> None:
    async with rpc.session.get(rpc.url + "/admin") as response:
        assert response.status == 404
    async with rpc.session.delete(rpc.url) as response:
        assert response.status == 405
        assert "POST a JSON-RPC request" in (await response.json())["error"]["message"]


async def test_a_node_that_takes_no_transactions_says_so(rpc: RpcClient) -> None:
    rpc.lab.application.suspend("the disk is full")
    error = await rpc.error("eth_sendRawTransaction", "0x" + rpc.lab.transaction(0).hex())
    assert error == {"code": -32000, "message": "transactions are not accepted now: the disk is full"}


async def test_many_clients_at_once_all_get_their_answers(rpc: RpcClient) -> None:
    call = {"to": "0x" + COUNTER.hex(), "data": "0x" + encode("count(address)", address(0)).hex()}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:

        async def one(number: int) -> Any:
            async with session.post(rpc.url, json=request("eth_call", call, identity=number)) as response:
                return await response.json()

        answers = await asyncio.gather(*[one(number) for number in range(300)])
    assert [answer["id"] for answer in answers] == list(range(300))
    assert {answer["result"] for answer in answers} == {"0x" + "00" * 32}

"""What the RPC gives to clients that verify: headers, light blocks, storage, hints; and what it says when it cannot."""

import pytest

from flux.chain.block import decode_header
from flux.chain.pruning import LEAST_KEPT
from flux.rpc import light
from flux.rpc.errors import NOT_VERIFIABLE, PRUNED
from support.chain_lab import Lab, address
from support.counter import COUNTER, encode
from support.rpc_lab import rpc_lab


async def test_a_header_hashes_to_the_blocks_hash() -> None:
    async with rpc_lab() as rpc:
        await rpc.send(rpc.lab.call(0, "add(uint64)", 3))
        raw = bytes.fromhex((await rpc.result("flux_header", "0x1"))[2:])
        assert decode_header(raw) == rpc.lab.application.ledger.head().header
        assert (await rpc.error("flux_header", "0x9"))["message"] == "header not found"


async def test_a_chain_with_one_producer_says_that_nothing_can_be_verified() -> None:
    async with rpc_lab() as rpc:
        for method in ("flux_lightBlock", "flux_peers"):
            error = await rpc.error(method)
            assert (error["code"], "one producer" in error["message"]) == (NOT_VERIFIABLE, True)
        assert await rpc.result("flux_genesis") is None


async def test_storage_comes_whole_in_pages_of_one_height(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light, "PAGE_BYTES", 40)
    async with rpc_lab() as rpc:
        await rpc.send(*(rpc.lab.call(number, "add(uint64)", number + 1) for number in range(3)))
        await rpc.send(rpc.lab.call(3, "note(string)", "later"))
        found: dict[str, str] = {}
        after, pages = "0x", 0
        while after is not None:
            page = await rpc.result("flux_storage", "0x" + COUNTER.hex(), after, "0x1")
            found |= dict(page["entries"])
            after = page["next"]
            pages += 1
        with rpc.lab.application.ledger.state_at(1) as view:  # type: ignore[arg-type]
            prefix = b"s" + COUNTER
            stored = {
                "0x" + key[21:].hex(): "0x" + value.hex() for key, value in view.reader.range(prefix, prefix + b"\xff")
            }
        assert found == stored
        assert pages > 1
        assert (await rpc.result("flux_storage", "0x" + "77" * 20))["entries"] == []


async def test_a_hint_names_what_a_call_reads_also_when_it_is_refused() -> None:
    async with rpc_lab() as rpc:
        await rpc.send(rpc.lab.call(0, "add(uint64)", 3))
        for data in (encode("count(address)", address(0)), encode("add(uint64)", 10**6)):
            call = {"to": "0x" + COUNTER.hex(), "data": "0x" + data.hex(), "from": "0x" + address(0).hex()}
            hint = await rpc.result("flux_accessList", call)
            keys = {account["address"]: account["keys"] for account in hint["accounts"]}
            assert keys["0x" + COUNTER.hex()]
            assert keys["0x" + address(0).hex()] == []


async def test_pruned_heights_are_answered_with_what_is_kept() -> None:
    lab = Lab(keep_blocks=LEAST_KEPT)
    first = lab.call(0, "add(uint64)", 1)
    lab.block(first)
    for _ in range(LEAST_KEPT):
        lab.block()
    async with rpc_lab(lab) as rpc:
        for method, *params in (
            ("eth_getBlockByNumber", "0x1", False),
            ("eth_getBlockReceipts", "0x1"),
            ("flux_header", "0x1"),
            ("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x2"}),
        ):
            error = await rpc.error(method, *params)
            assert error["code"] == PRUNED, method
            assert error["data"] == {"first": "0x2"}
        assert await rpc.result("eth_getTransactionByHash", "0x" + lab.decoded(first).hash.hex()) is None
        assert (await rpc.result("eth_getBlockByNumber", "0x0", False))["number"] == "0x0"

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from flux.chain.trie import verify_proof
from flux.kernel.context import SYSTEM_ADDRESS
from flux.kernel.record import Record
from flux.kernel.revert_data import encode_error
from flux.primitives import rlp
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, Address, Hash
from flux.rpc.flux import to_json
from flux.rpc.server import listen
from support.chain_lab import FUNDS, PRODUCER, START, Lab, address
from support.counter import COUNTER, TooMuch, encode
from support.rpc_lab import RpcClient, rpc_lab
from support.transactions import CHAIN_ID, GWEI, signed

STRANGER = Address(b"\x99" * 20)


@pytest_asyncio.fixture
async def rpc() -> AsyncIterator[RpcClient]:
    async with rpc_lab() as client:
        yield client


def text(data: bytes) -> str:
    return "0x" + data.hex()


async def test_the_chain_introduces_itself(rpc: RpcClient) -> None:
    assert await rpc.result("eth_chainId") == hex(CHAIN_ID)
    assert await rpc.result("net_version") == str(CHAIN_ID)
    assert await rpc.result("net_listening") is True
    assert await rpc.result("net_peerCount") == "0x0"
    assert await rpc.result("eth_syncing") is False
    assert await rpc.result("eth_accounts") == []
    assert (await rpc.result("web3_clientVersion")).startswith("Flux/v")
    assert await rpc.result("web3_sha3", "0x68656c6c6f") == text(keccak256(b"hello"))
    assert (await rpc.result("rpc_modules"))["eth"] == "1.0"


async def test_a_transfer_is_taken_committed_and_shown_everywhere(rpc: RpcClient) -> None:
    raw = rpc.lab.transaction(0, to=STRANGER, value=7)
    (hashed,) = await rpc.send(raw)
    assert hashed == text(keccak256(raw))
    assert rpc.engine.notified == 1
    assert await rpc.result("eth_blockNumber") == "0x1"
    assert await rpc.result("eth_getBalance", text(STRANGER), "latest") == "0x7"
    assert await rpc.result("eth_getBalance", text(STRANGER)) == "0x7"
    assert await rpc.result("eth_getBalance", text(STRANGER), "0x0") == "0x0"
    assert await rpc.result("eth_getTransactionCount", text(address(0)), "latest") == "0x1"
    block = await rpc.result("eth_getBlockByNumber", "0x1", False)
    transaction = await rpc.result("eth_getTransactionByHash", hashed)
    receipt = await rpc.result("eth_getTransactionReceipt", hashed)
    assert block["transactions"][0] == hashed
    assert block["miner"] == text(PRODUCER)
    assert transaction == {
        "blockHash": block["hash"],
        "blockNumber": "0x1",
        "transactionIndex": "0x0",
        "hash": hashed,
        "type": "0x2",
        "chainId": hex(CHAIN_ID),
        "from": text(address(0)),
        "to": text(STRANGER),
        "nonce": "0x0",
        "gas": "0x5208",
        "gasPrice": hex(2 * GWEI),
        "maxFeePerGas": hex(20 * GWEI),
        "maxPriorityFeePerGas": hex(GWEI),
        "value": "0x7",
        "input": "0x",
        "accessList": [],
        "yParity": transaction["v"],
        "v": transaction["v"],
        "r": transaction["r"],
        "s": transaction["s"],
    }
    assert receipt == {
        "transactionHash": hashed,
        "transactionIndex": "0x0",
        "blockHash": block["hash"],
        "blockNumber": "0x1",
        "from": text(address(0)),
        "to": text(STRANGER),
        "contractAddress": None,
        "cumulativeGasUsed": "0x5208",
        "gasUsed": "0x5208",
        "effectiveGasPrice": hex(2 * GWEI),
        "type": "0x2",
        "status": "0x1",
        "logsBloom": "0x" + "00" * 256,
        "logs": [],
    }
    assert await rpc.result("eth_getRawTransactionByHash", hashed) == text(raw)
    assert await rpc.result("eth_getTransactionByBlockNumberAndIndex", "0x1", "0x0") == transaction
    assert await rpc.result("eth_getTransactionByBlockHashAndIndex", block["hash"], "0x0") == transaction
    assert await rpc.result("eth_getTransactionByBlockNumberAndIndex", "latest", "0x9") is None


async def test_the_system_transaction_is_shown_as_a_legacy_one_without_signature(rpc: RpcClient) -> None:
    rpc.lab.block()
    block = await rpc.result("eth_getBlockByNumber", "latest", True)
    (system,) = block["transactions"]
    shown = {name: system[name] for name in ("type", "from", "to", "v", "r", "s", "gas", "gasPrice", "value", "nonce")}
    assert shown == {
        "type": "0x0",
        "from": text(SYSTEM_ADDRESS),
        "to": text(SYSTEM_ADDRESS),
        "v": "0x0",
        "r": "0x0",
        "s": "0x0",
        "gas": "0x0",
        "gasPrice": "0x0",
        "value": "0x0",
        "nonce": "0x1",
    }
    assert "chainId" not in system
    assert system["input"] == block["parentHash"]
    receipt = await rpc.result("eth_getTransactionReceipt", system["hash"])
    assert (receipt["status"], receipt["gasUsed"]) == ("0x1", "0x0")


async def test_a_block_is_the_same_by_number_hash_and_tag(rpc: RpcClient) -> None:
    rpc.lab.block(rpc.lab.transaction(0, to=STRANGER, value=1), rpc.lab.transaction(1, to=STRANGER, value=1))
    block = await rpc.result("eth_getBlockByNumber", "latest", True)
    assert block["timestamp"] == hex(START + 1)
    for tag in ("safe", "finalized", "pending", "0x1"):
        assert await rpc.result("eth_getBlockByNumber", tag, True) == block
    assert await rpc.result("eth_getBlockByHash", block["hash"], True) == block
    assert (await rpc.result("eth_getBlockByNumber", "earliest"))["number"] == "0x0"
    assert await rpc.result("eth_getBlockByNumber", "0x2", True) is None
    assert await rpc.result("eth_getBlockByHash", "0x" + "00" * 32, True) is None
    assert await rpc.result("eth_getBlockTransactionCountByNumber", "0x1") == "0x3"
    assert await rpc.result("eth_getBlockTransactionCountByHash", block["hash"]) == "0x3"
    assert await rpc.result("eth_getBlockTransactionCountByNumber", "0x2") is None
    assert await rpc.result("eth_getUncleCountByBlockNumber", "0x1") == "0x0"
    assert await rpc.result("eth_getUncleCountByBlockHash", "0x" + "00" * 32) is None


async def test_the_hash_of_a_block_is_that_of_the_header_it_shows(rpc: RpcClient) -> None:
    rpc.lab.block(rpc.lab.call(0, "add(uint64)", 5))
    block = await rpc.result("eth_getBlockByNumber", "latest", False)
    names = "parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom difficulty number gasLimit"
    names += " gasUsed timestamp extraData mixHash nonce baseFeePerGas"
    numbers = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"}
    fields = [
        rlp.encode_int(int(block[name], 16)) if name in numbers else bytes.fromhex(block[name][2:])
        for name in names.split()
    ]
    assert text(keccak256(rlp.encode(fields))) == block["hash"]


async def test_waiting_transactions_are_seen_and_counted(rpc: RpcClient) -> None:
    hashed = await rpc.result("eth_sendRawTransaction", text(rpc.lab.transaction(0, to=STRANGER, value=1)))
    waiting = await rpc.result("eth_getTransactionByHash", hashed)
    assert (waiting["blockHash"], waiting["blockNumber"], waiting["transactionIndex"]) == (None, None, None)
    assert waiting["gasPrice"] == hex(20 * GWEI)
    assert await rpc.result("eth_getTransactionReceipt", hashed) is None
    assert await rpc.result("eth_getTransactionCount", text(address(0)), "pending") == "0x1"
    assert await rpc.result("eth_getTransactionCount", text(address(0)), "latest") == "0x0"
    assert (await rpc.result("flux_transactionStatus", hashed)) == {"status": "pending"}
    assert await rpc.result("eth_getRawTransactionByHash", hashed) is not None
    assert await rpc.result("eth_getRawTransactionByHash", "0x" + "11" * 32) is None
    assert await rpc.result("eth_getTransactionByHash", "0x" + "11" * 32) is None


async def test_a_refused_transaction_gets_ethereums_words(rpc: RpcClient) -> None:
    lab = rpc.lab
    refused = {
        b"\x02\xc0": "rlp: a transaction of this type has 12 fields, got 0",
        lab.transaction(0, chain_id=1): "invalid sender: invalid chain id for signer: have 1 want 19169",
        lab.transaction(9): "insufficient funds for gas * price + value: balance 0",
        lab.transaction(0, gas=20_000): "intrinsic gas too low: gas 20000, minimum needed 21000",
        lab.transaction(0, gas=300_000_001): "exceeds block gas limit",
        lab.transaction(0, fee=GWEI - 1): "max fee per gas less than block base fee",
        lab.transaction(0, lane=True): "max fee per gas less than block base fee",
        lab.transaction(0, data=b"\x01" * 300_000): "oversized data: transaction size 300",
        b"\x03" + lab.transaction(0)[1:]: "transaction type not supported",
    }
    for raw, words in refused.items():
        error = await rpc.error("eth_sendRawTransaction", text(raw))
        assert error["code"] == -32000
        assert error["message"].startswith(words)
    assert rpc.engine.notified == 0


async def test_nonces_and_replacements_get_ethereums_words(rpc: RpcClient) -> None:
    raw = rpc.lab.transaction(0, to=STRANGER, value=1)
    await rpc.result("eth_sendRawTransaction", text(raw))
    assert (await rpc.error("eth_sendRawTransaction", text(raw)))["message"] == "already known"
    other = rpc.lab.transaction(0, to=STRANGER, value=2, nonce=0)
    error = await rpc.error("eth_sendRawTransaction", text(other))
    assert error["message"].startswith("replacement transaction underpriced")
    rpc.lab.produce()
    error = await rpc.error("eth_sendRawTransaction", text(other))
    assert error["message"] == "nonce too low: next nonce 1, tx nonce 0"


async def test_a_lane_report_that_would_fail_is_refused_with_the_contracts_error(rpc: RpcClient) -> None:
    await rpc.send(rpc.lab.call(0, "tick()", lane=True))
    assert (await rpc.result("eth_getBlockByNumber", "latest"))["gasUsed"] != "0x0"
    error = await rpc.error("eth_sendRawTransaction", text(rpc.lab.call(0, "tick()", lane=True)))
    assert error["code"] == 3
    assert error["message"].startswith("execution reverted")
    assert len(error["data"]) == 2 + 2 * (4 + 64)


async def test_a_call_returns_what_the_method_returns(rpc: RpcClient) -> None:
    await rpc.send(rpc.lab.call(0, "add(uint64)", 5))
    call = {"to": text(COUNTER), "data": text(encode("count(address)", address(0)))}
    five = text((5).to_bytes(32, "big"))
    assert await rpc.result("eth_call", call, "latest") == five
    assert await rpc.result("eth_call", call) == five
    assert await rpc.result("eth_call", {"to": call["to"], "input": call["data"]}, {"blockNumber": "0x1"}) == five
    assert await rpc.result("eth_call", call | {"from": text(STRANGER), "gasPrice": "0x1", "nonce": "0x9"}) == five
    assert await rpc.result("eth_call", call, "0x0") == text(bytes(32))
    block = await rpc.result("eth_getBlockByNumber", "0x0")
    assert await rpc.result("eth_call", call, {"blockHash": block["hash"], "requireCanonical": True}) == text(bytes(32))
    assert await rpc.result("eth_call", {"to": text(STRANGER), "data": "0x1234"}) == "0x"


async def test_a_refused_call_is_error_3_with_name_and_data(rpc: RpcClient) -> None:
    call = {"to": text(COUNTER), "data": text(encode("add(uint64)", 1_001))}
    refusal = text(encode_error(TooMuch(U64(1_001), U64(1_000))))
    for method in ("eth_call", "eth_estimateGas"):
        error = await rpc.error(method, call)
        assert (error["code"], error["message"], error["data"]) == (3, "execution reverted: TooMuch", refusal)
    unknown = await rpc.error("eth_call", {"to": text(COUNTER), "data": "0x12345678"})
    assert (unknown["code"], unknown["message"]) == (3, "execution reverted")


async def test_a_failed_transaction_keeps_its_reason_in_the_receipt(rpc: RpcClient) -> None:
    (hashed,) = await rpc.send(rpc.lab.call(0, "add(uint64)", 1_001))
    receipt = await rpc.result("eth_getTransactionReceipt", hashed)
    assert receipt["status"] == "0x0"
    assert receipt["revertData"] == text(encode_error(TooMuch(U64(1_001), U64(1_000))))
    assert (await rpc.result("flux_transactionStatus", hashed)) == {"status": "committed"}


async def test_a_call_that_makes_no_sense_is_refused(rpc: RpcClient) -> None:
    refused = [
        ({"data": "0x"}, -32602, "contract creation is not supported"),
        ({"to": "0x1234"}, -32602, "expected 20 bytes"),
        ({"to": "0x" + "11" * 20, "data": "0x01", "input": "0x02"}, -32602, 'both "data" and "input" are set'),
        ({"to": "0x" + "11" * 20, "colour": "red"}, -32602, "unknown member 'colour'"),
        ({"to": "0x" + "11" * 20, "value": "0x1"}, -32000, "insufficient funds for gas * price + value"),
        ([], -32602, "expected an object, got an array of 0"),
        ("0x", -32602, "expected an object, got '0x'"),
        ({"to": "0x" + "00" * 18 + "c001", "data": "0x", "gas": "0x10"}, -32000, "out of gas"),
        ({"to": "0x" + "00" * 18 + "c001", "gas": "0x1" + "0" * 16}, -32602, "at most 64 bits"),
    ]
    for call, code, words in refused:
        error = await rpc.error("eth_call", call)
        assert error["code"] == code
        assert words in error["message"]


async def test_overrides_are_refused_rather_than_ignored(rpc: RpcClient) -> None:
    error = await rpc.error("eth_call", {"to": text(COUNTER)}, "latest", {text(COUNTER): {"balance": "0x1"}})
    assert error["message"] == "invalid argument 2: state and block overrides are not supported"
    assert (await rpc.error("eth_call", {"to": text(COUNTER)}, "latest", {}))["code"] == 3


async def test_gas_estimates_suffice(rpc: RpcClient) -> None:
    assert (
        await rpc.result("eth_estimateGas", {"from": text(address(0)), "to": text(STRANGER), "value": "0x1"})
        == "0x5208"
    )
    call = {"from": text(address(0)), "to": text(COUNTER), "data": text(encode("add(uint64)", 5))}
    gas = int(await rpc.result("eth_estimateGas", call), 16)
    (hashed,) = await rpc.send(rpc.lab.call(0, "add(uint64)", 5, gas=gas))
    assert (await rpc.result("eth_getTransactionReceipt", hashed))["status"] == "0x1"


async def test_contracts_have_code_and_storage(rpc: RpcClient) -> None:
    await rpc.send(rpc.lab.call(0, "add(uint64)", 5))
    assert await rpc.result("eth_getCode", text(COUNTER), "latest") == text(b"\xfeflux:Counter")
    assert await rpc.result("eth_getCode", text(STRANGER)) == "0x"
    slot = text(keccak256(b"\x01"))
    assert await rpc.result("eth_getStorageAt", text(COUNTER), slot, "latest") == text((5).to_bytes(32, "big"))
    assert await rpc.result("eth_getStorageAt", text(COUNTER), "0x0") == text(bytes(32))


async def test_proofs_verify_against_the_state_root_of_their_block(rpc: RpcClient) -> None:
    await rpc.send(rpc.lab.call(0, "add(uint64)", 5))
    slot = Hash(keccak256(b"\x01"))
    proof = await rpc.result("eth_getProof", text(COUNTER), [text(slot), "0x2"], "latest")
    root = bytes.fromhex((await rpc.result("eth_getBlockByNumber", "latest"))["stateRoot"][2:])
    leaf = verify_proof(Hash(root), keccak256(COUNTER), [bytes.fromhex(node[2:]) for node in proof["accountProof"]])
    assert leaf is not None
    _, _, storage_root, code_hash = rlp.decode_flat(leaf)
    assert (text(storage_root), text(code_hash)) == (proof["storageHash"], proof["codeHash"])
    assert proof["codeHash"] == text(keccak256(b"\xfeflux:Counter"))
    first, second = proof["storageProof"]
    nodes = [bytes.fromhex(node[2:]) for node in first["proof"]]
    assert verify_proof(Hash(storage_root), keccak256(slot), nodes) == rlp.encode(b"\x05")
    assert (first["key"], first["value"]) == (text(slot), "0x5")
    assert (second["key"], second["value"]) == ("0x2", "0x0")
    absent = await rpc.result("eth_getProof", text(STRANGER), [], "0x0")
    assert (absent["balance"], absent["nonce"]) == ("0x0", "0x0")


async def test_a_proof_by_storage_key_carries_the_whole_long_value(rpc: RpcClient) -> None:
    await rpc.send(rpc.lab.call(0, "note(string)", "long " * 20))
    key = b"\x03" + address(0)
    proof = await rpc.result("flux_getProof", text(COUNTER), [text(key), "0x07"], "latest")
    whole = bytes.fromhex(proof["values"][0][2:])
    assert whole.endswith(b"long " * 20)
    assert proof["values"][1] is None
    assert proof["storageProof"][0]["key"] == text(keccak256(key))
    assert proof["storageProof"][0]["value"] == hex(
        int.from_bytes(keccak256(bytes.fromhex(proof["values"][0][2:])), "big")
    )
    error = await rpc.error("flux_getProof", text(COUNTER), ["0x"])
    assert "a storage key has 1 to 400 bytes, got 0" in error["message"]


async def test_state_outside_the_kept_heights_is_refused(rpc: RpcClient) -> None:
    for _ in range(258):
        rpc.lab.block()
    error = await rpc.error("eth_getBalance", text(address(0)), "0x1")
    assert (error["code"], "is not available" in error["message"]) == (-32000, True)
    assert await rpc.result("eth_getBalance", text(address(0)), "0x2") == hex(FUNDS)
    assert (await rpc.error("eth_getBalance", text(address(0)), "0x103"))["message"] == "header not found"
    missing = await rpc.error("eth_getBalance", text(address(0)), {"blockHash": "0x" + "12" * 32})
    assert missing["message"] == "header not found"


async def test_all_receipts_of_a_block_agree_with_those_one_by_one(rpc: RpcClient) -> None:
    hashes = await rpc.send(
        rpc.lab.call(0, "add(uint64)", 5), rpc.lab.call(1, "add(uint64)", 6), rpc.lab.call(0, "add(uint64)", 7)
    )
    receipts = await rpc.result("eth_getBlockReceipts", "latest")
    assert [receipt["transactionHash"] for receipt in receipts[:3]] != []
    assert sorted(receipt["transactionHash"] for receipt in receipts[:3]) == sorted(hashes)
    for receipt in receipts:
        assert await rpc.result("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt
    indices = [int(log["logIndex"], 16) for receipt in receipts for log in receipt["logs"]]
    assert indices == [0, 1, 2]
    assert await rpc.result("eth_getBlockReceipts", "0x9") is None


async def test_prices_follow_the_base_fee(rpc: RpcClient) -> None:
    tip = int(await rpc.result("eth_maxPriorityFeePerGas"), 16)
    assert int(await rpc.result("eth_gasPrice"), 16) == GWEI + tip


async def test_fee_history_has_the_form_that_wallets_read(rpc: RpcClient) -> None:
    for tip in (1, 2, 3):
        await rpc.send(rpc.lab.transaction(0, to=STRANGER, tip=tip), rpc.lab.transaction(1, to=STRANGER, tip=10 * tip))
    history = await rpc.result("eth_feeHistory", "0x2", "latest", [0, 50, 100])
    assert history["oldestBlock"] == "0x2"
    assert history["baseFeePerGas"][:2] == [hex(GWEI)] * 2
    assert GWEI < int(history["baseFeePerGas"][2], 16) < GWEI + 10_000
    assert history["gasUsedRatio"] == [42_000 / 400_000_000] * 2
    assert history["reward"] == [["0x2", "0x2", "0x14"], ["0x3", "0x3", "0x1e"]]
    whole = await rpc.result("eth_feeHistory", 99, "0x2", [])
    assert whole["oldestBlock"] == "0x0"
    assert len(whole["baseFeePerGas"]) == 4
    assert "reward" not in whole
    assert await rpc.result("eth_feeHistory", "0x0", "latest", []) == {"oldestBlock": "0x0", "gasUsedRatio": None}
    for bad in ([50, 10], [101], ["a"], [True]):
        assert (await rpc.error("eth_feeHistory", "0x1", "latest", bad))["code"] == -32602


async def test_the_tip_follows_what_was_paid_when_blocks_are_more_than_half_full() -> None:
    async with rpc_lab(Lab(params=Lab().params.but(block_gas_limit=60_000, lane_gas_limit=0))) as rpc:
        await rpc.send(
            rpc.lab.transaction(0, to=STRANGER, tip=5 * GWEI), rpc.lab.transaction(1, to=STRANGER, tip=4 * GWEI)
        )
        assert await rpc.result("eth_maxPriorityFeePerGas") == hex(5 * GWEI)


async def test_flux_methods_tell_what_ethereum_has_no_word_for(rpc: RpcClient) -> None:
    rpc.lab.block(seconds=100)
    info = await rpc.result("flux_chainInfo")
    assert (info["chainId"], info["engine"], info["head"]["number"]) == (hex(CHAIN_ID), "hand", "0x1")
    assert info["genesisHash"] == (await rpc.result("eth_getBlockByNumber", "earliest"))["hash"]
    assert (await rpc.result("flux_params"))["gasIntrinsic"] == "0x5208"
    clock = await rpc.result("flux_clock", "latest")
    assert clock == {"number": "0x1", "timestamp": hex(START + 100), "now": hex(START), "gaps": "0x64"}
    assert (await rpc.result("flux_clock", "0x0"))["gaps"] == "0x0"
    assert (await rpc.result("flux_health"))["healthy"] is True
    rpc.lab.application.suspend("the disk is full")
    health = await rpc.result("flux_health")
    assert (health["healthy"], health["reason"]) == (False, "the disk is full")
    assert await rpc.result("flux_transactionStatus", "0x" + "12" * 32) == {"status": "unknown"}


async def test_a_dropped_transaction_tells_why(rpc: RpcClient) -> None:
    first, second = [
        await rpc.result("eth_sendRawTransaction", text(rpc.lab.call(0, "tick()", lane=True))) for _ in range(2)
    ]
    rpc.lab.produce()
    assert await rpc.result("flux_transactionStatus", first) == {"status": "committed"}
    status = await rpc.result("flux_transactionStatus", second)
    assert status["status"] == "dropped"
    assert status["reason"].startswith("execution reverted")


async def test_a_chain_that_stands_still_is_not_healthy(rpc: RpcClient) -> None:
    rpc.lab.block()
    rpc.clock.ahead = 60
    assert (await rpc.result("flux_health"))["healthy"] is True
    rpc.clock.ahead = 62
    health = await rpc.result("flux_health")
    assert health["healthy"] is False
    assert health["reason"].startswith("no block for 6")


def test_parameters_of_every_kind_have_a_json_form() -> None:
    class Inner(Record, frozen=True):
        is_on: bool
        name: str

    class Outer(Record, frozen=True):
        max_count: int
        seed_bytes: bytes
        inner_items: tuple[Inner, ...]

    shown = to_json(Outer(258, b"\x01\x02", (Inner(True, "x"),)))
    assert shown == {"maxCount": "0x102", "seedBytes": "0x0102", "innerItems": [{"isOn": True, "name": "x"}]}
    with pytest.raises(TypeError, match="float has no JSON form"):
        to_json(1.5)


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_open() -> None:
    with listen("127.0.0.1", 0) as first:
        first.listen()
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", first.getsockname()[1])


async def test_a_transaction_with_an_access_list_shows_it(rpc: RpcClient) -> None:
    slots = ["0x" + "33" * 32]
    entry = {"address": "0x" + "22" * 20, "storageKeys": slots}
    key = keccak256(b"test key 0")
    for kind, fields in ((1, {"gasPrice": 5 * GWEI}), (0, {"gasPrice": 5 * GWEI})):
        extra = {"accessList": [entry]} if kind else {}
        raw = signed(key, nonce=1 - kind, gas=30_000, to=text(STRANGER), **fields, **extra)
        (hashed,) = await rpc.send(raw)
        shown = await rpc.result("eth_getTransactionByHash", hashed)
        assert (shown["type"], shown["gasPrice"], shown["chainId"]) == (hex(kind), hex(5 * GWEI), hex(CHAIN_ID))
        assert shown.get("accessList") == ([entry] if kind else None)
        assert "maxFeePerGas" not in shown
        if not kind:
            assert int(shown["v"], 16) in (CHAIN_ID * 2 + 35, CHAIN_ID * 2 + 36)
            assert "yParity" not in shown

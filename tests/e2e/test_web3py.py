"""A web3.py script that knows nothing of Flux but the RPC URL and the generated ABI."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3
from web3.exceptions import ContractCustomError, Web3RPCError

from flux.services.ports import free_port

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""The first development account's."""
NODES = "0x000000000000000000000000000000000000F101"
FLUX_TOKEN = "0x000000000000000000000000000000000000F100"


@pytest.fixture(scope="module")
def web3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web3]:
    port = free_port()
    home = tmp_path_factory.mktemp("chain")
    command = [sys.executable, "-m", "flux.cli.main", "--home", str(home), "chain", "start", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = Web3(Web3.HTTPProvider(f"http://127.0.0.1:{port}"))
    try:
        wait_for(client, process)
        yield client
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def wait_for(client: Web3, process: "subprocess.Popen[bytes]") -> None:
    import time

    deadline = time.monotonic() + 30
    while not client.is_connected():
        assert process.poll() is None, "the chain ended"
        assert time.monotonic() < deadline, "the chain did not answer"
        time.sleep(0.05)


def send(web3: Web3, transaction: dict[str, Any]) -> Any:
    account = Account.from_key(KEY)
    filled = {"chainId": web3.eth.chain_id, "nonce": web3.eth.get_transaction_count(account.address), **transaction}
    signed = account.sign_transaction(filled)
    return web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed.raw_transaction), timeout=20)


def fees(web3: Web3) -> dict[str, int]:
    return {"maxFeePerGas": 3 * web3.eth.gas_price, "maxPriorityFeePerGas": 10}


@pytest.mark.parametrize("kind", ["legacy", "access list", "dynamic fee"])
def test_a_transfer_of_each_type_arrives(web3: Web3, kind: str) -> None:
    to = Account.create().address
    price: dict[str, Any] = {
        "legacy": {"gasPrice": 2 * web3.eth.gas_price},
        "access list": {"gasPrice": 2 * web3.eth.gas_price, "type": 1, "accessList": []},
        "dynamic fee": {"type": 2, **fees(web3)},
    }[kind]
    receipt = send(web3, {"to": to, "value": 12345, "gas": 21_000, **price})
    assert receipt.status == 1
    assert web3.eth.get_balance(to) == 12345
    block = web3.eth.get_block(receipt.blockNumber, full_transactions=True)
    assert receipt.transactionHash in [transaction["hash"] for transaction in block["transactions"]]
    found = web3.eth.get_transaction(receipt.transactionHash)
    assert (found["value"], found["to"], found["type"]) == (12345, to, {"legacy": 0, "access list": 1}.get(kind, 2))
    assert block["transactions"][-1]["from"] == "0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE"


def test_a_contract_is_called_through_its_generated_abi_and_its_event_is_read(web3: Web3) -> None:
    token = web3.eth.contract(address=FLUX_TOKEN, abi=json.loads((ROOT / "schemas" / "Accounts.json").read_text()))
    assert token.functions.symbol().call() == "FLUX"
    assert token.functions.totalSupply().call() <= 440_000_000 * 10**18
    to = Account.create().address
    receipt = send(
        web3,
        {
            "to": FLUX_TOKEN, "gas": 200_000, "value": 0, **fees(web3),
            "data": token.encode_abi("transfer", args=[to, 77]),
        },
    )  # fmt: skip
    assert receipt.status == 1
    (event,) = token.events.Transfer().process_receipt(receipt)
    assert (event["args"]["recipient"], event["args"]["value"]) == (to, 77)
    (found,) = token.events.Transfer().get_logs(from_block=receipt.blockNumber, to_block=receipt.blockNumber)
    assert found["transactionHash"] == receipt.transactionHash
    assert token.functions.balanceOf(to).call() == 77


def test_a_refusal_is_a_custom_error(web3: Web3) -> None:
    nodes = web3.eth.contract(address=NODES, abi=json.loads((ROOT / "schemas" / "Nodes.json").read_text()))
    with pytest.raises(ContractCustomError):
        nodes.functions.node(999).call()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nonce": 0}, "nonce too low"),
        ({"value": 10**30}, "insufficient funds"),
        ({"gas": 20_000}, "intrinsic gas too low"),
        ({"gas": 10**10}, "gas limit"),
        ({"chainId": 1}, "chain id"),
        ({"maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, "max fee per gas less than block base fee"),
    ],
)
def test_a_bad_transaction_meets_the_usual_words(web3: Web3, changes: dict[str, Any], words: str) -> None:
    send(web3, {"to": Account.create().address, "value": 1, "gas": 21_000, **fees(web3)})
    with pytest.raises(Web3RPCError, match=words):
        send(web3, {"to": Account.create().address, "value": 1, "gas": 21_000, **fees(web3), **changes})


def test_proofs_verify_with_an_independent_trie(web3: Web3) -> None:
    import rlp
    from trie import HexaryTrie

    account = Account.from_key(KEY).address
    absent = Account.create().address
    head = web3.eth.get_block("latest")
    for address in (account, absent, FLUX_TOKEN):
        proof = web3.eth.get_proof(address, [], head["number"])
        nodes = [rlp.decode(bytes(node)) for node in proof["accountProof"]]
        leaf = HexaryTrie.get_from_proof(bytes(head["stateRoot"]), Web3.keccak(hexstr=address), nodes)
        if address == absent:
            assert leaf == b""
            continue
        nonce, balance, storage, code = rlp.decode(leaf)
        assert int.from_bytes(balance) == proof["balance"]
        assert int.from_bytes(nonce) == proof["nonce"]
        assert (storage, code) == (bytes(proof["storageHash"]), bytes(proof["codeHash"]))

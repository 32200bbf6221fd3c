"""web3.py against a running chain: it knows nothing of Flux but the URL, the development mnemonic and the ABIs."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from trie import HexaryTrie
from web3 import AsyncWeb3, Web3, WebSocketProvider
from web3.exceptions import ContractCustomError, TransactionNotFound, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder
from web3.types import TxParams, TxReceipt

from support.chain_process import chain_process

pytestmark = pytest.mark.e2e

SCHEMAS = Path(__file__).parents[2] / "schemas"
MNEMONIC = "test test test test test test test test test test test junk"
ACCOUNTS = "0x000000000000000000000000000000000000F100"
STRANGER = "0x" + "Ab" * 4 + "00" * 15 + "01"
ACCESS_LIST = [{"address": ACCOUNTS, "storageKeys": ["0x" + "00" * 32]}]
GWEI = 10**9


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chain_process(tmp_path_factory.mktemp("chain")) as served:
        yield served


@pytest.fixture(scope="module")
def w3(url: str) -> Web3:
    return Web3(Web3.HTTPProvider(url))


@pytest.fixture(scope="module")
def stranger() -> str:
    return Web3.to_checksum_address(STRANGER.lower())


def development_account(number: int) -> LocalAccount:
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
    return account


def draft(w3: Web3, sender: LocalAccount, **fields: Any) -> TxParams:
    body: dict[str, Any] = {
        "chainId": w3.eth.chain_id,
        "nonce": w3.eth.get_transaction_count(sender.address),
        "gas": 21_000,
        "value": 1,
    }
    if "gasPrice" not in fields:
        body |= {"maxFeePerGas": 10 * GWEI, "maxPriorityFeePerGas": GWEI}
    return body | fields  # type: ignore[return-value]


def raw(sender: LocalAccount, fields: TxParams) -> bytes:
    return bytes(sender.sign_transaction(fields).raw_transaction)  # type: ignore[arg-type]


def send(w3: Web3, sender: LocalAccount, **fields: Any) -> TxReceipt:
    sent = w3.eth.send_raw_transaction(raw(sender, draft(w3, sender, **fields)))
    return w3.eth.wait_for_transaction_receipt(sent, timeout=20, poll_latency=0.02)


def contract(w3: Web3) -> Any:
    return w3.eth.contract(
        address=Web3.to_checksum_address(ACCOUNTS), abi=json.loads((SCHEMAS / "Accounts.json").read_text())
    )


def test_the_chain_is_the_local_one_with_funded_accounts(w3: Web3) -> None:
    assert w3.is_connected()
    assert w3.eth.chain_id == 19169
    assert w3.net.version == "19169"
    assert w3.client_version.startswith("Flux/")
    assert w3.eth.syncing is False
    assert list(w3.eth.accounts) == []
    assert w3.eth.get_balance(development_account(0).address) > 0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (0, {"gasPrice": 5 * GWEI}),
        (
            1,
            {
                "gasPrice": 5 * GWEI,
                "accessList": [{"address": ACCOUNTS, "storageKeys": ["0x" + "00" * 32]}],
                "gas": 30_000,
            },
        ),
        (2, {}),
    ],
)
def test_a_transfer_of_each_type_is_committed(w3: Web3, stranger: str, kind: int, fields: dict[str, Any]) -> None:
    sender = development_account(kind)
    before, held = w3.eth.get_balance(sender.address), w3.eth.get_balance(Web3.to_checksum_address(stranger))
    receipt = send(w3, sender, to=stranger, value=10**18, **fields)
    assert (receipt["status"], receipt["type"], receipt["from"], receipt["to"]) == (1, kind, sender.address, stranger)
    fee = receipt["gasUsed"] * receipt["effectiveGasPrice"]
    assert w3.eth.get_balance(Web3.to_checksum_address(stranger)) == held + 10**18
    assert w3.eth.get_balance(sender.address) == before - 10**18 - fee
    transaction = w3.eth.get_transaction(receipt["transactionHash"])
    assert (transaction["type"], transaction["value"], transaction["from"]) == (kind, 10**18, sender.address)
    block = w3.eth.get_block(receipt["blockNumber"], full_transactions=True)
    assert block["hash"] == receipt["blockHash"] == w3.eth.get_block(receipt["blockHash"])["hash"]
    assert transaction in block["transactions"]
    assert receipt in w3.eth.get_block_receipts(receipt["blockNumber"])


def test_web3_fills_in_fees_gas_and_nonce_by_itself(w3: Web3, stranger: str) -> None:

    sender = development_account(3)
    own = Web3(w3.provider)
    own.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(sender), layer=0)  # type: ignore[arg-type]
    sent = own.eth.send_transaction({"from": sender.address, "to": Web3.to_checksum_address(stranger), "value": 5})  # type: ignore[typeddict-item]
    assert own.eth.wait_for_transaction_receipt(sent, timeout=20)["status"] == 1


def test_the_usual_mistakes_get_the_usual_words(w3: Web3, stranger: str) -> None:
    sender, poor = development_account(4), Account.create()
    first = raw(sender, draft(w3, sender, to=stranger))
    nonce = w3.eth.get_transaction_count(sender.address)
    w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(first), timeout=20)
    waiting = raw(sender, draft(w3, sender, to=stranger, nonce=nonce + 5))
    w3.eth.send_raw_transaction(waiting)
    mistakes = {
        first: "nonce too low",
        waiting: "already known",
        raw(sender, draft(w3, sender, to=stranger, nonce=nonce + 5, value=2)): "replacement transaction underpriced",
        raw(poor, draft(w3, poor, to=stranger)): "insufficient funds for gas * price + value",
        raw(sender, draft(w3, sender, to=stranger, gas=20_999)): "intrinsic gas too low",
        raw(sender, draft(w3, sender, to=stranger, gas=10**12)): "exceeds block gas limit",
        raw(sender, draft(w3, sender, to=stranger, chainId=1)): "invalid chain id for signer",
        raw(sender, draft(w3, sender, to=stranger, maxFeePerGas=1, maxPriorityFeePerGas=1)): "less than block base fee",
        raw(sender, draft(w3, sender, data=b"\x60\x00", gas=100_000)): "contract creation is not supported",
        b"\x02\xc0": "rlp",
    }
    for mistake, words in mistakes.items():
        with pytest.raises(Web3RPCError, match=re.escape(words)):
            w3.eth.send_raw_transaction(mistake)
    with pytest.raises(TransactionNotFound):
        w3.eth.get_transaction_receipt(HexBytes("0x" + "12" * 32))


def test_a_contract_is_called_through_its_generated_abi(w3: Web3, stranger: str) -> None:
    sender, token = development_account(5), contract(w3)
    assert token.functions.symbol().call() == "FLUX"
    assert token.functions.decimals().call() == 18
    assert token.functions.balanceOf(sender.address).call() == w3.eth.get_balance(sender.address)
    height = w3.eth.block_number
    minted, burned = token.functions.supply().call(block_identifier=height)
    assert token.functions.totalSupply().call(block_identifier=height) == minted - burned
    transfer = token.functions.transfer(stranger, 7)
    gas = transfer.estimate_gas({"from": sender.address})
    receipt = send(w3, sender, to=token.address, data=transfer._encode_transaction_data(), gas=gas, value=0)
    assert receipt["status"] == 1
    (event,) = token.events.Transfer().process_receipt(receipt)
    assert list(event["args"].values()) == [sender.address, stranger, 7]
    number = receipt["blockNumber"]
    assert event in list(token.events.Transfer().get_logs(from_block=number, to_block=number))
    topic = HexBytes(token.events.Transfer().topic)
    assert receipt["logs"][0] in w3.eth.get_logs({"blockHash": receipt["blockHash"], "topics": [topic]})


def test_a_refusal_reaches_the_caller_as_the_contracts_custom_error(w3: Web3, stranger: str) -> None:
    poor, token = Account.create(), contract(w3)
    with pytest.raises(ContractCustomError) as refusal:
        token.functions.transfer(stranger, 7).call({"from": poor.address})
    selector = Web3.keccak(text="ERC20InsufficientBalance(address,uint256,uint256)")[:4]
    assert str(refusal.value.data).startswith(Web3.to_hex(selector))


def test_polling_filters_and_fee_history_work(w3: Web3, stranger: str) -> None:
    sender = development_account(6)
    watched = w3.eth.filter("latest")
    receipt = send(w3, sender, to=stranger)
    assert receipt["blockHash"] in watched.get_new_entries()
    history = w3.eth.fee_history(2, "latest", [25, 75])
    assert len(history["baseFeePerGas"]) == len(history["gasUsedRatio"]) + 1
    assert w3.eth.gas_price > w3.eth.max_priority_fee > 0


def test_proofs_verify_with_an_independent_library(w3: Web3, stranger: str) -> None:
    def account(address: str) -> Any:
        proof = w3.eth.get_proof(Web3.to_checksum_address(address), [0], "latest")
        root = w3.eth.get_block("latest")["stateRoot"]
        nodes = [rlp.decode(bytes(node)) for node in proof["accountProof"]]
        return proof, HexaryTrie.get_from_proof(bytes(root), Web3.keccak(hexstr=address), nodes)

    for _ in range(50):
        height = w3.eth.block_number
        proof, leaf = account(development_account(0).address)
        absent, nothing = account("0x" + "77" * 20)
        if w3.eth.block_number == height:
            break
    else:
        raise AssertionError("blocks never stood still for two reads")
    fields = [proof["nonce"], proof["balance"], bytes(proof["storageHash"]), bytes(proof["codeHash"])]
    assert leaf == rlp.encode(fields)
    assert nothing == b""
    assert absent["balance"] == 0


async def test_new_heads_and_logs_arrive_by_websocket(url: str, w3: Web3, stranger: str) -> None:
    sender, token = development_account(7), contract(w3)
    async with AsyncWeb3(WebSocketProvider(url.replace("http", "ws"))) as own:
        heads = await own.eth.subscribe("newHeads")
        logs = await own.eth.subscribe("logs", {"address": token.address})
        data = token.functions.transfer(stranger, 9)._encode_transaction_data()
        receipt = await asyncio.to_thread(send, w3, sender, to=token.address, data=data, gas=200_000, value=0)
        seen: dict[str, Any] = {}
        async with asyncio.timeout(20):
            async for message in own.socket.process_subscriptions():
                result = message["result"]
                if message["subscription"] == heads and result["number"] == receipt["blockNumber"]:
                    seen["head"] = result["hash"]
                if message["subscription"] == logs and result["transactionHash"] == receipt["transactionHash"]:
                    seen["log"] = result["blockHash"]
                if len(seen) == 2:
                    break
    assert seen == {"head": receipt["blockHash"], "log": receipt["blockHash"]}

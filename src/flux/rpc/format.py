"""Chain objects as JSON, member by member as go-ethereum writes them, so that every client library reads them."""

from collections.abc import Sequence

from flux.chain.block import BLOCK_NONCE, EMPTY_OMMERS_HASH, Block, Header
from flux.chain.ledger import ReceiptLocation
from flux.chain.logs import LocatedLog
from flux.chain.receipt import Receipt
from flux.chain.transaction import DYNAMIC_FEE, LEGACY, Transaction
from flux.chain.views import AccountProof
from flux.kernel.events import Log

Json = dict[str, object]

_NONCE = "0x" + BLOCK_NONCE.hex()
_OMMERS = "0x" + EMPTY_OMMERS_HASH.hex()


def header(made: Header) -> Json:
    """A header, as newHeads announces it."""
    return {
        "hash": "0x" + made.hash.hex(),
        "parentHash": "0x" + made.parent_hash.hex(),
        "sha3Uncles": _OMMERS,
        "miner": "0x" + made.producer.hex(),
        "stateRoot": "0x" + made.state_root.hex(),
        "transactionsRoot": "0x" + made.transactions_root.hex(),
        "receiptsRoot": "0x" + made.receipts_root.hex(),
        "logsBloom": "0x" + made.logs_bloom.hex(),
        "difficulty": "0x0",
        "number": hex(made.number),
        "gasLimit": hex(made.gas_limit),
        "gasUsed": hex(made.gas_used),
        "timestamp": hex(made.timestamp),
        "extraData": "0x" + made.extra_data.hex(),
        "mixHash": "0x" + made.seed.hex(),
        "nonce": _NONCE,
        "baseFeePerGas": hex(made.base_fee),
    }


def block(made: Block, *, full: bool) -> Json:
    """A block with its transactions, or only their hashes."""
    body = header(made.header)
    body["size"] = hex(made.size)
    body["uncles"] = []
    if full:
        body["transactions"] = [transaction(item, made.header, index) for index, item in enumerate(made.transactions)]
    else:
        body["transactions"] = ["0x" + item.hash.hex() for item in made.transactions]
    return body


def transaction(made: Transaction, where: Header | None = None, index: int = 0) -> Json:
    """A transaction; without a block it is still waiting."""
    body: Json = {
        "blockHash": None if where is None else "0x" + where.hash.hex(),
        "blockNumber": None if where is None else hex(where.number),
        "transactionIndex": None if where is None else hex(index),
        "hash": "0x" + made.hash.hex(),
        "type": hex(made.type),
        "from": "0x" + made.recover().hex(),
        "to": "0x" + made.to.hex(),
        "nonce": hex(made.nonce),
        "gas": hex(made.gas_limit),
        "gasPrice": hex(made.max_fee if where is None else made.effective_price(where.base_fee)),
        "value": hex(made.value),
        "input": "0x" + made.data.hex(),
        "v": hex(made.v),
        "r": hex(made.r),
        "s": hex(made.s),
    }
    if made.chain_id:
        body["chainId"] = hex(made.chain_id)
    if made.type == LEGACY:
        body["gasPrice"] = hex(made.max_fee)
        return body
    body["yParity"] = body["v"]
    body["accessList"] = [
        {"address": "0x" + address.hex(), "storageKeys": ["0x" + slot.hex() for slot in slots]}
        for address, slots in made.access_list
    ]
    if made.type == DYNAMIC_FEE:
        body["maxFeePerGas"] = hex(made.max_fee)
        body["maxPriorityFeePerGas"] = hex(made.max_priority_fee)
    return body


def receipt(found: ReceiptLocation) -> Json:
    """A receipt. A failed one carries the contract's custom error as `revertData`, which Ethereum has no member for."""
    made, sent, where = found.receipt, found.transaction, found.header
    block_hash, block_number = "0x" + where.hash.hex(), hex(where.number)
    transaction_hash, transaction_index = "0x" + sent.hash.hex(), hex(found.transaction_index)
    body: Json = {
        "transactionHash": transaction_hash,
        "transactionIndex": transaction_index,
        "blockHash": block_hash,
        "blockNumber": block_number,
        "from": "0x" + sent.recover().hex(),
        "to": "0x" + sent.to.hex(),
        "contractAddress": None,
        "cumulativeGasUsed": hex(made.cumulative_gas_used),
        "gasUsed": hex(made.gas_used),
        "effectiveGasPrice": hex(made.effective_gas_price),
        "type": hex(made.transaction_type),
        "status": "0x1" if made.succeeded else "0x0",
        "logsBloom": "0x" + made.bloom.hex(),
        "logs": [
            _log(entry, block_hash, block_number, transaction_hash, transaction_index, found.first_log_index + offset)
            for offset, entry in enumerate(made.logs)
        ],
    }
    if not made.succeeded:
        body["revertData"] = "0x" + made.revert_data.hex()
    return body


def block_receipts(made: Block, receipts: Sequence[Receipt]) -> list[Json]:
    """All receipts of a block."""
    bodies = []
    first_log_index = 0
    for index, (sent, item) in enumerate(zip(made.transactions, receipts, strict=True)):
        bodies.append(receipt(ReceiptLocation(item, made.header, sent, index, first_log_index)))
        first_log_index += len(item.logs)
    return bodies


def log(found: LocatedLog) -> Json:
    """A log and where it stands."""
    return _log(
        found.log,
        "0x" + found.block_hash.hex(),
        hex(found.block_number),
        "0x" + found.transaction_hash.hex(),
        hex(found.transaction_index),
        found.log_index,
    )


def proof(made: AccountProof, keys: Sequence[str]) -> Json:
    """The answer of eth_getProof; `keys` are the slots as they were asked for."""
    return {
        "address": "0x" + made.address.hex(),
        "balance": hex(made.balance),
        "nonce": hex(made.nonce),
        "codeHash": "0x" + made.code_hash.hex(),
        "storageHash": "0x" + made.storage_root.hex(),
        "accountProof": ["0x" + node.hex() for node in made.proof],
        "storageProof": [
            {
                "key": key,
                "value": hex(int.from_bytes(item.value, "big")),
                "proof": ["0x" + node.hex() for node in item.proof],
            }
            for key, item in zip(keys, made.slots, strict=True)
        ],
    }


def _log(
    entry: Log, block_hash: str, block_number: str, transaction_hash: str, transaction_index: str, log_index: int
) -> Json:
    return {
        "address": "0x" + entry.address.hex(),
        "topics": ["0x" + topic.hex() for topic in entry.topics],
        "data": "0x" + entry.data.hex(),
        "blockHash": block_hash,
        "blockNumber": block_number,
        "transactionHash": transaction_hash,
        "transactionIndex": transaction_index,
        "logIndex": hex(log_index),
        "removed": False,
    }

"""eth_*: blocks and what stands in them."""

from flux.chain.application import Application
from flux.chain.block import Block
from flux.chain.ledger import ReceiptLocation
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import Hash
from flux.rpc import format, parameters
from flux.rpc.blocks import find_block
from flux.rpc.format import Json
from flux.rpc.methods import Table, inline, read
from flux.rpc.parameters import BlockSelector


class Blocks:
    """Blocks, transactions and receipts that were committed; transactions that wait, too."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._ledger = application.ledger

    def table(self) -> Table:
        """The methods."""
        number, block_hash, index = parameters.block_number, parameters.hash32, parameters.quantity64
        return {
            "eth_blockNumber": inline(self.block_number),
            "eth_getBlockByNumber": read(self.block, number, parameters.boolean, required=1),
            "eth_getBlockByHash": read(self.block, block_hash, parameters.boolean, required=1),
            "eth_getBlockReceipts": read(self.receipts, parameters.block),
            "eth_getBlockTransactionCountByNumber": read(self.transaction_count, number),
            "eth_getBlockTransactionCountByHash": read(self.transaction_count, block_hash),
            "eth_getUncleCountByBlockNumber": read(self.uncle_count, number),
            "eth_getUncleCountByBlockHash": read(self.uncle_count, block_hash),
            "eth_getTransactionByHash": read(self.transaction, block_hash),
            "eth_getTransactionByBlockNumberAndIndex": read(self.transaction_at, number, index),
            "eth_getTransactionByBlockHashAndIndex": read(self.transaction_at, block_hash, index),
            "eth_getRawTransactionByHash": read(self.raw_transaction, block_hash),
            "eth_getTransactionReceipt": read(self.receipt, block_hash),
        }

    def block_number(self) -> str:
        """Height of the newest block."""
        return hex(self._ledger.head().number)

    def block(self, selector: BlockSelector, full: bool = False) -> Json | None:
        """A block with its transactions or their hashes."""
        found = self._find(selector)
        return None if found is None else format.block(found, full=full)

    def receipts(self, selector: BlockSelector) -> list[Json] | None:
        """All receipts of a block."""
        found = self._find(selector)
        receipts = None if found is None else self._ledger.find_receipts(found.number)
        return None if found is None or receipts is None else format.block_receipts(found, receipts)

    def transaction_count(self, selector: BlockSelector) -> str | None:
        """Transactions in a block, the system transaction included."""
        found = self._find(selector)
        return None if found is None else hex(len(found.transactions))

    def uncle_count(self, selector: BlockSelector) -> str | None:
        """Always zero for a block that exists."""
        return None if self._find(selector) is None else "0x0"

    def transaction(self, transaction_hash: Hash) -> Json | None:
        """A transaction, committed or waiting."""
        if (found := self._ledger.find_transaction(transaction_hash)) is not None:
            made, block, index = found
            return format.transaction(made, block.header, index)
        waiting = self._application.find_pending(transaction_hash)
        return None if waiting is None else format.transaction(waiting)

    def transaction_at(self, selector: BlockSelector, index: int) -> Json | None:
        """The transaction at a position in a block."""
        found = self._find(selector)
        if found is None or index >= len(found.transactions):
            return None
        return format.transaction(found.transactions[index], found.header, index)

    def raw_transaction(self, transaction_hash: Hash) -> str | None:
        """A transaction as it was sent."""
        if (found := self._ledger.find_transaction(transaction_hash)) is not None:
            return to_hex(found[0].raw)
        waiting = self._application.find_pending(transaction_hash)
        return None if waiting is None else to_hex(waiting.raw)

    def receipt(self, transaction_hash: Hash) -> Json | None:
        """What became of a transaction."""
        found: ReceiptLocation | None = self._ledger.find_receipt(transaction_hash)
        return None if found is None else format.receipt(found)

    def _find(self, selector: BlockSelector) -> Block | None:
        return find_block(self._application, selector)

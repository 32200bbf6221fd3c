"""The durable chain: blocks, receipts, indices and state in one store, one atomic commit per block.

Reads are safe from any thread, each from a snapshot of its own; `commit` is for one thread. Keys are in tables.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from flux.chain import tables
from flux.chain.block import Block, Header, decode_block, encode_block
from flux.chain.history import KEPT_HEIGHTS, HistoryPruned, StateUnavailable, encode_diff, prune_diff
from flux.chain.logs import LocatedLog, LogQuery, find_logs
from flux.chain.pruning import KEEP_ALL, check_window, prune_blocks
from flux.chain.receipt import Receipt, decode_receipts, encode_receipts
from flux.chain.recent import RecentBlocks
from flux.chain.restore import Restorer, wipe
from flux.chain.snapshot import Metadata
from flux.chain.state_root import StateChange, StateCommitment, Writes
from flux.chain.store import Snapshot, Store, StoreError
from flux.chain.transaction import Transaction
from flux.chain.views import StateView
from flux.primitives.bloom import EMPTY_BLOOM
from flux.primitives.types import U64, Address, Hash, Height

FIRST = Height(U64(1))
"""The first block after genesis."""


class LedgerError(StoreError):
    """The database cannot serve this chain; the text says what to do."""


class WrongFormat(LedgerError):
    """The database was written by another version of the program."""


class WrongGenesis(LedgerError):
    """The database holds another chain."""


class ReceiptLocation(NamedTuple):
    """A receipt and where it stands."""

    receipt: Receipt
    header: Header
    transaction: Transaction
    transaction_index: int
    """In the block."""
    first_log_index: int
    """Position in the block of the receipt's first log."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A block ready to be committed."""

    block: Block
    receipts: list[Receipt]
    change: StateChange


class Ledger:
    """One chain in one store."""

    def __init__(self, store: Store, chain_id: int, genesis: Hash, keep_blocks: int = KEEP_ALL) -> None:
        """Open at the last committed block. Raises WrongFormat or WrongGenesis; an empty store has no head yet.

        Blocks older than the newest `keep_blocks` are dropped; KEEP_ALL drops none. ValueError for a window that is too
        small.
        """
        check_window(keep_blocks)
        self._store = store
        self._chain_id = chain_id
        self._genesis = genesis
        self._keep_blocks = keep_blocks
        self._recent = RecentBlocks()
        self._head: Block | None = None
        self._restoring: Restorer | None = None
        with store.snapshot() as snapshot:
            unfinished = snapshot.get(tables.META_RESTORING) is not None
        if unfinished:
            wipe(store)
        with store.snapshot() as snapshot:
            self._first = _meta_height(snapshot, tables.META_FIRST) or FIRST
            self._base = _meta_height(snapshot, tables.META_BASE) or Height(U64(0))
            if self._check(snapshot):
                self._head = self._read_block(snapshot, _head_height(snapshot))

    def is_empty(self) -> bool:
        """Whether not even genesis was committed."""
        return self._head is None

    def head(self) -> Block:
        """The newest block."""
        if self._head is None:
            raise LedgerError("the chain has no genesis block yet; open it as an Application first")
        return self._head

    def snapshot(self) -> Snapshot:
        """The store as of the last commit, for execution."""
        return self._store.snapshot()

    @property
    def first_block(self) -> Height:
        """The lowest height, genesis apart, whose block and receipts are kept."""
        return self._first

    def find_block(self, number: Height) -> Block | None:
        """The block at a height. Raises HistoryPruned for one that is no longer kept."""
        if number != self._base:  # that one came with the state and stays, without receipts
            self._check_kept(number)
        entry = self._recent.find_block(number)
        if entry is None:
            with self._store.snapshot() as snapshot:
                entry = self._read_block(snapshot, number)
            if entry is not None:
                self._recent.put_block(entry)
        return entry

    def find_block_by_hash(self, block_hash: Hash) -> Block | None:
        """The block with a hash."""
        head = self._head
        if head is not None and head.hash == block_hash:
            return head
        with self._store.snapshot() as snapshot:
            number = snapshot.get(tables.number(block_hash))
        return None if number is None else self._kept_block(_height(number))

    def find_transaction(self, transaction_hash: Hash) -> tuple[Transaction, Block, int] | None:
        """A committed transaction, its block, and its index there."""
        with self._store.snapshot() as snapshot:
            place = snapshot.get(tables.transaction(transaction_hash))
        if place is None:
            return None
        block = self._kept_block(_height(place[:8]))
        index = int.from_bytes(place[8:], "big")
        return block.transactions[index], block, index

    def find_receipts(self, number: Height) -> list[Receipt] | None:
        """The receipts of a block, one for each of its transactions. Raises HistoryPruned like `find_block`."""
        self._check_kept(number)
        receipts = self._recent.find_receipts(number)
        if receipts is None:
            with self._store.snapshot() as snapshot:
                stored = snapshot.get(tables.receipts(number))
            if stored is None:
                return None
            receipts = decode_receipts(stored)
            self._recent.put_receipts(number, receipts)
        return receipts

    def find_receipt(self, transaction_hash: Hash) -> ReceiptLocation | None:
        """The receipt of a committed transaction."""
        found = self.find_transaction(transaction_hash)
        if found is None:
            return None
        transaction, block, index = found
        receipts = self.find_receipts(block.number)
        if receipts is None:
            raise _missing(block.number)
        first_log_index = self._recent.first_log_indices(block.number, receipts)[index]
        return ReceiptLocation(receipts[index], block.header, transaction, index, first_log_index)

    def logs(self, query: LogQuery) -> list[LocatedLog]:
        """The logs that a query wants, in order. Raises LogQueryTooLarge, HistoryPruned."""
        if self._first > FIRST:
            self._check_kept(max(query.from_block, FIRST))
        return find_logs(self, query)

    def state_at(self, number: Height | None = None) -> StateView:
        """The state after a block, or after the newest one. Raises StateUnavailable outside the kept heights."""
        snapshot = self._store.snapshot()
        try:
            if self._restoring is not None:
                raise StateUnavailable(
                    f"this node is restoring the state of block {self._restoring.height} from a snapshot; ask again "
                    "when it has joined the chain"
                )
            head = _head_height(snapshot)
            height = head if number is None else number
            if not max(head - KEPT_HEIGHTS, self._base) <= height <= head:
                raise StateUnavailable(
                    f"the state of block {height} is not available: the newest block is {head} and the states of the "
                    f"{min(KEPT_HEIGHTS, head - self._base)} blocks before it are kept"
                )
            return StateView(snapshot, self._kept_block(height).header, head)
        except BaseException:
            snapshot.close()
            raise

    def commit(self, prepared: Prepared) -> None:
        """Write a block and everything that belongs to it, durably. Raises StoreFull, and then nothing is changed."""
        block, receipts, change = prepared.block, prepared.receipts, prepared.change
        number = block.number
        writes: Writes = dict(change.writes)
        if number:
            writes |= encode_diff(change.replaced, number)
            with self._store.snapshot() as snapshot:
                writes |= prune_diff(snapshot, number)
            first = self._prune(writes, number)
        else:
            first = self._first
            writes[tables.META_FORMAT] = str(tables.FORMAT_VERSION).encode()
            writes[tables.META_GENESIS] = self._genesis
        writes[tables.block(number)] = encode_block(block)
        writes[tables.receipts(number)] = encode_receipts(receipts)
        if block.header.logs_bloom != EMPTY_BLOOM:
            writes[tables.bloom(number)] = block.header.logs_bloom
        position = number.to_bytes(8, "big")
        writes[tables.number(block.hash)] = position
        for index, transaction in enumerate(block.transactions):
            writes[tables.transaction(transaction.hash)] = position + index.to_bytes(4, "big")
        writes[tables.META_HEAD] = position
        self._store.commit(writes)
        self._recent.put_block(block)
        self._recent.put_receipts(number, receipts)
        self._first = first
        self._head = block

    def begin_restore(self, commitment: StateCommitment, contracts: Iterable[Address], metadata: Metadata) -> None:
        """Begin to replace genesis by the state of a snapshot; a restore that was not finished is given up.

        Until `finish_restore` no state can be read. Raises LedgerError when there are blocks above genesis, or above
        the block that was restored: an engine that had no time to note that one restores again.
        """
        if self.head().number not in (0, self._base):
            raise LedgerError(
                f"this node stands at block {self.head().number}; a snapshot is only restored into an empty folder"
            )
        self._restoring = Restorer(self._store, commitment, contracts, metadata, self._chain_id)

    @property
    def restoring(self) -> Restorer | None:
        """What takes the chunks of the snapshot that is being restored, if one is."""
        return self._restoring

    def finish_restore(self) -> Block:
        """Stand at the restored block from now on. Raises BadSnapshot."""
        assert self._restoring is not None, "a restore was begun"
        block = self._restoring.finish()
        self._restoring = None
        self._base = block.number
        self._first = Height(U64(block.number + 1))
        self._head = block
        return block

    def _prune(self, writes: Writes, number: Height) -> Height:
        """Add the deletions that follow from block `number`; the first height kept after them."""
        if self._keep_blocks == KEEP_ALL or number < self._keep_blocks:
            return self._first
        with self._store.snapshot() as snapshot:
            wanted = Height(U64(number - self._keep_blocks + 1))
            dropped, first = prune_blocks(snapshot, self._first, wanted, self._chain_id)
        writes |= dropped
        return first

    def _check_kept(self, number: Height) -> None:
        if FIRST <= number < self._first:
            raise HistoryPruned(number, self._first)

    def _check(self, snapshot: Snapshot) -> bool:
        """Whether the store holds this chain; False when it holds nothing."""
        version = snapshot.get(tables.META_FORMAT)
        if version is None:
            if next(snapshot.range(b"\0", b"\xff"), None) is not None:
                raise WrongFormat("the database holds something, but no Flux chain; use an empty folder")
            return False
        if version != str(tables.FORMAT_VERSION).encode():
            raise WrongFormat(
                f"the database has format {version.decode(errors='replace')} and this program reads format "
                f"{tables.FORMAT_VERSION}; export the chain with the program that wrote it and import it with this one"
            )
        if snapshot.get(tables.META_GENESIS) != self._genesis:
            raise WrongGenesis(
                "the database holds a chain with another genesis; use that chain's genesis file, or another folder"
            )
        return True

    def _kept_block(self, number: Height) -> Block:
        """A block that must be there."""
        block = self.find_block(number)
        if block is None:
            raise _missing(number)
        return block

    def _read_block(self, snapshot: Snapshot, number: Height) -> Block | None:
        stored = snapshot.get(tables.block(number))
        return None if stored is None else decode_block(stored, self._chain_id)


def _missing(number: Height) -> LedgerError:
    return LedgerError(f"block {number} is missing: the database is damaged; import the chain into an empty folder")


def _meta_height(snapshot: Snapshot, key: bytes) -> Height | None:
    stored = snapshot.get(key)
    return None if stored is None else _height(stored)


def _head_height(snapshot: Snapshot) -> Height:
    stored = snapshot.get(tables.META_HEAD)
    if stored is None:
        raise LedgerError("the chain has no genesis block yet; open it as an Application first")
    return _height(stored)


def _height(data: bytes) -> Height:
    return Height(U64(int.from_bytes(data, "big")))

"""A state out of a snapshot's chunks, into a store that holds nothing but genesis; the tries are built on the way.

Nothing is believed: chunks must have the hashes of the metadata, entries must be well formed, and the root that comes
out must be the trusted header's. While it goes on the store says so, and a store found like that is wiped when it is
opened (`wipe`): a process that dies in the middle starts over with genesis.
"""

from collections.abc import Iterable

from flux.chain import tables
from flux.chain.block import Block, encode_block
from flux.chain.consensus_info import CorruptInfo, decode_info
from flux.chain.snapshot import (
    BadChunk,
    BadSnapshot,
    ChunkOutOfOrder,
    Entry,
    EntryReader,
    Metadata,
    decode_body,
)
from flux.chain.state_root import StateCommitment, Writes
from flux.chain.store import Store, end_of_prefix
from flux.chain.system_transaction import system_transaction
from flux.chain.transaction import decode
from flux.chain.transaction_errors import TransactionError
from flux.chain.trie import EMPTY_ROOT, ordered_root
from flux.chain.world import EMPTY_ACCOUNT, ChainWorld, decode_account, encode_account
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, Address, Hash, Height

_STATE_TABLES = (tables.ACCOUNT, tables.STORAGE, tables.ACCOUNT_TRIE, tables.STORAGE_TRIE)
_WIPED_AT_ONCE = 20_000
"""Keys deleted in one commit."""


class Restorer:
    """One attempt at one snapshot; chunks come in order."""

    def __init__(
        self,
        store: Store,
        commitment: StateCommitment,
        contracts: Iterable[Address],
        metadata: Metadata,
        chain_id: int,
    ) -> None:
        """Mark the store as being restored and empty its state. Raises StoreError."""
        self._store = store
        self._commitment = commitment
        self._contracts = tuple(contracts)
        self._metadata = metadata
        self._chain_id = chain_id
        self._reader = EntryReader()
        self._next = 0
        self._root: Hash = EMPTY_ROOT
        self._body: tuple[list[bytes], bytes] | None = None
        store.commit({tables.META_RESTORING: self._position})
        for table in _STATE_TABLES:
            _delete(store, table)

    @property
    def height(self) -> Height:
        """Of the block whose state this is."""
        return self._metadata.header.number

    @property
    def _position(self) -> bytes:
        return self.height.to_bytes(8, "big")

    @property
    def is_complete(self) -> bool:
        """Whether every chunk was applied."""
        return self._next == len(self._metadata.chunk_hashes)

    def apply(self, index: int, chunk: bytes) -> None:
        """Take the next chunk. Raises ChunkOutOfOrder or BadChunk, and then nothing has changed; raises BadSnapshot
        when the snapshot cannot be right, and StoreError."""
        if index != self._next or self.is_complete:
            raise ChunkOutOfOrder(index, self._next)
        if keccak256(chunk) != self._metadata.chunk_hashes[index]:
            raise BadChunk(f"chunk {index} does not have the hash that the snapshot names")
        entries = self._reader.feed(chunk)
        with self._store.snapshot() as snapshot:
            world = ChainWorld(snapshot)
            for entry in entries:
                self._put(world, entry)
            change = self._commitment.change(world, touched=() if index else self._contracts)
        self._root = change.root
        self._store.commit(change.writes)
        self._next += 1

    def finish(self) -> Block:
        """Make the restored state the chain's newest, in one commit. Raises BadSnapshot when it is not the header's."""
        header = self._metadata.header
        if not self.is_complete or not self._reader.is_complete or self._body is None:
            raise BadSnapshot("the snapshot ends in the middle of an entry, or without its block")
        if self._root != header.state_root:
            raise BadSnapshot(
                f"the snapshot's state has the root {self._root.hex()}, the block's is {header.state_root.hex()}"
            )
        block = self._block(*self._body)
        if ordered_root([transaction.raw for transaction in block.transactions]) != header.transactions_root:
            raise BadSnapshot("the snapshot's transactions are not those of the block")
        writes: Writes = {
            tables.block(header.number): encode_block(block),
            tables.number(block.hash): self._position,
            tables.META_HEAD: self._position,
            tables.META_BASE: self._position,
            tables.META_FIRST: Height(U64(header.number + 1)).to_bytes(8, "big"),
            tables.META_RESTORING: None,
        }
        self._store.commit(writes)
        return block

    def _put(self, world: ChainWorld, entry: Entry) -> None:
        key, value = entry
        table = key[:1]
        if table == tables.ACCOUNT and len(key) == len(tables.ACCOUNT) + 20:
            account = decode_account(value)
            if account == EMPTY_ACCOUNT or encode_account(account) != value:
                raise BadSnapshot(f"the account {key[1:].hex()} is empty or not in its one form")
            world.put_account(Address(key[1:]), account)
        elif (
            table == tables.STORAGE
            and tables.STORAGE_PREFIX_SIZE < len(key) <= tables.STORAGE_PREFIX_SIZE + tables.MAX_STORAGE_KEY_SIZE
        ):
            if not value or value[0] == 0:
                raise BadSnapshot(f"the value of {key.hex()} is empty or begins with a zero byte")
            world.storage.put(key, value)
        elif key == tables.block(self.height):
            self._body = decode_body(value)
        else:
            raise BadSnapshot(f"the key {key.hex()} does not belong into a snapshot")

    def _block(self, raws: Iterable[bytes], info: bytes) -> Block:
        header = self._metadata.header
        try:
            transactions = [decode(raw, self._chain_id, max_bytes=len(raw)) for raw in raws]
            for transaction in transactions:
                transaction.recover()
            system = system_transaction(header.number, header.parent_hash, decode_info(info))
        except (TransactionError, CorruptInfo) as error:
            raise BadSnapshot(f"the snapshot's block is not valid: {error}") from error
        return Block(header, (*transactions, system))


def wipe(store: Store) -> None:
    """Empty a store in which a restore was begun and not finished; the mark goes last."""
    for table in tables.ALL:
        _delete(store, table)
    with store.snapshot() as snapshot:
        rest = [key for key, _ in snapshot.range(tables.META, end_of_prefix(tables.META))]
    store.commit(dict.fromkeys(rest))


def _delete(store: Store, prefix: bytes) -> None:
    """Every key of a table, in commits of bounded size."""
    end = end_of_prefix(prefix)
    while True:
        with store.snapshot() as snapshot:
            keys: Writes = {}
            for key, _ in snapshot.range(prefix, end):
                keys[key] = None
                if len(keys) == _WIPED_AT_ONCE:
                    break
        if not keys:
            return
        store.commit(keys)

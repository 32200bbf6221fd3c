"""Searching the logs of committed blocks (eth_getLogs): by blocks, address and topics, with stored blooms first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from flux.chain import tables
from flux.chain.block import Block
from flux.chain.receipt import Receipt
from flux.chain.store import Snapshot
from flux.kernel.events import Log
from flux.primitives.bloom import may_contain
from flux.primitives.types import U64, Address, Hash, Height

MAX_BLOCKS = 100_000
"""Of one query."""
MAX_RESULTS = 10_000
"""Logs in one answer."""


class LogQueryTooLarge(ValueError):
    """More blocks or logs than one query may touch; ask for less at a time."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which logs are wanted."""

    from_block: Height
    to_block: Height
    """Included."""
    addresses: frozenset[Address] = frozenset()
    """Any of them; empty for all."""
    topics: tuple[frozenset[Hash], ...] = field(default=())
    """By position, any of each set; an empty set takes every topic that is there."""

    def matches(self, log: Log) -> bool:
        """Whether a log is wanted, wherever it is."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        return all(not wanted or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False))

    def may_match(self, bloom: bytes) -> bool:
        """Whether a block with this bloom may hold a wanted log."""
        if self.addresses and not any(may_contain(bloom, address) for address in self.addresses):
            return False
        return all(not wanted or any(may_contain(bloom, topic) for topic in wanted) for wanted in self.topics)


class LocatedLog(NamedTuple):
    """A log and where it stands."""

    log: Log
    block_number: Height
    block_hash: Hash
    transaction_hash: Hash
    transaction_index: int
    log_index: int
    """In the block."""


class BlockSource(Protocol):
    """What a search reads; the ledger."""

    def snapshot(self) -> Snapshot: ...
    def find_block(self, number: Height) -> Block | None: ...
    def find_receipts(self, number: Height) -> list[Receipt] | None: ...


def find_logs(source: BlockSource, query: LogQuery) -> list[LocatedLog]:
    """The wanted logs of committed blocks, in order. Raises LogQueryTooLarge."""
    if query.to_block - query.from_block >= MAX_BLOCKS:
        raise LogQueryTooLarge(f"a query may span {MAX_BLOCKS} blocks; ask for a part of the range")
    found: list[LocatedLog] = []
    for number in list(_candidates(source, query)):
        block = source.find_block(number)
        receipts = source.find_receipts(number)
        if block is None or receipts is None:
            continue
        hashes = [transaction.hash for transaction in block.transactions]
        found += logs_of_block(query, number, block.hash, hashes, receipts)
        if len(found) > MAX_RESULTS:
            raise LogQueryTooLarge(f"the query has more than {MAX_RESULTS} results; narrow the range or the filter")
    return found


def logs_of_block(
    query: LogQuery, number: Height, block_hash: Hash, transaction_hashes: Sequence[Hash], receipts: Sequence[Receipt]
) -> Iterator[LocatedLog]:
    """The wanted logs of one block."""
    log_index = 0
    for index, receipt in enumerate(receipts):
        for log in receipt.logs:
            if query.matches(log):
                yield LocatedLog(log, number, block_hash, transaction_hashes[index], index, log_index)
            log_index += 1


def _candidates(source: BlockSource, query: LogQuery) -> Iterator[Height]:
    start, end = tables.bloom(query.from_block), tables.bloom(Height(U64(query.to_block + 1)))
    with source.snapshot() as snapshot:
        for key, bloom in snapshot.range(start, end):
            if query.may_match(bloom):
                yield Height(U64(int.from_bytes(key[1:], "big")))

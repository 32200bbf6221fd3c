"""What is committed can be found again, by whoever asks and after the process has ended."""

from pathlib import Path

import pytest

from flux.chain import tables
from flux.chain.ledger import Ledger, LedgerError, WrongFormat, WrongGenesis
from flux.chain.logs import LogQuery, LogQueryTooLarge
from flux.chain.recent import RecentBlocks
from flux.chain.store import StoreFull
from flux.database.lmdb_store import LmdbStore
from flux.database.memory_store import MemoryStore
from flux.kernel.events import event_codec
from flux.primitives.types import U64, Address, Hash, Height
from support.chain_lab import Lab, address, funded
from support.counter import COUNTER, Added
from support.transactions import CHAIN_ID

STRANGER = Address(b"\x77" * 20)
NOWHERE = Hash(b"\x99" * 32)


def height(number: int) -> Height:
    return Height(U64(number))


def reopened(lab: Lab) -> Lab:
    """The same store, read by a new process."""
    lab.application.close()
    return Lab(lab.store)


@pytest.mark.parametrize("fresh", [False, True], ids=["same process", "reopened"])
def test_blocks_transactions_and_receipts_are_found_by_number_and_hash(fresh: bool) -> None:
    lab = Lab()
    raws = [lab.transaction(0, STRANGER), lab.call(1, "add(uint64)", 1), lab.call(1, "add(uint64)", 2)]
    receipts = lab.block(*raws)
    block = lab.application.ledger.head()
    lab.block()
    ledger = (reopened(lab) if fresh else lab).application.ledger
    assert ledger.head().number == 2
    assert ledger.find_block(height(1)) == ledger.find_block_by_hash(block.hash) == block
    assert ledger.find_receipts(height(1)) == receipts
    for index, raw in enumerate(raws):
        transaction = lab.decoded(raw)
        found = ledger.find_transaction(transaction.hash)
        assert found is not None
        assert (found[0], found[1], found[2]) == (transaction, block, index)
        assert found[0].sender == transaction.recover()
    system = ledger.find_transaction(block.transactions[-1].hash)
    assert system is not None
    assert system[2] == 3
    located = ledger.find_receipt(lab.decoded(raws[2]).hash)
    assert located is not None
    assert (located.receipt, located.header, located.transaction_index) == (receipts[2], block.header, 2)
    assert located.first_log_index == 1


def test_what_is_not_there_is_not_found() -> None:
    ledger = Lab().application.ledger
    assert ledger.find_block(height(7)) is None
    assert ledger.find_block_by_hash(NOWHERE) is None
    assert ledger.find_transaction(NOWHERE) is None
    assert ledger.find_receipt(NOWHERE) is None
    assert ledger.find_receipts(height(7)) is None


def test_the_genesis_block_is_made_once_and_has_neither_transactions_nor_receipts() -> None:
    lab = Lab()
    genesis = lab.application.ledger.head()
    assert (genesis.number, genesis.transactions, genesis.header.seed) == (0, (), funded().digest)
    assert lab.application.ledger.find_receipts(height(0)) == []
    assert reopened(lab).application.ledger.head() == genesis


def test_another_genesis_is_refused_with_a_hint() -> None:
    lab = Lab()
    with pytest.raises(WrongGenesis, match="another folder"):
        Lab(lab.store, start=funded(5))


def test_another_format_is_refused_with_a_hint() -> None:
    lab = Lab()
    lab.store.commit({tables.META_FORMAT: b"99"})
    with pytest.raises(WrongFormat, match=r"format 99 .* import it with this one"):
        Lab(lab.store)


def test_a_store_with_something_else_in_it_is_refused() -> None:
    store = MemoryStore()
    store.commit({b"else": b"x"})
    with pytest.raises(WrongFormat, match="empty folder"):
        Lab(store)


def test_an_empty_ledger_says_so() -> None:
    ledger = Ledger(MemoryStore(), CHAIN_ID, NOWHERE)
    assert ledger.is_empty()
    with pytest.raises(LedgerError, match="no genesis"):
        ledger.head()
    with pytest.raises(LedgerError, match="no genesis"):
        ledger.state_at()


def test_a_commit_that_does_not_fit_changes_nothing_and_can_be_repeated() -> None:
    class Narrow(MemoryStore):
        full = False

        def commit(self, writes):  # type: ignore[no-untyped-def]
            if self.full:
                raise StoreFull("no room")
            super().commit(writes)

    store = Narrow()
    lab = Lab(store)
    head = lab.application.ledger.head()
    finalized = lab.finalize([lab.transaction(0, STRANGER, value=5)])
    store.full = True
    with pytest.raises(StoreFull):
        lab.application.commit(finalized)
    assert lab.application.ledger.head() == head
    assert lab.balance(STRANGER) == 0
    store.full = False
    assert lab.application.commit(finalized) == lab.application.ledger.head() == finalized.block
    assert lab.balance(STRANGER) == 5


def test_the_chain_lives_on_in_lmdb(tmp_path: Path) -> None:
    with LmdbStore(tmp_path) as store:
        lab = Lab(store)
        lab.block(lab.call(0, "add(uint64)", 5), lab.transaction(1, STRANGER, value=9))
        head = lab.application.ledger.head()
        lab.application.close()
    with LmdbStore(tmp_path) as store:
        lab = Lab(store)
        assert lab.application.ledger.head() == head
        with lab.application.ledger.state_at() as view:
            assert view.state_root() == head.header.state_root
            assert view.balance(STRANGER) == 9
        lab.nonces[0] = 1
        lab.block(lab.call(0, "add(uint64)", 5))
        lab.application.close()


class TestLogs:
    @pytest.fixture
    def lab(self) -> Lab:
        lab = Lab()
        lab.block(lab.call(0, "add(uint64)", 1), lab.call(1, "add(uint64)", 1))
        lab.block(lab.transaction(2, STRANGER))
        lab.block(lab.call(0, "add(uint64)", 1), lab.call(0, "remind(uint64,uint64)", 1, 4))
        lab.block()
        return lab

    def search(self, lab: Lab, **fields: object) -> list[tuple[int, int, int]]:
        query = LogQuery(**{"from_block": height(0), "to_block": height(9)} | fields)  # type: ignore[arg-type]
        found = lab.application.ledger.logs(query)
        return [(item.block_number, item.transaction_index, item.log_index) for item in found]

    def test_all_logs_come_in_order_with_their_places(self, lab: Lab) -> None:
        assert self.search(lab) == [(1, 0, 0), (1, 1, 1), (3, 0, 0), (4, 0, 0)]

    def test_a_range_includes_both_ends(self, lab: Lab) -> None:
        assert self.search(lab, from_block=height(2), to_block=height(3)) == [(3, 0, 0)]

    def test_addresses_and_topics_filter(self, lab: Lab) -> None:
        added = event_codec(Added).topic0
        mine = Hash(address(0).rjust(32, b"\0"))
        assert self.search(lab, addresses=frozenset({STRANGER})) == []
        assert self.search(lab, addresses=frozenset({STRANGER, COUNTER}), topics=(frozenset({added}),)) == [
            (1, 0, 0),
            (1, 1, 1),
            (3, 0, 0),
        ]
        assert self.search(lab, topics=(frozenset(), frozenset({mine}))) == [(1, 0, 0), (3, 0, 0)]
        assert self.search(lab, topics=(frozenset({mine}),)) == []
        assert self.search(lab, topics=(frozenset(), frozenset(), frozenset())) == []

    def test_a_log_says_which_transaction_and_block_it_is_in(self, lab: Lab) -> None:
        first, *_ = lab.application.ledger.logs(LogQuery(height(1), height(1)))
        block = lab.application.ledger.find_block(height(1))
        assert block is not None
        assert (first.block_hash, first.transaction_hash) == (block.hash, block.transactions[0].hash)

    def test_too_wide_a_range_is_refused(self, lab: Lab) -> None:
        with pytest.raises(LogQueryTooLarge, match="a part of the range"):
            self.search(lab, to_block=height(100_000))

    def test_too_many_results_are_refused(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flux.chain.logs.MAX_RESULTS", 3)
        with pytest.raises(LogQueryTooLarge, match="narrow"):
            self.search(lab)


def test_recent_blocks_are_bounded_and_answer_the_same_after_eviction() -> None:
    lab = Lab()
    recent = RecentBlocks(max_weight=20)
    for _ in range(30):
        receipts = lab.block(lab.transaction(0, STRANGER))
        block = lab.application.ledger.head()
        recent.put_block(block)
        recent.put_receipts(block.number, receipts)
        assert recent.find_block(block.number) == block
        assert recent.find_receipts(block.number) == receipts
        assert recent.first_log_indices(block.number, receipts) == [0, 0, 0]
    kept = [number for number in range(31) if recent.find_block(height(number)) is not None]
    assert 1 <= len(kept) <= 7
    assert kept[-1] == 30


def test_a_chain_with_little_to_do_keeps_few_blocks_in_memory() -> None:
    lab = Lab()
    recent = RecentBlocks(max_blocks=8)
    for _ in range(30):
        receipts = lab.block()
        block = lab.application.ledger.head()
        recent.put_block(block)
        recent.put_receipts(block.number, receipts)
        assert recent.find_receipts(block.number) == receipts
    kept = [number for number in range(31) if recent.find_block(height(number)) is not None]
    assert (4 <= len(kept) <= 8, kept[-1]) == (True, 30)


def test_an_entry_heavier_than_the_cache_replaces_everything() -> None:
    lab = Lab()
    recent = RecentBlocks(max_weight=3)
    lab.block()
    recent.put_block(lab.application.ledger.head())
    lab.block(*[lab.transaction(0, STRANGER) for _ in range(5)])
    recent.put_block(lab.application.ledger.head())
    assert (recent.find_block(height(1)), recent.find_block(height(2))) == (None, lab.application.ledger.head())


def test_a_damaged_database_says_so_instead_of_answering_wrongly() -> None:
    lab = Lab()
    lab.block(lab.transaction(0, STRANGER))
    block = lab.application.ledger.head()
    lab.block()
    lab.store.commit({tables.block(height(1)): None, tables.receipts(height(2)): None})
    ledger = reopened(lab).application.ledger
    for read in (
        lambda: ledger.find_block_by_hash(block.hash),
        lambda: ledger.find_transaction(block.transactions[0].hash),
        lambda: ledger.find_receipt(ledger.head().transactions[0].hash),
        lambda: ledger.state_at(height(1)),
    ):
        with pytest.raises(LedgerError, match="is missing: the database is damaged"):
            read()

"""A node may keep a window of blocks: what leaves it is gone, and said to be gone."""

import pytest

from flux.chain import tables
from flux.chain.export import export_chain
from flux.chain.history import HistoryPruned
from flux.chain.logs import LogQuery
from flux.chain.pruning import LEAST_KEPT, MAX_PER_COMMIT, check_window
from flux.primitives.types import U64, Address, Height
from support.chain_lab import Lab
from support.counter import COUNTER

EXTRA = 4


def height(number: int) -> Height:
    return Height(U64(number))


@pytest.fixture(scope="module")
def lab() -> Lab:
    lab = Lab(keep_blocks=LEAST_KEPT)
    for _ in range(LEAST_KEPT + EXTRA):
        lab.block(lab.call(0, "add(uint64)", 1), lab.transaction(1, Address(b"\x77" * 20), value=1))
    return lab


def test_the_window_and_genesis_are_kept_and_nothing_else(lab: Lab) -> None:
    ledger = lab.application.ledger
    assert ledger.first_block == EXTRA + 1
    with ledger.snapshot() as snapshot:
        for table in (tables.BLOCK, tables.RECEIPTS, tables.BLOOM):
            kept = {int.from_bytes(key[1:], "big") for key, _ in snapshot.range(table, bytes((table[0] + 1,)))}
            assert kept - {0} == set(range(EXTRA + 1, LEAST_KEPT + EXTRA + 1))
        located = [int.from_bytes(value[:8], "big") for _, value in snapshot.range(b"x", b"y")]
        assert min(located) == EXTRA + 1
        assert len(list(snapshot.range(b"n", b"o"))) == LEAST_KEPT + 1


def test_everything_about_a_pruned_height_says_so_after_a_restart(lab: Lab) -> None:
    lab.application.close()
    ledger = Lab(lab.store, keep_blocks=LEAST_KEPT).application.ledger
    for ask in (ledger.find_block, ledger.find_receipts):
        with pytest.raises(HistoryPruned) as caught:
            ask(height(EXTRA))
        assert (caught.value.number, caught.value.first) == (EXTRA, EXTRA + 1)
        assert ask(height(EXTRA + 1)) is not None
    with pytest.raises(HistoryPruned):
        ledger.logs(LogQuery(height(0), height(20)))
    assert ledger.logs(LogQuery(height(EXTRA + 1), height(20), addresses=frozenset({COUNTER})))
    with pytest.raises(HistoryPruned):
        list(export_chain(ledger))
    assert list(export_chain(ledger, first=height(EXTRA + 1)))


def test_every_state_of_the_history_can_still_be_read(lab: Lab) -> None:
    head = lab.application.ledger.head().number
    with lab.application.ledger.state_at(height(head - LEAST_KEPT + 1)) as view:
        assert view.balance(Address(b"\x77" * 20)) == head - LEAST_KEPT + 1


def test_a_smaller_window_is_reached_bit_by_bit() -> None:
    lab = Lab()
    for _ in range(LEAST_KEPT + 2 * MAX_PER_COMMIT):
        lab.block()
    lab.application.close()
    small = Lab(lab.store, keep_blocks=LEAST_KEPT)
    small.block()
    assert small.application.ledger.first_block == MAX_PER_COMMIT + 1
    small.block()
    small.block()
    assert small.application.ledger.first_block == 2 * MAX_PER_COMMIT + 4


def test_a_window_that_history_needs_is_refused() -> None:
    check_window(0)
    check_window(LEAST_KEPT)
    for window in (1, LEAST_KEPT - 1, -1):
        with pytest.raises(ValueError, match="keeps all blocks"):
            check_window(window)

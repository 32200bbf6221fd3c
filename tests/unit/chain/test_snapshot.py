"""A state leaves one node in chunks and stands on another one, or nowhere: nothing wrong gets in."""

from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux.chain import restore, tables
from flux.chain.application import Application
from flux.chain.history import HistoryPruned, StateUnavailable
from flux.chain.ledger import LedgerError
from flux.chain.snapshot import (
    MAX_CHUNKS,
    BadChunk,
    BadSnapshot,
    ChunkOutOfOrder,
    EntryReader,
    Metadata,
    chunks,
    decode_metadata,
)
from flux.database.memory_store import MemoryStore
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, Address, Hash, Height
from support.chain_lab import Lab, address
from support.counter import COUNTER

CHUNK = 300
Entries = list[tuple[bytes, bytes]]


@pytest.fixture
def lab() -> Lab:
    """A chain whose state takes several small chunks."""
    lab = Lab()
    for number in range(5):
        lab.block(
            lab.call(0, "add(uint64)", number + 1),
            lab.call(1, "note(string)", "x" * (100 + number)),
            lab.call(2, "remind(uint64,uint64)", 50, number),
            lab.transaction(3, Address(bytes([0x70 + number]) * 20), value=number + 1),
        )
    return lab


def taken(lab: Lab, size: int = CHUNK) -> tuple[Metadata, list[bytes]]:
    block = lab.application.ledger.head()
    with lab.application.ledger.snapshot() as snapshot:
        pieces = list(chunks(snapshot, block, size))
    return Metadata(block.header, tuple(keccak256(piece) for piece in pieces)), pieces


def restored(metadata: Metadata, pieces: list[bytes]) -> Lab:
    lab = Lab()
    lab.application.begin_restore(metadata, metadata.header.hash)
    for index, piece in enumerate(pieces):
        assert lab.application.restore_chunk(index, piece) == (index == len(pieces) - 1)
    return lab


def apply(lab: Lab, pieces: list[bytes]) -> None:
    for index, piece in enumerate(pieces):
        lab.application.restore_chunk(index, piece)


def state(application: Application) -> Entries:
    with application.ledger.snapshot() as snapshot:
        return [
            item
            for table in (tables.ACCOUNT, tables.STORAGE, tables.ACCOUNT_TRIE, tables.STORAGE_TRIE)
            for item in snapshot.range(table, bytes((table[0] + 1,)))
        ]


def stream_of(entries: Entries) -> bytes:
    return b"".join(len(k).to_bytes(2, "big") + len(v).to_bytes(4, "big") + k + v for k, v in entries)


def entries_of(pieces: list[bytes]) -> Entries:
    reader = EntryReader()
    return [entry for piece in pieces for entry in reader.feed(piece)]


def forged(metadata: Metadata, change: Callable[[Entries], Entries]) -> tuple[Metadata, list[bytes]]:
    """A snapshot of changed entries whose chunk hashes fit: what a peer can make up."""
    stream = stream_of(change(entries_of(taken_pieces[metadata.header.hash])))
    pieces = [stream[start : start + CHUNK] for start in range(0, len(stream), CHUNK)]
    return Metadata(metadata.header, tuple(keccak256(piece) for piece in pieces)), pieces


taken_pieces: dict[Hash, list[bytes]] = {}


@pytest.fixture
def snapshot(lab: Lab) -> Iterator[tuple[Metadata, list[bytes]]]:
    metadata, pieces = taken(lab)
    taken_pieces[metadata.header.hash] = pieces
    yield metadata, pieces
    taken_pieces.clear()


@pytest.mark.parametrize("size", [1, 7, CHUNK, 10**6])
def test_a_restored_chain_has_the_same_state_tries_and_head_and_goes_on_alike(lab: Lab, size: int) -> None:
    metadata, pieces = taken(lab, size)
    other = restored(metadata, pieces)
    assert state(other.application) == state(lab.application)
    assert other.application.ledger.head() == lab.application.ledger.head()
    assert other.application.next_due() == lab.application.next_due()
    raws = [lab.call(0, "add(uint64)", 77), lab.transaction(1, COUNTER, value=0, data=b"\x01\x02\x03\x04")]
    assert lab.block(*raws, seconds=60) == other.block(*raws, seconds=60)
    assert other.application.ledger.head().hash == lab.application.ledger.head().hash


def test_a_restored_chain_opens_again_where_it_stood(lab: Lab) -> None:
    other = restored(*taken(lab))
    other.application.close()
    again = Lab(other.store).application.ledger
    assert again.head() == lab.application.ledger.head()
    assert again.first_block == 6


def test_chunks_are_bounded_and_alike_on_every_node(lab: Lab) -> None:
    metadata, pieces = taken(lab)
    assert len(pieces) > 5
    assert {len(piece) for piece in pieces[:-1]} == {CHUNK}
    assert len(pieces[-1]) <= CHUNK
    assert taken(restored(metadata, pieces)) == (metadata, pieces)


def test_what_is_older_than_the_snapshot_is_said_to_be_missing(lab: Lab) -> None:
    ledger = restored(*taken(lab)).application.ledger
    with pytest.raises(HistoryPruned, match="has blocks from 6 on"):
        ledger.find_block(Height(U64(4)))
    with pytest.raises(HistoryPruned):
        ledger.find_receipts(Height(U64(5)))
    with pytest.raises(StateUnavailable):
        ledger.state_at(Height(U64(4)))
    assert ledger.find_block(Height(U64(0))) is not None
    assert ledger.find_block(Height(U64(7))) is None


def test_while_it_restores_no_state_can_be_read(snapshot: tuple[Metadata, list[bytes]]) -> None:
    metadata, pieces = snapshot
    lab = Lab()
    lab.application.begin_restore(metadata, metadata.header.hash)
    lab.application.restore_chunk(0, pieces[0])
    with pytest.raises(StateUnavailable, match="restoring the state of block 5"):
        lab.application.ledger.state_at()


def test_a_process_that_dies_while_restoring_begins_with_genesis_again(snapshot: tuple[Metadata, list[bytes]]) -> None:
    metadata, pieces = snapshot
    fresh = state(Lab().application)
    for count in range(len(pieces)):
        lab = Lab()
        lab.application.begin_restore(metadata, metadata.header.hash)
        for index in range(count):
            lab.application.restore_chunk(index, pieces[index])
        lab.application.close()
        again = Lab(lab.store)
        assert again.application.ledger.head().number == 0
        assert state(again.application) == fresh
        again.block(again.call(0, "add(uint64)", 1))


def test_a_wipe_in_many_commits_leaves_nothing(
    snapshot: tuple[Metadata, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "_WIPED_AT_ONCE", 3)
    metadata, pieces = snapshot
    lab = Lab()
    lab.application.begin_restore(metadata, metadata.header.hash)
    apply(lab, pieces[:4])
    lab.application.close()
    restore.wipe(lab.store)
    with lab.store.snapshot() as left:
        assert list(left.range(b"\0", b"\xff")) == []


def test_a_second_snapshot_can_be_tried_after_a_wrong_one(snapshot: tuple[Metadata, list[bytes]]) -> None:
    metadata, pieces = snapshot
    lab = Lab()
    wrong, others = forged(metadata, lambda entries: entries[1:])
    lab.application.begin_restore(wrong, metadata.header.hash)
    with pytest.raises(BadSnapshot):
        apply(lab, others)
    lab.application.begin_restore(metadata, metadata.header.hash)
    apply(lab, pieces)
    assert lab.application.ledger.head().hash == metadata.header.hash


def test_a_damaged_truncated_or_foreign_chunk_is_refused_and_the_right_one_still_taken(
    snapshot: tuple[Metadata, list[bytes]],
) -> None:
    metadata, pieces = snapshot
    lab = Lab()
    lab.application.begin_restore(metadata, metadata.header.hash)
    flipped = bytes([pieces[0][0] ^ 1]) + pieces[0][1:]
    for wrong in (flipped, pieces[0][:-1], pieces[0] + b"\0", b"", pieces[1]):
        with pytest.raises(BadChunk):
            lab.application.restore_chunk(0, wrong)
    assert not lab.application.restore_chunk(0, pieces[0])


def test_chunks_out_of_order_or_twice_are_refused(snapshot: tuple[Metadata, list[bytes]]) -> None:
    metadata, pieces = snapshot
    lab = Lab()
    lab.application.begin_restore(metadata, metadata.header.hash)
    with pytest.raises(ChunkOutOfOrder):
        lab.application.restore_chunk(1, pieces[1])
    lab.application.restore_chunk(0, pieces[0])
    with pytest.raises(ChunkOutOfOrder) as caught:
        lab.application.restore_chunk(0, pieces[0])
    assert caught.value.expected == 1


def _more_money(entries: Entries) -> Entries:
    return [(k, v[:8] + b"\x7f" * 12) if k == tables.account(address(1)) else (k, v) for k, v in entries]


def _other_block(entries: Entries) -> Entries:
    return [(k, msgspec.msgpack.encode(([], b""))) if k[:1] == tables.BLOCK else (k, v) for k, v in entries]


FORGERIES: dict[str, Callable[[Entries], Entries]] = {
    "an account is richer": _more_money,
    "an account is left out": lambda entries: entries[1:],
    "a stored value is another": lambda entries: [*entries[:-1], (entries[-1][0], b"\x01lie")],
    "a stored value is left out": lambda entries: entries[:-1],
    "a stored value is added": lambda entries: [*entries, (entries[-1][0] + b"\x01", b"\x01")],
    "entries are in another order": lambda entries: [entries[1], entries[0], *entries[2:]],
    "an entry comes twice": lambda entries: [entries[0], entries[0], *entries[1:]],
    "an empty account": lambda entries: [(entries[0][0], bytes(8)), *entries[1:]],
    "an account in another form": lambda entries: [(entries[0][0], entries[0][1][:8] + b"\0" + entries[0][1][8:])],
    "an empty value": lambda entries: [*entries[:-1], (entries[-1][0], b"")],
    "trie nodes": lambda entries: [*entries, (b"t\x00", b"node")],
    "facts about the database": lambda entries: [(b"Zother", b"1"), *entries],
    "a key that is too long": lambda entries: [*entries, (b"s" + b"\xff" * 421, b"\x01")],
    "the block has other transactions": _other_block,
    "the block is missing": lambda entries: [item for item in entries if item[0][:1] != tables.BLOCK],
    "a transaction cannot be decoded": lambda entries: [
        (k, msgspec.msgpack.encode(([b"\x01"], b""))) if k[:1] == tables.BLOCK else (k, v) for k, v in entries
    ],
    "the block cannot be read": lambda entries: [(k, b"\xc1") if k[:1] == b"b" else (k, v) for k, v in entries],
}


@pytest.mark.parametrize("name", FORGERIES)
def test_made_up_states_are_refused(name: str, snapshot: tuple[Metadata, list[bytes]]) -> None:
    metadata, pieces = forged(snapshot[0], FORGERIES[name])
    lab = Lab()
    lab.application.begin_restore(metadata, metadata.header.hash)
    with pytest.raises(BadSnapshot):
        apply(lab, pieces)
    assert lab.application.ledger.head().number == 0


def test_a_stream_that_ends_in_the_middle_of_an_entry_is_refused(snapshot: tuple[Metadata, list[bytes]]) -> None:
    metadata, pieces = snapshot
    cut = [*pieces[:-1], pieces[-1][:-1]]
    short = Metadata(metadata.header, tuple(keccak256(piece) for piece in cut))
    with pytest.raises(BadSnapshot, match="middle of an entry"):
        restored(short, cut)


def test_an_entry_of_absurd_size_is_refused() -> None:
    with pytest.raises(BadSnapshot, match="an entry of"):
        EntryReader().feed(b"\x00\x01\xff\xff\xff\xff")


def test_a_snapshot_of_another_block_is_refused(snapshot: tuple[Metadata, list[bytes]]) -> None:
    with pytest.raises(BadSnapshot, match="is of a block"):
        Lab().application.begin_restore(snapshot[0], Hash(b"\x01" * 32))


def test_a_chain_beyond_genesis_takes_no_snapshot(lab: Lab, snapshot: tuple[Metadata, list[bytes]]) -> None:
    with pytest.raises(LedgerError, match="stands at block 5"):
        lab.application.begin_restore(snapshot[0], snapshot[0].header.hash)


def test_a_chunk_without_an_accepted_snapshot_is_refused() -> None:
    with pytest.raises(BadSnapshot, match="no snapshot"):
        Lab(MemoryStore()).application.restore_chunk(0, b"")


def test_metadata_survive_encoding(snapshot: tuple[Metadata, list[bytes]]) -> None:
    assert decode_metadata(snapshot[0].encode()) == snapshot[0]


def test_metadata_of_no_or_too_many_chunks_or_wrong_hashes_are_refused(snapshot: tuple[Metadata, list[bytes]]) -> None:
    header = snapshot[0].header
    for hashes in ([], [b"\1" * 32] * (MAX_CHUNKS + 1), [b"\1" * 31]):
        with pytest.raises(BadSnapshot):
            decode_metadata(msgspec.msgpack.encode((header.encode(), hashes)))
    with pytest.raises(BadSnapshot, match="canonical"):
        decode_metadata(b"\xdc\x00\x02" + msgspec.msgpack.encode((header.encode(), [b"\1" * 32]))[1:])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hostile_metadata_are_refused_with_a_typed_error(
    data: st.DataObject, snapshot: tuple[Metadata, list[bytes]]
) -> None:
    encoded = bytearray(snapshot[0].encode())
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_metadata(bytes(encoded))
    except BadSnapshot:
        return
    assert decoded != snapshot[0]

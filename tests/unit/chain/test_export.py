"""A chain leaves one database and enters another, trusting nothing on the way."""

from collections.abc import Iterator

import pytest

from flux.chain.export import ImportFailed, export_chain, import_chain
from flux.primitives.types import U64, Address, Height
from support.chain_lab import Lab, funded
from support.counter import COUNTER

STRANGER = Address(b"\x77" * 20)


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    for number in range(6):
        lab.block(
            lab.call(0, "add(uint64)", number),
            lab.call(1, "add(uint64)", 5_000),
            lab.call(2, "tick()", lane=True),
            lab.transaction(3, STRANGER, value=1),
            seconds=number * 20,
        )
    return lab


def cut(stream: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(stream), size):
        yield stream[start : start + size]


@pytest.mark.parametrize("size", [1, 1000, 10**9])
def test_an_imported_chain_has_the_same_blocks_receipts_and_state(lab: Lab, size: int) -> None:
    other = Lab()
    assert import_chain(other.application, cut(b"".join(export_chain(lab.application.ledger)), size)) == 6
    for number in range(7):
        height = Height(U64(number))
        assert other.application.ledger.find_block(height) == lab.application.ledger.find_block(height)
        assert other.application.ledger.find_receipts(height) == lab.application.ledger.find_receipts(height)
    with lab.application.ledger.state_at() as one, other.application.ledger.state_at() as two:
        everything = b"s" + COUNTER, b"s" + COUNTER + b"\xff"
        assert list(one.reader.range(*everything)) == list(two.reader.range(*everything))


def test_importing_again_goes_on_where_the_chain_ends(lab: Lab) -> None:
    other = Lab()
    import_chain(other.application, export_chain(lab.application.ledger))
    lab.block(lab.call(0, "add(uint64)", 9))
    assert import_chain(other.application, export_chain(lab.application.ledger)) == 7
    lab.block()
    assert import_chain(other.application, export_chain(lab.application.ledger, first=Height(U64(8)))) == 8
    assert other.application.ledger.head() == lab.application.ledger.head()


def test_a_part_that_does_not_connect_is_refused(lab: Lab) -> None:
    with pytest.raises(ImportFailed, match="cannot follow block 0"):
        import_chain(Lab().application, export_chain(lab.application.ledger, first=Height(U64(3))))


def test_a_chain_that_parted_is_refused(lab: Lab) -> None:
    other = Lab()
    other.block(other.transaction(0, STRANGER))
    with pytest.raises(ImportFailed, match="block 1 is another one here"):
        import_chain(other.application, export_chain(lab.application.ledger))


def test_another_genesis_is_refused(lab: Lab) -> None:
    with pytest.raises(ImportFailed, match="another genesis"):
        import_chain(Lab(start=funded(9)).application, export_chain(lab.application.ledger))


@pytest.mark.parametrize(
    "stream", [b"", b"nonsense", b"\xff\xff\xff\xff", b"\0\0\0\x01\xc0", b"\0\0\0\x05\x94\xa1x\x01\x01"]
)
def test_something_else_is_refused(stream: bytes) -> None:
    with pytest.raises(ImportFailed):
        import_chain(Lab().application, [stream])


def test_a_stream_cut_short_keeps_what_came_whole(lab: Lab) -> None:
    other = Lab()
    stream = b"".join(export_chain(lab.application.ledger))
    with pytest.raises(ImportFailed, match="middle of a block"):
        import_chain(other.application, [stream[:-5]])
    assert other.application.ledger.head() == lab.application.ledger.find_block(Height(U64(5)))


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_stream_is_refused_or_imports_the_same_blocks(lab: Lab, seed: int) -> None:
    stream = bytearray(b"".join(export_chain(lab.application.ledger)))
    position = seed * len(stream) // 40
    stream[position] ^= 1 << seed % 8
    other = Lab()
    with pytest.raises(ImportFailed):
        import_chain(other.application, [bytes(stream)])
    head = other.application.ledger.head()
    assert lab.application.ledger.find_block(head.number) == head

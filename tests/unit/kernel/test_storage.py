"""Typed collections over a plain ordered store."""

from collections.abc import Iterator
from typing import NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.kernel.record import Record, record_codec
from flux.kernel.storage import Map, OrderedSet, State, Value, after_prefix, pair
from flux.primitives.types import U16, U32, U64, Address, Wei

Number = NewType("Number", U32)


class DictStorage:
    """Storage over a dict."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        assert value
        assert value[0] != 0, "a stored value must not begin with a zero byte"
        self.data[key] = value

    def delete(self, key: bytes) -> None:
        self.data.pop(key, None)

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted((k for k in self.data if start <= k < end), reverse=reverse):
            yield key, self.data[key]


class Inner(Record, frozen=True):
    number: U16


class Thing(Record, frozen=True):
    number: Number
    amount: Wei
    owner: Address
    name: str
    flag: bool
    parts: tuple[Inner, ...]


class ThingState(State):
    total = Value(b"\x00", Wei, Wei(0))  # type: ignore[arg-type]
    things = Map(b"\x01", Number, Thing)
    amounts = Map(b"\x02", pair(Address, Number), Wei)
    names = Map(b"\x03", str, Number)
    members = OrderedSet(b"\x04", pair(Number, U64))


def thing(number: int) -> Thing:
    return Thing(Number(U32(number)), Wei(10**27), Address(b"\x07" * 20), "x", True, (Inner(U16(3)),))  # type: ignore[arg-type]


def test_a_record_reads_back_as_it_was_written() -> None:
    state = ThingState(DictStorage())
    state.things.set(Number(U32(5)), thing(5))
    assert state.things.get(Number(U32(5))) == thing(5)
    assert state.things.find(Number(U32(6))) is None


@given(st.integers(0, 2**256 - 1), st.text(), st.booleans(), st.lists(st.integers(0, 65535)))
def test_every_record_survives_its_encoding(amount: int, name: str, flag: bool, numbers: list[int]) -> None:
    parts = tuple(Inner(U16(number)) for number in numbers)
    record = Thing(Number(U32(1)), Wei(amount), Address(bytes(20)), name, flag, parts)  # type: ignore[arg-type]
    encoded = record_codec(Thing).encode(record)
    assert encoded[0] != 0
    assert record_codec(Thing).decode(encoded) == record


def test_zero_is_stored_as_absence() -> None:
    storage = DictStorage()
    state = ThingState(storage)
    state.total.set(Wei(7))  # type: ignore[arg-type]
    state.total.set(Wei(0))  # type: ignore[arg-type]
    assert storage.data == {}
    assert state.total.get() == 0


def test_maps_iterate_in_the_order_of_their_numbers() -> None:
    state = ThingState(DictStorage())
    for number in (300, 2, 65536, 1):
        state.things.set(Number(U32(number)), thing(number))
    assert [key for key, _ in state.things.items()] == [1, 2, 300, 65536]
    assert [key for key, _ in state.things.items(reverse=True)] == [65536, 300, 2, 1]


def test_collections_of_one_state_do_not_meet() -> None:
    state = ThingState(DictStorage())
    state.names.set("a", Number(U32(1)))
    state.things.set(Number(U32(1)), thing(1))
    assert list(state.names.items()) == [("a", 1)]
    assert list(state.members) == []


def test_members_are_listed_under_the_first_part_of_their_key() -> None:
    state = ThingState(DictStorage())
    for first, second in ((1, 9), (2, 3), (1, 4)):
        state.members.add((Number(U32(first)), U64(second)))
    head = (1).to_bytes(4, "big")
    assert list(state.members.under(head)) == [(1, 4), (1, 9)]


def test_two_collections_with_one_prefix_are_refused() -> None:
    with pytest.raises(TypeError, match="prefix of its own"):
        type("Bad", (State,), {"a": Value(b"\x00", Wei, 0), "b": Value(b"\x00", Wei, 0)})


@given(st.binary(min_size=1, max_size=4), st.binary(max_size=3))
def test_the_end_of_a_prefix_is_after_all_its_keys(prefix: bytes, rest: bytes) -> None:
    if prefix.strip(b"\xff"):
        assert prefix + rest < after_prefix(prefix)


class History(State):
    """Values over time by number."""

    values: Map[tuple[Number, U64], U32] = Map(b"\x01", pair(Number, U64), U32)
    other: Map[U32, U32] = Map(b"\x02", U32, U32)


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 20)), st.integers(1, 99)), st.integers(0, 21))
def test_the_last_entry_before_an_end_is_found_within_its_head(entries: dict[tuple[int, int], int], end: int) -> None:
    history = History(DictStorage())
    for (number, time), value in entries.items():
        history.values.set((Number(U32(number)), U64(time)), U32(value))
    history.other.set(U32(0), U32(1))
    for number in range(4):
        earlier = [(key, value) for key, value in sorted(entries.items()) if key[0] == number and key[1] < end]
        found = history.values.last_before(number.to_bytes(4, "big"), end.to_bytes(8, "big"))
        assert found == (earlier[-1] if earlier else None)

"""What every adapter of the key-value port promises."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.chain.store import MAX_KEY_SIZE, Store, StoreError, end_of_prefix
from flux.database.lmdb_store import LmdbStore
from flux.database.memory_store import MemoryStore


@pytest.fixture(params=["lmdb", "memory"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    opened: list[Store] = []

    def make() -> Store:
        store: Store = LmdbStore(tmp_path / str(len(opened))) if request.param == "lmdb" else MemoryStore()
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(make_store: Callable[[], Store]) -> Store:
    return make_store()


def contents(store: Store) -> dict[bytes, bytes]:
    with store.snapshot() as snapshot:
        return dict(snapshot.range(b"", b"\xff" * MAX_KEY_SIZE))


def test_a_committed_value_is_read_back(store: Store) -> None:
    store.commit({b"a": b"1", b"empty": b""})
    with store.snapshot() as snapshot:
        assert snapshot.get(b"a") == b"1"
        assert snapshot.get(b"empty") == b""
        assert snapshot.get(b"b") is None


def test_none_deletes_and_deleting_what_is_absent_is_harmless(store: Store) -> None:
    store.commit({b"a": b"1", b"b": b"2"})
    store.commit({b"a": None, b"never": None})
    assert contents(store) == {b"b": b"2"}


def test_a_key_deleted_and_written_again_appears_once(store: Store) -> None:
    store.commit({b"a": b"1"})
    store.commit({b"a": None})
    store.commit({b"a": b"2"})
    with store.snapshot() as snapshot:
        assert list(snapshot.range(b"a", b"b")) == [(b"a", b"2")]


def test_a_snapshot_does_not_see_later_commits(store: Store) -> None:
    store.commit({b"a": b"1", b"b": b"2"})
    with store.snapshot() as before:
        store.commit({b"a": b"new", b"b": None, b"c": b"3"})
        assert before.get(b"a") == b"1"
        assert before.get(b"c") is None
        assert list(before.range(b"a", b"z")) == [(b"a", b"1"), (b"b", b"2")]
    assert contents(store) == {b"a": b"new", b"c": b"3"}


def test_a_commit_in_the_middle_of_a_range_does_not_change_it(store: Store) -> None:
    store.commit({bytes((number,)): b"old" for number in range(10)})
    with store.snapshot() as snapshot:
        items = snapshot.range(b"\x00", b"\xff")
        first = next(items)
        store.commit({bytes((number,)): None for number in range(10)})
        assert [first, *items] == [(bytes((number,)), b"old") for number in range(10)]


def test_ranges_include_the_start_and_exclude_the_end(store: Store) -> None:
    store.commit(dict.fromkeys((b"a", b"b", b"ba", b"c"), b""))
    with store.snapshot() as snapshot:
        assert [key for key, _ in snapshot.range(b"b", b"c")] == [b"b", b"ba"]
        assert [key for key, _ in snapshot.range(b"b", b"c", reverse=True)] == [b"ba", b"b"]
        assert list(snapshot.range(b"c", b"b")) == []
        assert list(snapshot.range(b"c", b"b", reverse=True)) == []
        assert [key for key, _ in snapshot.range(b"", end_of_prefix(b"b"))] == [b"a", b"b", b"ba"]
        assert [key for key, _ in snapshot.range(b"", b"\xff", reverse=True)] == [b"c", b"ba", b"b", b"a"]


def test_many_deleted_keys_leave_no_trace(store: Store) -> None:
    numbers = [number.to_bytes(2, "big") for number in range(1, 400)]
    store.commit(dict.fromkeys(numbers, b"value"))
    store.commit(dict.fromkeys(numbers[:-1], None))
    for _ in range(2):
        store.commit({b"other": b"1"})
        assert contents(store) == {numbers[-1]: b"value", b"other": b"1"}
    store.commit({numbers[0]: b"back"})
    assert contents(store) == {numbers[0]: b"back", numbers[-1]: b"value", b"other": b"1"}


def test_an_empty_store_has_empty_ranges(store: Store) -> None:
    assert contents(store) == {}
    store.commit({})
    assert contents(store) == {}


@pytest.mark.parametrize("key", [b"", b"k" * (MAX_KEY_SIZE + 1)])
def test_a_key_that_no_adapter_can_hold_is_refused_and_nothing_of_the_commit_is_written(
    store: Store, key: bytes
) -> None:
    store.commit({b"k" * MAX_KEY_SIZE: b"longest"})
    with pytest.raises(StoreError, match="1 to 511 bytes"):
        store.commit({b"a": b"1", key: b"2"})
    assert contents(store) == {b"k" * MAX_KEY_SIZE: b"longest"}
    with store.snapshot() as snapshot:
        assert snapshot.get(key) is None


def test_a_closed_snapshot_refuses_reads_and_may_be_closed_again(store: Store) -> None:
    store.commit({b"a": b"1", b"b": b"2"})
    snapshot = store.snapshot()
    items = snapshot.range(b"a", b"z")
    next(items)
    snapshot.close()
    snapshot.close()
    with pytest.raises(StoreError, match="snapshot"):
        snapshot.get(b"a")
    with pytest.raises(StoreError, match="snapshot is closed"):
        snapshot.range(b"a", b"z")
    with pytest.raises(StoreError, match="snapshot is closed"):
        next(items)


def test_a_closed_store_refuses_everything(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.snapshot()
    with pytest.raises(StoreError, match="closed"):
        store.commit({b"a": b"1"})


def test_the_end_of_a_prefix_follows_all_its_keys() -> None:
    assert end_of_prefix(b"a") == b"b"
    assert end_of_prefix(b"a\xff\xff") == b"b"
    with pytest.raises(StoreError, match="no end"):
        end_of_prefix(b"\xff")


keys = st.binary(min_size=1, max_size=3)
batches = st.lists(st.dictionaries(keys, st.none() | st.binary(max_size=4), max_size=12), max_size=12)


@pytest.mark.parametrize("kind", ["lmdb", "memory"])
@settings(max_examples=40, deadline=None)
@given(batches=batches, start=keys, end=keys, keep=st.integers(0, 11))
def test_any_sequence_of_commits_reads_like_a_sorted_dictionary(
    kind: str,
    batches: list[dict[bytes, bytes | None]],
    start: bytes,
    end: bytes,
    keep: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store: Store = LmdbStore(tmp_path_factory.mktemp("store")) if kind == "lmdb" else MemoryStore()
    model: dict[bytes, bytes] = {}
    kept = None
    for index, batch in enumerate(batches):
        store.commit(batch)
        for key, value in batch.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        if index == keep:
            kept = (store.snapshot(), sorted(model.items()))
    with store.snapshot() as snapshot:
        expected = sorted((key, value) for key, value in model.items() if start <= key < end)
        assert list(snapshot.range(start, end)) == expected
        assert list(snapshot.range(start, end, reverse=True)) == expected[::-1]
        assert all(snapshot.get(key) == value for key, value in model.items())
    if kept is not None:
        snapshot, items = kept
        assert list(snapshot.range(b"", b"\xff" * 4)) == items
        snapshot.close()
    store.close()

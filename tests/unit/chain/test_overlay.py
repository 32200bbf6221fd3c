"""Writes over a snapshot: reads, order, live iteration, undo; compared with a plain dictionary."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from flux.chain.overlay import Overlay
from flux.database.memory_store import MemoryStore

OWNER = b"s" + bytes(20)


def over(stored: dict[bytes, bytes]) -> Overlay:
    store = MemoryStore()
    store.commit(stored)
    return Overlay(store.snapshot())


def key(collection: int, number: int = 0) -> bytes:
    return OWNER + bytes((collection, number))


KEYS = st.builds(key, st.integers(0, 3) | st.just(255), st.integers(0, 6)) | st.just(OWNER)
VALUES = st.none() | st.binary(min_size=1, max_size=2)
STEPS = st.lists(
    st.tuples(st.just("put"), KEYS, VALUES)
    | st.tuples(st.just("range"), KEYS, KEYS, st.booleans())
    | st.sampled_from([("begin",), ("undo",), ("end",)]),
    max_size=60,
)


@given(st.dictionaries(KEYS, st.binary(min_size=1, max_size=2)), STEPS)
def test_reads_and_ranges_agree_with_a_dictionary_through_any_writes_and_undos(
    stored: dict[bytes, bytes], steps: list[tuple[object, ...]]
) -> None:
    overlay, model = over(stored), dict(stored)
    marks: list[tuple[int, dict[bytes, bytes]]] = []
    for step in steps:
        match step:
            case ("put", bytes(name), value):
                assert value is None or isinstance(value, bytes)
                overlay.put(name, value)
                model.pop(name, None)
                if value is not None:
                    model[name] = value
            case ("range", bytes(start), bytes(end), bool(reverse)):
                expected = sorted((item for item in model.items() if start <= item[0] < end), reverse=reverse)
                assert list(overlay.range(start, end, reverse=reverse)) == expected
            case ("begin",):
                marks.append((overlay.begin(), dict(model)))
            case ("undo",) if marks:
                mark, model = marks[-1]
                model = dict(model)
                overlay.undo(mark)
            case ("end",) if marks:
                marks.pop()
                overlay.end()
    assert all(overlay.get(name) == model.get(name) for name in {*stored, *model})
    assert list(overlay.range(OWNER, b"t")) == sorted(model.items())


def test_deleting_what_lies_ahead_removes_it_from_a_running_walk() -> None:
    overlay = over({key(1, number): b"x" for number in range(5)})
    seen = []
    for name, _ in overlay.range(key(1), key(2)):
        seen.append(name[-1])
        overlay.put(key(1, name[-1] + 1), None)
    assert seen == [0, 2, 4]


def test_writing_ahead_adds_to_a_running_walk_and_writing_behind_does_not() -> None:
    overlay = over({key(1, 10): b"x"})
    seen = []
    for name, _ in overlay.range(key(1), key(2)):
        seen.append(name[-1])
        if name[-1] < 12:
            overlay.put(key(1, name[-1] + 1), b"new")
            overlay.put(key(1, name[-1] - 5), b"behind")
    assert seen == [10, 11, 12]


def test_a_backward_walk_sees_changes_ahead_of_it() -> None:
    overlay = over({key(1, number): b"x" for number in range(6)})
    seen = []
    for name, value in overlay.range(key(1), key(2), reverse=True):
        seen.append((name[-1], value))
        if name[-1] == 5:
            overlay.put(key(1, 4), None)
            overlay.put(key(1, 3), b"changed")
    assert seen == [(5, b"x"), (3, b"changed"), (2, b"x"), (1, b"x"), (0, b"x")]


def test_a_walk_is_lazy_and_reads_no_more_than_is_asked_for() -> None:
    class Counting:
        read = 0

        def get(self, key: bytes) -> bytes | None:
            return None

        def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
            for number in range(100):
                self.read += 1
                yield key(1, number), b"x"

    base = Counting()
    overlay = Overlay(base)
    overlay.put(key(1, 0), b"first")
    assert next(overlay.range(key(1), key(2))) == (key(1, 0), b"first")
    assert base.read <= 2


def test_many_new_keys_between_walks_keep_their_order() -> None:
    overlay = over({})
    numbers = [(number * 7919) % 4096 for number in range(4096)]
    names = [OWNER + b"\x01" + number.to_bytes(2, "big") for number in numbers]
    written: list[bytes] = []
    for start in range(0, 4096, 512):
        for name in names[start : start + 512]:
            overlay.put(name, b"v")
            written.append(name)
        assert [name for name, _ in overlay.range(OWNER + b"\x01", OWNER + b"\x02")] == sorted(written)


def test_an_undone_key_shows_what_was_stored_before() -> None:
    overlay = over({key(1): b"stored"})
    mark = overlay.begin()
    overlay.put(key(1), b"new")
    assert list(overlay.range(key(1), key(2))) == [(key(1), b"new")]
    overlay.undo(mark)
    overlay.end()
    assert overlay.get(key(1)) == b"stored"
    assert list(overlay.range(key(1), key(2))) == [(key(1), b"stored")]
    assert list(overlay.range(key(1), key(2), reverse=True)) == [(key(1), b"stored")]

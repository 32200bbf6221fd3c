"""The trie against Ethereum's vectors, against another library, and against itself built from scratch."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from flux.chain.trie import EMPTY_ROOT, TrieError, update
from flux.primitives.keccak import keccak256

VECTORS = Path(__file__).parents[2] / "vectors" / "ethereum" / "trie"


class Stored:
    """A trie whose nodes live in a dictionary."""

    def __init__(self) -> None:
        self.nodes: dict[bytes, bytes] = {}
        self.root: bytes = EMPTY_ROOT

    def apply(self, changes: dict[bytes, bytes | None]) -> None:
        outcome = update(self.nodes.get, changes)
        for path, node in outcome.nodes.items():
            if node is None:
                del self.nodes[path]
            else:
                assert self.nodes.get(path) != node, "an unchanged node was returned"
                self.nodes[path] = node
        self.root = outcome.root


def from_text(text: str) -> bytes:
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()


def ordered_cases() -> list[Any]:
    cases = json.loads((VECTORS / "trietest.json").read_text())
    return [pytest.param(case["in"], case["root"], id=name) for name, case in cases.items()]


@pytest.mark.parametrize(("operations", "root"), ordered_cases())
def test_ethereums_ordered_vectors_hold_one_by_one_and_as_one_batch(
    operations: list[tuple[str, str | None]], root: str
) -> None:
    single, batch = Stored(), Stored()
    changes = {}
    for key, value in operations:
        change = {from_text(key): None if value is None else from_text(value)}
        single.apply(change)
        changes |= change
    batch.apply(changes)
    assert single.root == batch.root == bytes.fromhex(root[2:])
    assert single.nodes == batch.nodes


def test_ethereums_secure_trie_vectors_hold() -> None:
    for case in json.loads((VECTORS / "hex_encoded_securetrie_test.json").read_text()).values():
        trie = Stored()
        trie.apply({keccak256(from_text(key)): from_text(value) for key, value in case["data"]})
        assert trie.root == from_text(case["result"])


def test_an_empty_trie_has_the_known_root_and_stores_nothing() -> None:
    assert update({}.get, {}).root == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    outcome = update({}.get, {b"absent": None, b"empty": b""})
    assert (outcome.root, outcome.nodes) == (EMPTY_ROOT, {})


def test_no_changes_keep_the_root_and_the_nodes() -> None:
    trie = Stored()
    trie.apply({b"a": b"1" * 40})
    outcome = update(trie.nodes.get, {})
    assert (outcome.root, outcome.nodes) == (trie.root, {})


def test_a_change_to_the_same_value_touches_no_node() -> None:
    trie = Stored()
    trie.apply({keccak256(bytes((number,))): b"v" * 40 for number in range(200)})
    outcome = update(trie.nodes.get, {keccak256(b"\x05"): b"v" * 40, keccak256(b"absent"): None})
    assert (outcome.root, outcome.nodes) == (trie.root, {})


def test_deleting_everything_leaves_nothing() -> None:
    trie = Stored()
    keys = [keccak256(bytes((number,))) for number in range(200)]
    trie.apply(dict.fromkeys(keys, b"v"))
    trie.apply(dict.fromkeys(keys, None))
    assert (trie.root, trie.nodes) == (EMPTY_ROOT, {})


def test_deleting_all_keys_below_an_extension_leaves_nothing() -> None:
    trie = Stored()
    keys = [b"same start " + bytes((number,)) for number in range(40)]
    trie.apply(dict.fromkeys(keys, b"v" * 40))
    trie.apply(dict.fromkeys(keys, None))
    assert (trie.root, trie.nodes) == (EMPTY_ROOT, {})


def test_an_update_reads_only_the_nodes_on_the_way() -> None:
    trie = Stored()
    trie.apply({keccak256(number.to_bytes(2, "big")): b"v" * 40 for number in range(2000)})
    read: list[bytes] = []

    def reader(path: bytes) -> bytes | None:
        read.append(path)
        return trie.nodes.get(path)

    update(reader, {keccak256(b"\x00\x07"): b"new"})
    assert read == [read[-1][:depth] for depth in range(len(read))]


def test_a_missing_node_is_told_with_its_path() -> None:
    trie = Stored()
    trie.apply({bytes((number,)) * 32: b"v" * 40 for number in range(256)})
    del trie.nodes[b"\x0a"]
    with pytest.raises(TrieError, match="path a is missing: the database is damaged"):
        trie.apply({b"\xab" * 32: b"new"})


def test_a_stored_value_that_is_no_node_is_told() -> None:
    with pytest.raises(TrieError, match="neither a branch"):
        update({b"": b"\xc3\x80\x80\x80"}.get, {b"\x10": b"new", b"\x20": b"other"})


def test_a_key_longer_than_the_recursion_allows_is_refused() -> None:
    update({}.get, {b"k" * 128: b"1"})
    with pytest.raises(TrieError, match="at most 128 bytes, got 129"):
        update({}.get, {b"k" * 129: b"1"})


def test_keys_that_are_prefixes_of_each_other_work_to_the_full_depth() -> None:
    trie = Stored()
    keys = [b"\xff" * size for size in range(1, 129)]
    trie.apply({key: key for key in keys})
    reference = HexaryTrie({})
    for key in keys:
        reference[key] = key
    assert trie.root == reference.root_hash
    trie.apply(dict.fromkeys(keys[:-1], None))
    fresh = Stored()
    fresh.apply({keys[-1]: keys[-1]})
    assert (trie.root, trie.nodes) == (fresh.root, fresh.nodes)


def test_a_branch_with_a_value_as_long_as_a_hash_is_not_taken_for_a_full_one() -> None:
    entries: dict[bytes, bytes | None] = {bytes((slot << 4, 0)): b"v" * 40 for slot in range(1, 16)}
    trie = Stored()
    trie.apply({**entries, b"": b"\xa0" * 31 + b"\x80"})
    assert len(trie.nodes[b""]) == 532
    trie.apply({b"\x01": b"new"})
    fresh = Stored()
    fresh.apply({**entries, b"": b"\xa0" * 31 + b"\x80", b"\x01": b"new"})
    assert (trie.root, trie.nodes) == (fresh.root, fresh.nodes)


few_keys = st.binary(min_size=1, max_size=4).map(lambda data: bytes(byte & 0x11 for byte in data))
any_keys = st.binary(max_size=3)
hashed_keys = st.integers(0, 60).map(lambda number: keccak256(bytes((number,))))
values = st.one_of(st.none(), st.binary(min_size=1, max_size=2), st.binary(min_size=28, max_size=60))


def histories(keys: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[dict[bytes, bytes | None]]]:
    return st.lists(st.dictionaries(keys, values, max_size=20), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.one_of(histories(few_keys), histories(any_keys), histories(hashed_keys)))
def test_any_history_of_batches_equals_the_reference_and_a_trie_built_from_scratch(
    history: list[dict[bytes, bytes | None]],
) -> None:
    trie, reference = Stored(), HexaryTrie({})
    model: dict[bytes, bytes] = {}
    for changes in history:
        trie.apply(changes)
        for key, value in changes.items():
            if value is not None:
                reference[key] = model[key] = value
            elif key in model:
                del reference[key]
                del model[key]
        fresh = Stored()
        fresh.apply(dict(model))
        assert trie.root == reference.root_hash == fresh.root
        assert trie.nodes == fresh.nodes


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(few_keys, values, min_size=2, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_changes_does_not_matter(changes: dict[bytes, bytes | None], chance: Any) -> None:
    items = list(changes.items())
    chance.shuffle(items)
    one, other = update({}.get, changes), update({}.get, dict(items))
    assert (one.root, one.nodes) == (other.root, other.nodes)


def test_every_stored_node_is_at_least_32_bytes_but_the_root() -> None:
    trie = Stored()
    trie.apply({bytes((number,)): bytes((number,)) for number in range(1, 40)})
    assert all(len(node) >= 32 for path, node in trie.nodes.items() if path)
    small = Stored()
    small.apply({b"a": b"1"})
    assert [len(node) < 32 for node in small.nodes.values()] == [True]

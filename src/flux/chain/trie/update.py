"""Applying a batch of changes to a trie in one pass from the root: each touched node is read, built and hashed once."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from flux.chain.trie.nodes import (
    EMPTY_ITEM,
    EMPTY_ROOT,
    MAX_KEY_SIZE,
    VALUE_SLOT,
    Reader,
    TrieError,
    encode_branch,
    encode_leaf,
    encode_short,
    is_hash,
    load,
    split_branch,
    split_short,
    to_nibbles,
)
from flux.primitives.keccak import keccak256
from flux.primitives.rlp import encode as rlp_encode
from flux.primitives.types import Hash


@dataclass(frozen=True, slots=True)
class TrieUpdate:
    """The outcome of a batch."""

    root: Hash
    nodes: dict[bytes, bytes | None]
    """By path: the RLP to store, None to delete. Nodes that did not change are not in it."""


def update(reader: Reader, changes: Mapping[bytes, bytes | None]) -> TrieUpdate:
    """The trie after `changes`: key to value, None or an empty value deleting the key.

    The order of `changes` does not matter. Raises TrieError for a key over 128 bytes or when nodes are missing.
    """
    batch = Batch(reader, changes)
    root = reader(b"")
    if not changes:
        return TrieUpdate(EMPTY_ROOT if root is None else keccak256(root), {})
    size = len(batch.keys)
    node = batch.build(0, 0, size) if root is None else batch.node(root, 0, 0, size)
    if node != root:
        batch.nodes[b""] = node
    return TrieUpdate(EMPTY_ROOT if node is None else keccak256(node), batch.nodes)


class Batch:
    """Changes sorted by key. The methods take a span [low, high) of them that shares the first `depth` nibbles, which
    are the path of the node in question, and return that node's new RLP (None: nothing is left).

    A node does not know whether it will be hashed, embedded or merged into its parent, so the parent stores it.
    """

    __slots__ = ("keys", "nodes", "reader", "values")

    def __init__(self, reader: Reader, changes: Mapping[bytes, bytes | None]) -> None:
        self.reader = reader
        self.nodes: dict[bytes, bytes | None] = {}
        items = sorted(changes.items())
        for key, _ in items:
            if len(key) > MAX_KEY_SIZE:
                raise TrieError(f"a trie key has at most {MAX_KEY_SIZE} bytes, got {len(key)}")
        self.keys = [to_nibbles(key) for key, _ in items]
        self.values = [value or None for _, value in items]

    def node(self, old: bytes, depth: int, low: int, high: int) -> bytes | None:
        """The changes applied to an existing node."""
        short = split_short(old)
        if short is None:
            return self._branch(split_branch(old), old, depth, low, high, -1)
        nibbles, item, leaf = short
        if leaf:
            return self._leaf(old, nibbles, item, depth, low, high)
        return self._extension(old, nibbles, item, depth, low, high)

    def build(self, depth: int, low: int, high: int) -> bytes | None:
        """A node where nothing was before."""
        keys, values = self.keys, self.values
        if high - low == 1:
            value = values[low]
            return None if value is None else encode_leaf(keys[low][depth:], value)
        entries = [(keys[index], rlp_encode(value)) for index in range(low, high) if (value := values[index])]
        return self._build(entries, depth)

    def _leaf(self, old: bytes, suffix: bytes, item: bytes, depth: int, low: int, high: int) -> bytes | None:
        keys, values = self.keys, self.values
        first = keys[low]
        if high - low == 1 and first[depth:] == suffix:
            value = values[low]
            return None if value is None else encode_leaf(suffix, value)
        key = first[:depth] + suffix
        position = bisect_left(keys, key, low, high)
        entries = [(keys[index], rlp_encode(value)) for index in range(low, high) if (value := values[index])]
        if position == high or keys[position] != key:
            if not entries:
                return old
            entries.insert(bisect_left(entries, (key, b"")), (key, item))
        return self._build(entries, depth)

    def _extension(self, old: bytes, prefix: bytes, item: bytes, depth: int, low: int, high: int) -> bytes | None:
        first, last = self.keys[low], self.keys[high - 1]
        path = first[:depth]
        child_path = path + prefix
        if first.startswith(child_path) and last.startswith(child_path):
            stored = is_hash(item)
            child = load(self.reader, child_path) if stored else item
            changed = self.node(child, depth + len(prefix), low, high)
            return old if changed == child else self._extend(prefix, changed, child_path, was_stored=stored)
        fork = min(_common(first, child_path, depth), _common(last, child_path, depth))
        taken = child_path[fork]
        items = [EMPTY_ITEM] * 17
        rest = child_path[fork + 1 :]
        items[taken] = encode_short(rest, item, leaf=False) if rest else item
        node = self._branch(items, None, fork, low, high, taken if rest else -1)
        kept = child_path[depth:fork]
        return self._extend(kept, node, child_path[:fork], was_stored=False) if kept else node

    def _branch(
        self, items: list[bytes], old: bytes | None, depth: int, low: int, high: int, unstored: int
    ) -> bytes | None:
        """`old` is the RLP of `items`. The child `unstored` (if not -1) stands in `items` as its whole RLP and has no
        place of its own yet."""
        keys = self.keys
        path = keys[low][:depth]
        children: dict[int, bytes | None] = {} if unstored < 0 else {unstored: items[unstored]}
        value = items[VALUE_SLOT]
        position = low
        if len(keys[low]) == depth:
            new_value = self.values[low]
            items[VALUE_SLOT] = EMPTY_ITEM if new_value is None else rlp_encode(new_value)
            position += 1
        while position < high:
            slot = keys[position][depth]
            stop = position + 1
            while stop < high and keys[stop][depth] == slot:
                stop += 1
            item = items[slot]
            if item == EMPTY_ITEM:
                child, changed = None, self.build(depth + 1, position, stop)
            else:
                stored = len(item) == 33 and slot != unstored
                child = load(self.reader, keys[position][: depth + 1]) if stored else item
                changed = self.node(child, depth + 1, position, stop)
            if changed != child:
                children[slot] = changed
            position = stop
        if not children and old is not None and items[VALUE_SLOT] == value:
            return old
        if None in children.values() or items[VALUE_SLOT] != value or old is None:
            left = [slot for slot in range(16) if children.get(slot, items[slot] != EMPTY_ITEM or None) is not None]
            if len(left) + (items[VALUE_SLOT] != EMPTY_ITEM) < 2:
                return self._collapse(items, children, left, path, unstored)
        for slot, node in children.items():
            stored = slot != unstored and is_hash(items[slot])
            items[slot] = self._place(node, path + _NIBBLE[slot], was_stored=stored)
        return encode_branch(items)

    def _collapse(
        self, items: list[bytes], children: dict[int, bytes | None], left: list[int], path: bytes, unstored: int
    ) -> bytes | None:
        """What a branch becomes when it has one child, or only a value, or nothing."""
        for slot, node in children.items():
            if node is None and slot != unstored and is_hash(items[slot]):
                self.nodes[path + _NIBBLE[slot]] = None
        if not left:
            value = items[VALUE_SLOT]
            return None if value == EMPTY_ITEM else encode_short(b"", value, leaf=True)
        slot = left[0]
        child_path = path + _NIBBLE[slot]
        stored = slot != unstored and is_hash(items[slot])
        node = children.get(slot)
        if node is None:
            node = load(self.reader, child_path) if stored else items[slot]
            if split_short(node) is None:
                return encode_short(_NIBBLE[slot], items[slot], leaf=False)
        return self._extend(_NIBBLE[slot], node, child_path, was_stored=stored)

    def _extend(self, prefix: bytes, child: bytes | None, child_path: bytes, *, was_stored: bool) -> bytes | None:
        """`prefix` put before a node: an extension to a branch; a leaf or an extension takes it into its own path."""
        short = None if child is None else split_short(child)
        if child is not None and short is None:
            return encode_short(prefix, self._place(child, child_path, was_stored=was_stored), leaf=False)
        if was_stored:
            self.nodes[child_path] = None
        if short is None:
            return None
        nibbles, item, leaf = short
        return encode_short(prefix + nibbles, item, leaf=leaf)

    def _place(self, node: bytes | None, path: bytes, *, was_stored: bool) -> bytes:
        """Store a node if it is long enough; the item by which its parent refers to it."""
        if node is not None and len(node) >= 32:
            self.nodes[path] = node
            return b"\xa0" + keccak256(node)
        if was_stored:
            self.nodes[path] = None
        return EMPTY_ITEM if node is None else node

    def _build(self, entries: list[tuple[bytes, bytes]], depth: int) -> bytes | None:
        """A node over sorted (key nibbles, raw value item) that share `depth` nibbles, with nothing stored below."""
        if not entries:
            return None
        first = entries[0][0]
        if len(entries) == 1:
            return encode_short(first[depth:], entries[0][1], leaf=True)
        fork = _common(first, entries[-1][0], depth)
        items = [EMPTY_ITEM] * 17
        position = 0
        if len(first) == fork:
            items[VALUE_SLOT] = entries[0][1]
            position = 1
        while position < len(entries):
            key = entries[position][0]
            stop = position + 1
            while stop < len(entries) and entries[stop][0][fork] == key[fork]:
                stop += 1
            child = self._build(entries[position:stop], fork + 1)
            items[key[fork]] = self._place(child, key[: fork + 1], was_stored=False)
            position = stop
        branch = encode_branch(items)
        if fork == depth:
            return branch
        return encode_short(first[depth:fork], self._place(branch, first[:fork], was_stored=False), leaf=False)


_NIBBLE = tuple(bytes((slot,)) for slot in range(16))


def _common(one: bytes, other: bytes, start: int) -> int:
    """The first position from `start` on where two keys differ or one ends."""
    end = min(len(one), len(other))
    while start < end and one[start] == other[start]:
        start += 1
    return start

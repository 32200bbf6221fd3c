"""Applying a batch of changes to a trie in one pass from the root: each touched node is read, built and hashed once."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from flux.chain.trie.nodes import (
    EMPTY_ITEM,
    MAX_KEY_SIZE,
    NIBBLE,
    Reader,
    TrieError,
    encode_branch,
    encode_leaf,
    encode_short,
    end_of_item,
    is_branch,
    is_hash,
    leaf_path,
    load,
    split_branch,
    split_short,
)
from flux.primitives.keccak import keccak256
from flux.primitives.rlp import encode as rlp_encode
from flux.primitives.trie_proof import EMPTY_ROOT, VALUE_SLOT, to_nibbles
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
    root = reader(b"")
    if not changes:
        return TrieUpdate(EMPTY_ROOT if root is None else keccak256(root), {})
    batch = Batch(reader, changes)
    size = len(changes)
    node = batch.build(0, 0, size) if root is None else batch.node(root, 0, 0, size)
    if node != root:
        batch.nodes[b""] = node
    return TrieUpdate(EMPTY_ROOT if node is None else keccak256(node), batch.nodes)


@dataclass(slots=True)
class _Branch:
    """A branch taken apart while its children change."""

    path: bytes
    items: list[bytes]
    """The 17 raw items as they were, except for the value."""
    children: dict[int, bytes | None]
    """The changed ones by slot: whole RLP, None for nothing."""
    unstored: int = -1
    """A slot whose item is a whole node, however long, that has no place of its own yet."""

    def is_stored(self, slot: int) -> bool:
        """Whether the database holds a node for the slot."""
        return slot != self.unstored and is_hash(self.items[slot])


class Batch:
    """Changes sorted by key. The methods take a span [low, high) of them that shares the first `depth` nibbles, which
    are the path of the node in question, and return that node's new RLP (None: nothing is left).

    A node does not know whether it will be hashed, embedded or merged into its parent, so the parent stores it.
    """

    __slots__ = ("_raw_keys", "keys", "nodes", "reader", "values")

    def __init__(self, reader: Reader, changes: Mapping[bytes, bytes | None]) -> None:
        self.reader = reader
        self.nodes: dict[bytes, bytes | None] = {}
        self._raw_keys = sorted(changes)
        longest = max(map(len, self._raw_keys))
        if longest > MAX_KEY_SIZE:
            raise TrieError(f"a trie key has at most {MAX_KEY_SIZE} bytes, got {longest}")
        self.keys = [to_nibbles(key) for key in self._raw_keys]
        self.values = [changes[key] or None for key in self._raw_keys]

    def node(self, old: bytes, depth: int, low: int, high: int) -> bytes | None:
        """The changes applied to an existing node."""
        if is_branch(old):
            return self._branch(old, depth, low, high)
        if high - low == 1:
            path = leaf_path(self._raw_keys[low], depth)
            if old.startswith(path, 1 if old[0] < 0xF8 else old[0] - 0xF6):
                value = self.values[low]
                return None if value is None else encode_leaf(path, value)
        nibbles, item, leaf = split_short(old)
        if leaf:
            return self._leaf(old, nibbles, item, depth, low, high)
        return self._extension(old, nibbles, item, depth, low, high)

    def build(self, depth: int, low: int, high: int) -> bytes | None:
        """A node where nothing was before."""
        if high - low == 1:
            value = self.values[low]
            return None if value is None else encode_leaf(leaf_path(self._raw_keys[low], depth), value)
        return self._build(self._entries(low, high), depth)

    def _entries(self, low: int, high: int) -> list[tuple[bytes, bytes]]:
        """What the span inserts: key nibbles and raw value items."""
        keys, values = self.keys, self.values
        return [(keys[index], rlp_encode(value)) for index in range(low, high) if (value := values[index])]

    def _leaf(self, old: bytes, suffix: bytes, item: bytes, depth: int, low: int, high: int) -> bytes | None:
        """Changes to other keys than the leaf's, or to more than its own."""
        keys = self.keys
        key = keys[low][:depth] + suffix
        position = bisect_left(keys, key, low, high)
        entries = self._entries(low, high)
        if position == high or keys[position] != key:
            if not entries:
                return old
            entries.insert(bisect_left(entries, (key, b"")), (key, item))
        return self._build(entries, depth)

    def _extension(self, old: bytes, prefix: bytes, item: bytes, depth: int, low: int, high: int) -> bytes | None:
        first, last = self.keys[low], self.keys[high - 1]
        child_path = first[:depth] + prefix
        if first.startswith(child_path) and last.startswith(child_path):
            stored = is_hash(item)
            child = load(self.reader, child_path) if stored else item
            changed = self.node(child, depth + len(prefix), low, high)
            return old if changed == child else self._extend(prefix, changed, child_path, was_stored=stored)
        fork = min(_common(first, child_path, depth), _common(last, child_path, depth))
        slot, rest = child_path[fork], child_path[fork + 1 :]
        branch = _Branch(child_path[:fork], [EMPTY_ITEM] * 17, {})
        if rest:
            branch.unstored = slot
            branch.children[slot] = item = encode_short(rest, item, leaf=False)
        branch.items[slot] = item
        node = self._open_branch(branch, low, high)
        return node if fork == depth else self._extend(child_path[depth:fork], node, branch.path, was_stored=False)

    def _branch(self, old: bytes, depth: int, low: int, high: int) -> bytes | None:
        """Changes below a branch. As long as they put hashes in place of hashes or of nothing, the branch is not
        taken apart but copied around them. Whatever else remains to be done is left to `_open_branch`."""
        keys = self.keys
        if len(keys[low]) == depth:
            return self._open_branch(_Branch(keys[low], split_branch(old), {}), low, high)
        below = depth + 1
        children: dict[int, bytes | None] = {}
        hashed: list[tuple[int, int, bytes, bytes]] = []
        offset, slot = 1 if old[0] < 0xF8 else old[0] - 0xF6, 0
        position = low
        while position < high:
            target = keys[position][depth]
            while slot < target:
                lead = old[offset]
                offset = offset + 33 if lead == 0xA0 else offset + 1 if lead == 0x80 else end_of_item(old, offset)
                slot += 1
            lead = old[offset]
            if lead > 0xA0:
                break
            stop = self._end_of_slot(position, high, depth)
            path = keys[position][:below]
            if lead == 0xA0:
                stored = child = load(self.reader, path)
                changed = self.node(stored, below, position, stop)
            else:
                child = None
                changed = self.build(below, position, stop)
            position = stop
            if changed != child:
                children[target] = changed
                if changed is not None and len(changed) >= 32:
                    hashed.append((offset, 33 if lead == 0xA0 else 1, path, changed))
        if position < high or len(hashed) < len(children):
            return self._open_branch(_Branch(keys[low][:depth], split_branch(old), children), position, high)
        if not hashed:
            return old
        parts: list[bytes] = []
        copied = 1 if old[0] < 0xF8 else old[0] - 0xF6
        for offset, size, path, changed in hashed:
            parts += (old[copied:offset], b"\xa0", keccak256(changed))
            self.nodes[path] = changed
            copied = offset + size
        parts.append(old[copied:])
        return encode_branch(parts)

    def _open_branch(self, branch: _Branch, low: int, high: int) -> bytes | None:
        """Any change to a branch; those before `low` are in it already."""
        keys, items, depth = self.keys, branch.items, len(branch.path)
        if low < high and len(keys[low]) == depth:
            value = self.values[low]
            items[VALUE_SLOT] = EMPTY_ITEM if value is None else rlp_encode(value)
            low += 1
        while low < high:
            slot = keys[low][depth]
            stop = self._end_of_slot(low, high, depth)
            if items[slot] == EMPTY_ITEM:
                child, changed = None, self.build(depth + 1, low, stop)
            else:
                child = load(self.reader, keys[low][: depth + 1]) if branch.is_stored(slot) else items[slot]
                changed = self.node(child, depth + 1, low, stop)
            if changed != child:
                branch.children[slot] = changed
            low = stop
        left = [slot for slot in range(16) if branch.children.get(slot, items[slot]) not in (None, EMPTY_ITEM)]
        if len(left) + (items[VALUE_SLOT] != EMPTY_ITEM) < 2:
            return self._collapse(branch, left)
        for slot, node in branch.children.items():
            items[slot] = self._place(node, branch.path + NIBBLE[slot], was_stored=branch.is_stored(slot))
        return encode_branch(items)

    def _end_of_slot(self, low: int, high: int, depth: int) -> int:
        """Where the keys end that have the same nibble at `depth` as the first of the span."""
        keys = self.keys
        slot = keys[low][depth]
        low += 1
        while low < high and keys[low][depth] == slot:
            low += 1
        return low

    def _collapse(self, branch: _Branch, left: list[int]) -> bytes | None:
        """What a branch becomes when it has one child, or only a value, or nothing."""
        for slot, node in branch.children.items():
            if node is None and branch.is_stored(slot):
                self.nodes[branch.path + NIBBLE[slot]] = None
        if not left:
            value = branch.items[VALUE_SLOT]
            return None if value == EMPTY_ITEM else encode_short(b"", value, leaf=True)
        slot = left[0]
        prefix = NIBBLE[slot]
        path = branch.path + prefix
        stored = branch.is_stored(slot)
        child = branch.children.get(slot)
        if child is None:
            child = load(self.reader, path) if stored else branch.items[slot]
            if is_branch(child):
                return encode_short(prefix, branch.items[slot], leaf=False)
        return self._extend(prefix, child, path, was_stored=stored)

    def _extend(self, prefix: bytes, child: bytes | None, child_path: bytes, *, was_stored: bool) -> bytes | None:
        """`prefix` put before a node: an extension to a branch; a leaf or an extension takes it into its own path."""
        if child is not None and is_branch(child):
            return encode_short(prefix, self._place(child, child_path, was_stored=was_stored), leaf=False)
        if was_stored:
            self.nodes[child_path] = None
        if child is None:
            return None
        nibbles, item, leaf = split_short(child)
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


def _common(one: bytes, other: bytes, start: int) -> int:
    """The first position from `start` on where two keys differ or one ends."""
    end = min(len(one), len(other))
    while start < end and one[start] == other[start]:
        start += 1
    return start

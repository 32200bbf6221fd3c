"""Earlier states: for each of the last blocks, what it replaced; undone from the newest down, that is an older state.

What a block replaced is stored in parts, so that a read of an old state opens only the few parts that its keys are in
and not all that happened since. A part is MessagePack of store key → replaced value (None: nothing was there). Parts of
flat values are by first byte of the address for accounts and by collection for storage; those of tries by subtree.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from flux.chain import tables
from flux.chain.overlay import MISSING, Entry, Overlay
from flux.chain.state_root import Writes
from flux.chain.store import Snapshot
from flux.primitives.types import U64, Height

KEPT_HEIGHTS: Final = 256
"""Heights before the head whose state can be read."""

_SUBTREE = 2
"""Nibbles of a path that name its part; nodes above are in a part of their own."""
_PART_SIZES = {
    tables.ACCOUNT[0]: (2, 2),
    tables.STORAGE[0]: (tables.STORAGE_PREFIX_SIZE + 1, tables.STORAGE_PREFIX_SIZE),
    tables.ACCOUNT_TRIE[0]: (1 + _SUBTREE, 1),
    tables.STORAGE_TRIE[0]: (tables.STORAGE_PREFIX_SIZE + _SUBTREE, tables.STORAGE_PREFIX_SIZE),
}
"""By table: how much of a key names its part; the second number is for keys that are shorter than the first."""

_pack = msgspec.msgpack.Encoder().encode
_unpack_part = msgspec.msgpack.Decoder(dict[bytes, bytes | None]).decode
_unpack_names = msgspec.msgpack.Decoder(list[bytes]).decode


class StateUnavailable(LookupError):
    """The state of that height is not kept, or not there yet."""


class HistoryPruned(LookupError):
    """The block was there and is no longer kept, or this node began after it."""

    def __init__(self, number: Height, first: Height) -> None:
        super().__init__(
            f"block {number} is not kept: this node has blocks from {first} on; ask a node that keeps all "
            "(`flux chain start --keep-blocks 0`)"
        )
        self.number = number
        self.first = first


def part_of(key: bytes) -> bytes:
    """The name of the part that a store key of the state tables is in."""
    long, short = _PART_SIZES[key[0]]
    return key[:long] if len(key) >= long else key[:short]


def encode_diff(replaced: Writes, height: Height) -> Writes:
    """The store entries that keep what the block at `height` replaced."""
    parts: dict[bytes, Writes] = {}
    for key, value in replaced.items():
        parts.setdefault(part_of(key), {})[key] = value
    entries: Writes = {tables.diff_part(height, name): _pack(part) for name, part in parts.items()}
    entries[tables.diff_names(height)] = _pack(sorted(parts))
    return entries


def prune_diff(snapshot: Snapshot, height: Height) -> Writes:
    """The deletions that drop the diff which leaves the window when the block at `height` is committed."""
    if height <= KEPT_HEIGHTS:
        return {}
    old = Height(U64(height - KEPT_HEIGHTS))
    keys = [tables.diff_names(old), *(tables.diff_part(old, name) for name in _names(snapshot, old))]
    return dict.fromkeys(keys)


def _names(snapshot: Snapshot, height: Height) -> list[bytes]:
    stored = snapshot.get(tables.diff_names(height))
    return [] if stored is None else _unpack_names(stored)


class PastReader:
    """The state tables after the block at `height`, read from a snapshot whose newest block is `head`."""

    __slots__ = ("_head", "_height", "_ordered", "_parts", "_snapshot")

    def __init__(self, snapshot: Snapshot, height: Height, head: Height) -> None:
        self._snapshot = snapshot
        self._height = height
        self._head = head
        self._parts: dict[bytes, Writes] = {}
        self._ordered: dict[bytes, Overlay] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value at that height."""
        value: Entry = self._part(part_of(key)).get(key, MISSING)
        return self._snapshot.get(key) if value is MISSING else value

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values at that height, start <= key < end, in order."""
        return self._over(part_of(start), end).range(start, end, reverse=reverse)

    def _over(self, first: bytes, end: bytes) -> Overlay:
        """The parts from the one named `first` up to the key `end`, laid over the snapshot."""
        long, _ = _PART_SIZES[first[0]]
        if len(first) < long or end > first[:-1] + bytes((min(first[-1] + 1, 0xFF),)):
            heights = range(self._height + 1, self._head + 1)
            named = {name for number in heights for name in _names(self._snapshot, Height(U64(number)))}
            changed: Writes = {}
            for name in sorted(name for name in named if first <= name < end):
                changed |= self._part(name)
            return Overlay(self._snapshot, changed)
        overlay = self._ordered.get(first)
        if overlay is None:
            overlay = self._ordered[first] = Overlay(self._snapshot, self._part(first))
        return overlay

    def _part(self, name: bytes) -> Writes:
        """For the keys of a part that changed since: what they had at that height, which is what the first block to
        change them replaced."""
        part = self._parts.get(name)
        if part is None:
            part = self._parts[name] = {}
            get = self._snapshot.get
            for number in range(self._head, self._height, -1):
                stored = get(tables.diff_part(Height(U64(number)), name))
                if stored is not None:
                    part |= _unpack_part(stored)
        return part

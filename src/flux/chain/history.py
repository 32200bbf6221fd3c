"""Earlier states: for each of the last blocks, what it replaced; undone from the newest down, that is an older state.

A reverse diff is stored in two parts, because calls need only the flat values and proofs mostly the trie. The part is
MessagePack of store key → replaced value (None: nothing was there).
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
_CACHED = 6
"""Merged parts kept. Under full load one can hold everything that changed in 256 blocks: some 100 MiB."""

_TRIES = (tables.ACCOUNT_TRIE[0], tables.STORAGE_TRIE[0])
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[bytes, bytes | None]).decode


class StateUnavailable(LookupError):
    """The state of that height is not kept, or not there yet."""


def encode_diff(replaced: Writes, height: Height) -> Writes:
    """The store entries that keep what the block at `height` replaced, and drop the one that leaves the window."""
    flat = {key: value for key, value in replaced.items() if key[0] not in _TRIES}
    trie = {key: value for key, value in replaced.items() if key[0] in _TRIES}
    entries: Writes = {tables.flat_diff(height): _pack(flat), tables.trie_diff(height): _pack(trie)}
    if height > KEPT_HEIGHTS:
        old = Height(U64(height - KEPT_HEIGHTS))
        entries[tables.flat_diff(old)] = None
        entries[tables.trie_diff(old)] = None
    return entries


class _Merged:
    """For one height: the first replaced value of each key in the blocks after it, up to a head that only grows.

    A value from a block that a reader's snapshot does not have yet is what that snapshot holds anyway, so one object
    serves snapshots of different age.
    """

    __slots__ = ("upto", "values")

    def __init__(self, height: Height) -> None:
        self.values: Writes = {}
        self.upto: int = height


class History:
    """Merged reverse diffs of the heights asked for last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._cache: dict[tuple[bytes, int], _Merged] = {}

    def flat(self, snapshot: Snapshot, height: Height, head: Height) -> Writes:
        """What accounts and storage had at `height` where the snapshot, whose newest block is `head`, differs."""
        return self._merged(tables.FLAT_DIFF, snapshot, height, head)

    def trie(self, snapshot: Snapshot, height: Height, head: Height) -> Writes:
        """The same of trie nodes."""
        return self._merged(tables.TRIE_DIFF, snapshot, height, head)

    def _merged(self, part: bytes, snapshot: Snapshot, height: Height, head: Height) -> Writes:
        merged = self._cache.get((part, height))
        if merged is None:
            merged = _Merged(height)
            for oldest in list(self._cache)[: 1 - _CACHED]:
                self._cache.pop(oldest, None)
            self._cache[part, height] = merged
        upto = merged.upto
        if upto < head:
            for number in range(upto + 1, head + 1):
                stored = snapshot.get(part + number.to_bytes(8, "big"))
                if stored is None:
                    raise StateUnavailable(f"the state of block {height} is no longer kept")
                for key, value in _unpack(stored).items():
                    merged.values.setdefault(key, value)
            merged.upto = max(merged.upto, head)
        return merged.values


class PastReader:
    """The state tables at an earlier height, as a Reader."""

    __slots__ = ("_flat", "_overlay", "_snapshot")

    def __init__(self, snapshot: Snapshot, flat: Writes) -> None:
        self._snapshot = snapshot
        self._flat = flat
        self._overlay: Overlay | None = None

    def get(self, key: bytes) -> bytes | None:
        """The value at that height. Flat tables only."""
        value: Entry = self._flat.get(key, MISSING)
        return self._snapshot.get(key) if value is MISSING else value

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values at that height."""
        if self._overlay is None:
            self._overlay = Overlay(self._snapshot, self._flat)
        return self._overlay.range(start, end, reverse=reverse)

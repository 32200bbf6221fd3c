"""Writes of a block, kept apart from the stored state under them, readable in key order, and undone on request.

Reading in order merges the writes with what lies beneath, lazily and live: the next key is always the smallest one
after the last that is there at that moment, so a loop may write to what it walks over.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, Protocol, TypeAlias

from flux.chain.tables import STORAGE_PREFIX_SIZE

_GROUP_SIZE = STORAGE_PREFIX_SIZE + 1
"""Keys are kept in order by their first bytes: table, address and the collection's own byte."""


class Missing(Enum):
    """The type of MISSING."""

    MISSING = 0


MISSING: Final = Missing.MISSING
"""Not written; None means deleted."""

Entry: TypeAlias = bytes | Missing | None
Item: TypeAlias = tuple[bytes, bytes]


class Reader(Protocol):
    """Stored state: a snapshot, or the state of an earlier height."""

    def get(self, key: bytes) -> bytes | None: ...
    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[Item]: ...


class Overlay:
    """Writes over a Reader. `begin` and `end` bracket what may have to be undone; brackets nest."""

    __slots__ = ("_base", "_depth", "_fresh", "_groups", "_pending", "_version", "read", "undo_log", "values")

    def __init__(self, base: Reader, values: dict[bytes, bytes | None] | None = None) -> None:
        self.values: dict[bytes, bytes | None] = {} if values is None else values
        """What was written; None for a deleted key."""
        self.undo_log: list[tuple[bytes, Entry]] = []
        """What each write since the outermost `begin` replaced."""
        self.read: Callable[[bytes], bytes | None] = base.get
        self._base = base
        self._depth = 0
        self._version = 0
        self._fresh: list[bytes] = list(self.values)
        self._pending: dict[bytes, list[bytes]] = {}
        self._groups: dict[bytes, list[bytes]] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value as of now."""
        value: Entry = self.values.get(key, MISSING)
        return self.read(key) if value is MISSING else value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write, or delete with None."""
        old: Entry = self.values.get(key, MISSING)
        if old is MISSING:
            self._fresh.append(key)
            self._version += 1
        if self._depth:
            self.undo_log.append((key, old))
        self.values[key] = value

    def begin(self) -> int:
        """Open a bracket; the mark is for `undo`."""
        self._depth += 1
        return len(self.undo_log)

    def undo(self, mark: int) -> None:
        """Take back every write since the mark; the bracket stays open."""
        log, values = self.undo_log, self.values
        while len(log) > mark:
            key, old = log.pop()
            if old is MISSING:
                del values[key]
            else:
                values[key] = old

    def end(self) -> None:
        """Close the bracket."""
        self._depth -= 1
        if not self._depth:
            self.undo_log.clear()

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[Item]:
        """Keys and values with start <= key < end, as of the moment that each is reached."""
        return self._descending(start, end) if reverse else self._ascending(start, end)

    def _ascending(self, start: bytes, end: bytes) -> Iterator[Item]:
        values = self.values
        beneath = self._base.range(start, end)
        below = next(beneath, None)
        version = -1
        keys: list[bytes] = []
        index = 0
        while True:
            if version != self._version:
                version = self._version
                keys = self._ordered(start, end)
                index = bisect_left(keys, start)
            key = keys[index] if index < len(keys) else end
            if key >= end and below is None:
                return
            if below is not None and (key >= end or below[0] < key):
                start = below[0] + b"\0"
                yield below
                below = next(beneath, None)
                continue
            index += 1
            start = key + b"\0"
            value: Entry = values.get(key, MISSING)
            if below is not None and below[0] == key:
                if value is MISSING:
                    value = below[1]
                below = next(beneath, None)
            if isinstance(value, bytes):
                yield key, value

    def _descending(self, start: bytes, end: bytes) -> Iterator[Item]:
        values = self.values
        beneath = self._base.range(start, end, reverse=True)
        below = next(beneath, None)
        version = -1
        keys: list[bytes] = []
        index = -1
        while True:
            if version != self._version:
                version = self._version
                keys = self._ordered(start, end)
                index = bisect_left(keys, end) - 1
            key = keys[index] if index >= 0 else b""
            if key < start and below is None:
                return
            if below is not None and below[0] > key:
                end = below[0]
                yield below
                below = next(beneath, None)
                continue
            index -= 1
            end = key
            value: Entry = values.get(key, MISSING)
            if below is not None and below[0] == key:
                if value is MISSING:
                    value = below[1]
                below = next(beneath, None)
            if isinstance(value, bytes):
                yield key, value

    def _ordered(self, start: bytes, end: bytes) -> list[bytes]:
        """Every written key from `start` to `end`, and perhaps some around and some undone, in order."""
        pending = self._pending
        for key in self._fresh:
            group = key[:_GROUP_SIZE]
            if group in pending:
                pending[group].append(key)
            else:
                pending[group] = [key]
        self._fresh.clear()
        first, last = start[:_GROUP_SIZE], end[:_GROUP_SIZE]
        if first == last or (len(first) == _GROUP_SIZE and end == _after(first)):
            return self._group(first)
        named = {group for groups in (pending, self._groups) for group in groups if first <= group <= last}
        return [key for group in sorted(named) for key in self._group(group)]

    def _group(self, group: bytes) -> list[bytes]:
        keys = self._groups.setdefault(group, [])
        added = self._pending.pop(group, None)
        if added is None:
            return keys
        if len(added) <= 8 + len(keys) // 256:
            for key in added:
                position = bisect_left(keys, key)
                if position == len(keys) or keys[position] != key:
                    keys.insert(position, key)
            return keys
        keys.extend(added)
        keys.sort()
        keys[:] = dict.fromkeys(keys)
        return keys


def _after(group: bytes) -> bytes:
    """The group that follows, where that is a matter of the last byte."""
    return group[:-1] + bytes((min(group[-1] + 1, 0xFF),))

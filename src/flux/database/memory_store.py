"""The key-value port in memory: for tests and for chains that need not survive their process.

A commit changes the data in place unless a snapshot looks at it; then it works on a copy, so a snapshot never changes.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self

from flux.chain.store import StoreError, check_key


class _Version:
    """The data as of one commit. `keys` are sorted, and may still hold keys that `data` has lost."""

    __slots__ = ("data", "keys", "readers")

    def __init__(self, data: dict[bytes, bytes], keys: list[bytes]) -> None:
        self.data = data
        self.keys = keys
        self.readers = 0


class MemorySnapshot:
    """A consistent view of a MemoryStore."""

    __slots__ = ("_version",)

    def __init__(self, version: _Version) -> None:
        version.readers += 1
        self._version: _Version | None = version

    def get(self, key: bytes) -> bytes | None:
        return self._open().data.get(key)

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        version = self._open()
        first = bisect_left(version.keys, start)
        stop = bisect_left(version.keys, end, lo=first)
        positions = range(stop - 1, first - 1, -1) if reverse else range(first, stop)
        return self._items(version, positions)

    def close(self) -> None:
        if self._version is not None:
            self._version.readers -= 1
            self._version = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _items(self, version: _Version, positions: Iterable[int]) -> Iterator[tuple[bytes, bytes]]:
        for position in positions:
            self._open()
            key = version.keys[position]
            value = version.data.get(key)
            if value is not None:
                yield key, value

    def _open(self) -> _Version:
        if self._version is None:
            raise StoreError("the snapshot is closed; take a new one")
        return self._version


class MemoryStore:
    """A Store that keeps everything in memory and nothing afterwards."""

    def __init__(self) -> None:
        self._version: _Version | None = _Version({}, [])

    def snapshot(self) -> MemorySnapshot:
        return MemorySnapshot(self._open())

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        version = self._open()
        for key in writes:
            check_key(key)
        if version.readers:
            version = _Version(dict(version.data), list(version.keys))
        data = version.data
        added: list[bytes] = []
        for key, value in writes.items():
            if value is None:
                data.pop(key, None)
            else:
                if key not in data:
                    added.append(key)
                data[key] = value
        self._insert_keys(version, added)
        self._version = version

    def close(self) -> None:
        self._version = None

    @staticmethod
    def _insert_keys(version: _Version, added: list[bytes]) -> None:
        """Keep `keys` sorted and free of doubles; sorting a sorted list with a short tail is one merge."""
        keys, data = version.keys, version.data
        if len(keys) > 2 * len(data) + 64:
            version.keys = sorted(data)
            return
        fresh = [key for key in added if not _holds(keys, key)]
        if fresh:
            keys.extend(sorted(fresh))
            keys.sort()

    def _open(self) -> _Version:
        if self._version is None:
            raise StoreError("the store is closed; open it again")
        return self._version


def _holds(keys: list[bytes], key: bytes) -> bool:
    position = bisect_left(keys, key)
    return position < len(keys) and keys[position] == key

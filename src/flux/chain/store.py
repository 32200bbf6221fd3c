"""The key-value port: everything that the chain keeps on disk goes through here; adapters are in flux.database.

Keys are 1 to 511 bytes and ordered as bytes; values are any bytes, an empty one included. One writer; any number of
readers, each on a consistent snapshot that later commits do not change.
"""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Protocol, Self

MAX_KEY_SIZE = 511


class StoreError(Exception):
    """The store cannot do what was asked. The text says what to do next."""


class StoreFull(StoreError):
    """No room for the commit: nothing of it was written, everything committed before is still there."""


class StoreLocked(StoreError):
    """Another process has the store open for writing."""


class Snapshot(Protocol):
    """The store as of one commit. Close it, or use it as a context manager: an open one keeps old data on disk.

    It may move between threads, but only one may use it at a time.
    """

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, None if it has none."""

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values with start <= key < end, in key order, or from the last to the first."""

    def close(self) -> None:
        """Release it. Closing twice is harmless; reading a closed snapshot raises StoreError."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """Where snapshots come from and commits go."""

    def snapshot(self) -> Snapshot:
        """The store as of the last commit."""

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        """One atomic transaction, durable on return; None deletes. Raises StoreFull, then nothing is changed."""

    def close(self) -> None:
        """Release files and locks. Snapshots must be closed before."""


def end_of_prefix(prefix: bytes) -> bytes:
    """The end of the range of all keys that start with `prefix`, which must hold a byte other than 0xff."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        raise StoreError("a prefix of nothing but 0xff bytes has no end")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,))


def check_key(key: bytes) -> None:
    """Raise StoreError unless every adapter can store the key."""
    if not 0 < len(key) <= MAX_KEY_SIZE:
        raise StoreError(f"a key has 1 to {MAX_KEY_SIZE} bytes, got {len(key)}; hash the long part of it")

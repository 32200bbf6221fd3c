"""The key-value port on LMDB: memory-mapped, atomic, durable (every commit is flushed to disk before it returns).

LMDB reads without locks and keeps the last committed tree intact while it writes the next, so a killed process or a
full disk leaves the last commit. One process writes, guarded by a lock file; others may open the same folder to read.
"""

import errno
import fcntl
import os
import resource
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

import lmdb

from flux.chain.store import StoreError, StoreFull, StoreLocked, check_key

INITIAL_MAP_SIZE = 1 << 36
"""64 GiB of address space, not of disk: the file grows with its contents. Doubled when it is not enough."""
MAX_READERS = 1024
"""Snapshots open at once, in all processes."""
GROW_TIMEOUT = 30.0
"""Seconds that a commit which needs a larger map waits for open snapshots to close."""
GIVE_WAY_TIMEOUT = 1.0
"""Seconds that a new snapshot waits for such a commit; its thread may be the one that the commit waits for."""

_NO_ROOM = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class LmdbSnapshot:
    """A consistent view of an LmdbStore: one LMDB read transaction."""

    __slots__ = ("_get", "_on_close", "_transaction")

    def __init__(self, transaction: lmdb.Transaction, on_close: Callable[[], None]) -> None:
        self._transaction: lmdb.Transaction | None = transaction
        self._get = cast(Callable[[bytes], bytes | None], transaction.get)
        self._on_close = on_close

    def get(self, key: bytes) -> bytes | None:
        try:
            return self._get(key)
        except lmdb.BadValsizeError:
            return None
        except lmdb.Error as error:
            raise StoreError(f"the snapshot cannot be read: {error}; take a new one") from error

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        if self._transaction is None:
            raise self._closed()
        return self._descending(start, end) if reverse else self._ascending(start, end)

    def close(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abort()
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ascending(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        with self._cursor() as cursor:
            found = cursor.set_range(start)
            while found:
                key, value = cast(tuple[bytes, bytes], cursor.item())
                if key >= end:
                    return
                yield key, value
                self._check_open()
                found = cursor.next()

    def _descending(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        with self._cursor() as cursor:
            found = cursor.prev() if cursor.set_range(end) else cursor.last()
            while found:
                key, value = cast(tuple[bytes, bytes], cursor.item())
                if key < start:
                    return
                yield key, value
                self._check_open()
                found = cursor.prev()

    def _cursor(self) -> lmdb.Cursor:
        if self._transaction is None:
            raise self._closed()
        return self._transaction.cursor()

    def _check_open(self) -> None:
        if self._transaction is None:
            raise self._closed()

    @staticmethod
    def _closed() -> StoreError:
        return StoreError("the snapshot is closed; take a new one")


class LmdbStore:
    """A Store in a folder."""

    def __init__(
        self, path: Path | str, *, map_size: int = INITIAL_MAP_SIZE, grow_timeout: float = GROW_TIMEOUT
    ) -> None:
        """Open the folder for writing, creating it if it is missing.

        Raises StoreLocked when another process writes to it, StoreError when it cannot be opened.
        """
        self._path = Path(path)
        self._grow_timeout = grow_timeout
        self._snapshots = 0
        self._growing = False
        self._idle = threading.Condition()
        self._writer = threading.Lock()
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {self._path}: {error.strerror}") from error
        self._lock: IO[str] | None = _lock(self._path)
        try:
            self._environment = _open(self._path, map_size, readonly=False)
        except StoreError:
            self._lock.close()
            raise

    @classmethod
    def open_read_only(cls, path: Path | str) -> "LmdbReader":
        """The store of another process (or of none), for reading. It sees every commit made after it was opened."""
        return LmdbReader(path)

    def snapshot(self) -> LmdbSnapshot:
        with self._idle:
            self._idle.wait_for(lambda: not self._growing, GIVE_WAY_TIMEOUT)
            transaction = _begin(self._environment)
            self._snapshots += 1
        return LmdbSnapshot(transaction, self._released)

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        if self._lock is None:
            raise StoreError("the store is closed; open it again")
        for key in writes:
            check_key(key)
        items = sorted(writes.items())
        with self._writer:
            while True:
                try:
                    return self._write(items)
                except lmdb.MapFullError:
                    self._grow()
                except lmdb.Error as error:
                    if self._is_full(error, items):
                        raise StoreFull(
                            f"no room on the disk of {self._path}: nothing of this commit was written, everything "
                            "before it is safe; free some space and try again"
                        ) from error
                    raise StoreError(f"the commit to {self._path} failed: {error}") from error

    def close(self) -> None:
        if self._lock is not None:
            self._environment.close()
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, items: list[tuple[bytes, bytes | None]]) -> None:
        with self._environment.begin(write=True) as transaction:
            put, delete = transaction.put, transaction.delete
            for key, value in items:
                if value is None:
                    delete(key)
                else:
                    put(key, value)

    def _is_full(self, error: lmdb.Error, items: list[tuple[bytes, bytes | None]]) -> bool:
        """LMDB says "input/output error" when the last pages fitted in part: then the room that is left decides."""
        if isinstance(error, lmdb.DiskError) or any(text in str(error) for text in _NO_ROOM):
            return True
        if os.strerror(errno.EIO) not in str(error):
            return False
        needed = sum(len(key) + len(value or b"") for key, value in items)
        room = shutil.disk_usage(self._path).free
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit != resource.RLIM_INFINITY:
            room = min(room, limit - (self._path / "data.mdb").stat().st_size)
        return room < needed

    def _grow(self) -> None:
        """Double the map. LMDB can do that only while no transaction of this process is open."""
        size = 2 * self._environment.info()["map_size"]
        with self._idle:
            self._growing = True
            try:
                if not self._idle.wait_for(lambda: self._snapshots == 0, self._grow_timeout):
                    raise StoreFull(
                        f"{self._path} has outgrown its map and {self._snapshots} snapshots kept open forbid to "
                        "enlarge it: nothing of this commit was written; close them, or restart"
                    )
                self._environment.set_mapsize(size)
            finally:
                self._growing = False
                self._idle.notify_all()

    def _released(self) -> None:
        with self._idle:
            self._snapshots -= 1
            self._idle.notify_all()


class LmdbReader:
    """Snapshots of a folder that another process may be writing to. Commits are refused."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        if not (self._path / "data.mdb").exists():
            raise StoreError(f"there is no store in {self._path}; check the path, or start the chain that keeps it")
        self._environment = _open(self._path, INITIAL_MAP_SIZE, readonly=True)

    def snapshot(self) -> LmdbSnapshot:
        try:
            transaction = _begin(self._environment)
        except lmdb.MapResizedError:
            self._environment.set_mapsize(0)
            transaction = _begin(self._environment)
        return LmdbSnapshot(transaction, _nothing)

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        raise StoreError(f"{self._path} is open for reading only")

    def close(self) -> None:
        self._environment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _nothing() -> None:
    """A reader need not know how many snapshots are open: it never enlarges the map by itself."""


def _begin(environment: lmdb.Environment) -> lmdb.Transaction:
    try:
        return environment.begin()
    except lmdb.MapResizedError:
        raise
    except lmdb.ReadersFullError as error:
        raise StoreError(f"more than {MAX_READERS} snapshots are open; close those no longer needed") from error
    except lmdb.Error as error:
        raise StoreError(f"the store cannot be read: {error}") from error


def _open(path: Path, map_size: int, *, readonly: bool) -> lmdb.Environment:
    data = path / "data.mdb"
    size = map_size
    while data.exists() and size < 2 * data.stat().st_size:
        size *= 2
    try:
        return lmdb.open(
            str(path), map_size=size, readonly=readonly, max_readers=MAX_READERS, max_spare_txns=1, readahead=False
        )
    except (lmdb.Error, OSError) as error:
        raise StoreError(f"the store in {path} cannot be opened: {error}; is it a Flux store, and yours?") from error


def _lock(path: Path) -> IO[str]:
    """The writer's lock: held while the file is open, released by the system when the process dies."""
    try:
        file = (path / "writer.lock").open("a+", encoding="ascii")
    except OSError as error:
        raise StoreError(f"cannot write in {path}: {error.strerror}; check who owns the folder") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read(32).strip()
        file.close()
        raise StoreLocked(
            f"{path} is in use by another process{f' (pid {holder})' if holder.isdigit() else ''}; "
            "stop it first, or use another folder"
        ) from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file

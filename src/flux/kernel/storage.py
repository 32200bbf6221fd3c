"""Typed storage collections. A contract lists its own in `state.py`, each under a one-byte prefix.

Keys are fixed-width big-endian, so an ordered collection iterates by number; a string may only be the last part of a
composite key. An integer zero is stored as absence, as on Ethereum.
"""

from collections.abc import Callable, Iterator
from copy import copy
from functools import lru_cache
from typing import Any, Generic, Protocol, Self, TypeVar

from flux.kernel.abi_types import elementary
from flux.kernel.record import Record, record_codec

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class Storage(Protocol):
    """The key-value space of one contract. Keys in range are start <= key < end, ascending unless `reverse`."""

    def get(self, key: bytes) -> bytes | None: ...
    def set(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]: ...


class KeyCodec(Generic[K]):
    """Encodes keys of one type; `width` is None for a string, which can only come last."""

    __slots__ = ("decode", "encode", "width")

    def __init__(self, encode: Callable[[K], bytes], decode: Callable[[bytes], K], width: int | None) -> None:
        self.encode = encode
        self.decode = decode
        self.width = width


def key_of(kind: type[K]) -> KeyCodec[K]:
    """Key codec of a NewType of `primitives.types`, or str."""
    name = elementary(kind)
    if name is None:
        raise TypeError(f"{kind!r} cannot be a storage key")
    if name.startswith("uint"):
        size = int(name[4:]) // 8
        return KeyCodec(lambda k: int.to_bytes(k, size, "big"), lambda b: int.from_bytes(b, "big"), size)  # type: ignore[arg-type,return-value]
    if name == "string":
        return KeyCodec(lambda k: k.encode(), lambda b: b.decode(), None)  # type: ignore[attr-defined,arg-type,return-value]
    if name == "bytes":
        return KeyCodec(lambda k: k, lambda b: b, None)  # type: ignore[arg-type,return-value]
    width = 20 if name == "address" else 32
    return KeyCodec(lambda k: k, lambda b: b, width)  # type: ignore[arg-type,return-value]


def pair(first: type[A], second: type[B]) -> KeyCodec[tuple[A, B]]:
    """Composite key of two parts."""
    one, two = key_of(first), key_of(second)
    split = one.width
    assert split is not None, "only the last part of a composite key may be a string"
    width = None if two.width is None else split + two.width
    return KeyCodec(
        lambda k: one.encode(k[0]) + two.encode(k[1]),
        lambda b: (one.decode(b[:split]), two.decode(b[split:])),
        width,
    )


def triple(first: type[A], second: type[B], third: type[C]) -> KeyCodec[tuple[A, B, C]]:
    """Composite key of three parts."""
    one, rest = key_of(first), pair(second, third)
    split = one.width
    assert split is not None, "only the last part of a composite key may be a string"
    width = None if rest.width is None else split + rest.width
    return KeyCodec(
        lambda k: one.encode(k[0]) + rest.encode((k[1], k[2])),
        lambda b: (one.decode(b[:split]), *rest.decode(b[split:])),
        width,
    )


def _value_codec(kind: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    if isinstance(kind, type) and issubclass(kind, Record):
        codec = record_codec(kind)
        return codec.encode, codec.decode
    name = elementary(kind)
    if name is None:
        raise TypeError(f"{kind!r} cannot be stored")
    if name.startswith("uint"):
        return lambda v: int.to_bytes(v, (int.bit_length(v) + 7) // 8, "big"), lambda b: int.from_bytes(b, "big")
    if name == "bool":
        return lambda v: b"\x01" if v else b"", lambda b: b == b"\x01"
    if name == "string":
        return lambda v: b"\x01" + v.encode(), lambda b: b[1:].decode()
    return lambda v: b"\x01" + v, lambda b: b[1:]


class Collection:
    """A declared collection: unbound in the class body, bound to a contract's storage in an instance."""

    prefix: bytes
    _storage: Storage

    def bind(self, storage: Storage) -> Self:
        """A copy that reads and writes `storage`."""
        bound = copy(self)
        bound._storage = storage
        return bound


class State:
    """Base of each contract's list of collections; binds them to its storage. Prefixes must differ."""

    def __init__(self, storage: Storage) -> None:
        for name, collection in self.collections().items():
            setattr(self, name, collection.bind(storage))

    @classmethod
    def collections(cls) -> dict[str, Collection]:
        """Declared collections by attribute name."""
        return {name: item for name, item in vars(cls).items() if isinstance(item, Collection)}

    def __init_subclass__(cls) -> None:
        prefixes = [collection.prefix for collection in cls.collections().values()]
        if len(set(prefixes)) != len(prefixes) or any(len(prefix) != 1 for prefix in prefixes):
            raise TypeError(f"{cls.__name__}: every collection needs a one-byte prefix of its own")


class Value(Collection, Generic[V]):
    """One value; `default` is what an unset value reads as."""

    def __init__(self, prefix: bytes, kind: type[V], default: V) -> None:
        self.prefix = prefix
        self.default = default
        self._encode, self._decode = _value_codec(kind)

    def get(self) -> V:
        """The value, or the default."""
        data = self._storage.get(self.prefix)
        return self.default if data is None else self._decode(data)

    def set(self, value: V) -> None:
        """Store the value."""
        if data := self._encode(value):
            self._storage.set(self.prefix, data)
        else:
            self._storage.delete(self.prefix)


class Map(Collection, Generic[K, V]):
    """Values by key, iterated in key order."""

    def __init__(self, prefix: bytes, key: type[K] | KeyCodec[K], value: type[V], *, remembered: int = 0) -> None:
        """`remembered`: decoded values kept, by their bytes; for records that are read far more than written."""
        self.prefix = prefix
        self._key: KeyCodec[K] = key if isinstance(key, KeyCodec) else key_of(key)
        self._encode, self._decode = _value_codec(value)
        if remembered:
            self._decode = lru_cache(remembered)(self._decode)

    def find(self, key: K) -> V | None:
        """The value, or None when absent (or integer zero)."""
        data = self._storage.get(self.prefix + self._key.encode(key))
        return None if data is None else self._decode(data)

    def get(self, key: K) -> V:
        """The value of a key that is known to be there. Raises KeyError, which means a bug, not bad input."""
        data = self._storage.get(self.prefix + self._key.encode(key))
        if data is None:
            raise KeyError(key)
        return self._decode(data)  # type: ignore[no-any-return]

    def set(self, key: K, value: V) -> None:
        """Store the value under the key."""
        if data := self._encode(value):
            self._storage.set(self.prefix + self._key.encode(key), data)
        else:
            self._storage.delete(self.prefix + self._key.encode(key))

    def delete(self, key: K) -> None:
        """Remove the key; an absent key is no error."""
        self._storage.delete(self.prefix + self._key.encode(key))

    def __contains__(self, key: K) -> bool:
        return self._storage.get(self.prefix + self._key.encode(key)) is not None

    def items(self, *, start: bytes = b"", reverse: bool = False) -> Iterator[tuple[K, V]]:
        """(key, value) in key order, from the encoded key `start` on. The caller bounds the walk."""
        end = bytes([self.prefix[0] + 1])
        size = len(self.prefix)
        for key, data in self._storage.range(self.prefix + start, end, reverse=reverse):
            yield self._key.decode(key[size:]), self._decode(data)

    def under(self, head: bytes, *, reverse: bool = False) -> Iterator[tuple[K, V]]:
        """(key, value) whose encoded key begins with `head`, in key order."""
        start = self.prefix + head
        size = len(self.prefix)
        for key, data in self._storage.range(start, after_prefix(start), reverse=reverse):
            yield self._key.decode(key[size:]), self._decode(data)

    def key_in(self, stored: bytes) -> K | None:
        """The key that a key of the contract's storage stands for; None when it belongs to another collection."""
        size = len(self.prefix)
        return self._key.decode(stored[size:]) if stored.startswith(self.prefix) else None

    def last_before(self, head: bytes, end: bytes) -> tuple[K, V] | None:
        """The last (key, value) whose encoded key begins with `head` and is smaller than `head + end`."""
        start = self.prefix + head
        size = len(self.prefix)
        for key, data in self._storage.range(start, start + end, reverse=True):
            return self._key.decode(key[size:]), self._decode(data)
        return None


class OrderedSet(Collection, Generic[K]):
    """Members in key order."""

    def __init__(self, prefix: bytes, key: type[K] | KeyCodec[K]) -> None:
        self.prefix = prefix
        self._key: KeyCodec[K] = key if isinstance(key, KeyCodec) else key_of(key)

    def add(self, key: K) -> None:
        """Add a member; adding twice is no error."""
        self._storage.set(self.prefix + self._key.encode(key), b"\x01")

    def discard(self, key: K) -> None:
        """Remove a member; an absent one is no error."""
        self._storage.delete(self.prefix + self._key.encode(key))

    def __contains__(self, key: K) -> bool:
        return self._storage.get(self.prefix + self._key.encode(key)) is not None

    def __iter__(self) -> Iterator[K]:
        return self.under(b"")

    def under(self, head: bytes, *, reverse: bool = False) -> Iterator[K]:
        """Members whose encoded key begins with `head`, in key order."""
        start = self.prefix + head
        size = len(self.prefix)
        for key, _ in self._storage.range(start, after_prefix(start), reverse=reverse):
            yield self._key.decode(key[size:])


def after_prefix(prefix: bytes) -> bytes:
    """The smallest key greater than every key that begins with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1])

"""Records: the frozen values that contracts store, return and emit, and their encoding in state.

State encoding is MessagePack of the fields in declaration order; integers wider than 64 bits are minimal big-endian
bytes. The first byte of an encoded record is never zero, so a value in a trie leaf reads back unambiguously.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from operator import attrgetter
from typing import Any, Generic, Self, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from flux.primitives.types import U128, U256

R = TypeVar("R", bound="Record")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Record(msgspec.Struct, frozen=True):
    """A frozen, slotted value. Fields are domain NewTypes, bool, str, bytes, IntEnum, Records, or tuples of them."""

    def but(self, **changes: object) -> Self:
        """The same record with some fields replaced."""
        return msgspec.structs.replace(self, **changes)


def is_wide(annotation: object) -> bool:
    """Whether an integer annotation may exceed 64 bits."""
    while annotation is not None:
        if annotation in (U128, U256):
            return True
        annotation = getattr(annotation, "__supertype__", None)
    return False


def wide_to_bytes(value: int) -> bytes:
    """Minimal big-endian bytes; zero is the empty string."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def wide_from_bytes(value: bytes) -> int:
    """The integer of `wide_to_bytes`."""
    return int.from_bytes(value, "big")


Convert = Callable[[Any], Any]


def _converters(annotation: object) -> tuple[Convert, Convert] | None:
    """(to plain, from plain) for one field, or None where MessagePack takes the value as it is."""
    if is_wide(annotation):
        return wide_to_bytes, wide_from_bytes
    if get_origin(annotation) is tuple:
        inner = _converters(get_args(annotation)[0])
        if inner is None:
            return list, tuple
        pack, unpack = inner
        return lambda values: [pack(v) for v in values], lambda values: tuple(unpack(v) for v in values)
    if isinstance(annotation, type) and issubclass(annotation, IntEnum):
        return int, annotation
    if isinstance(annotation, type) and issubclass(annotation, Record):
        codec = record_codec(annotation)
        return codec.to_plain, codec.from_plain
    return None


class RecordCodec(Generic[R]):
    """Encodes one Record class; built once per class by `record_codec`."""

    __slots__ = ("_convert", "_fields", "_single", "record")

    def __init__(self, record: type[R]) -> None:
        self.record = record
        hints = get_type_hints(record)
        names = [field.name for field in msgspec.structs.fields(record)]
        self._fields = attrgetter(*names)
        self._single = len(names) == 1
        self._convert = [(i, c) for i, name in enumerate(names) if (c := _converters(hints[name])) is not None]

    def to_plain(self, value: R) -> list[Any]:
        """The fields as MessagePack takes them."""
        plain = [self._fields(value)] if self._single else list(self._fields(value))
        for index, (pack, _) in self._convert:
            plain[index] = pack(plain[index])
        return plain

    def from_plain(self, plain: list[Any]) -> R:
        """The record of `to_plain`."""
        for index, (_, unpack) in self._convert:
            plain[index] = unpack(plain[index])
        return self.record(*plain)

    def encode(self, value: R) -> bytes:
        """State bytes of the record."""
        return _encode(self.to_plain(value))

    def decode(self, data: bytes) -> R:
        """The record of `encode`."""
        return self.from_plain(_decode(data))


@cache
def record_codec(record: type[R]) -> RecordCodec[R]:
    """The codec of a Record class."""
    return RecordCodec(record)

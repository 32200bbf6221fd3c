"""Recursive length prefix, Ethereum's serialisation of byte strings and lists (Yellow Paper, appendix B).

Only bytes and lists of them: integers go through `encode_int` and `decode_int`, what the fields mean is the caller's.
Decoding is strict: one value has exactly one encoding, and everything else is refused.
"""

from collections.abc import Sequence
from typing import TypeAlias

Rlp: TypeAlias = bytes | list["Rlp"]
"""What `decode` returns."""
RlpInput: TypeAlias = bytes | Sequence["RlpInput"]
"""What `encode` takes: lists and tuples alike."""

MAX_DEPTH = 32
"""Lists in lists; a transaction needs 4 (list, access list, entry, storage keys)."""

_SHORT_STRING = tuple(bytes((0x80 + size,)) for size in range(56))
_LIST_PREFIX = tuple(
    bytes((0xC0 + size,)) if size < 56 else bytes((0xF8, size)) if size < 256 else bytes((0xF9, size >> 8, size & 255))
    for size in range(1024)
)
"""Of the sizes that trie nodes and transactions have."""


class RlpError(ValueError):
    """The bytes are not canonical RLP, or the value cannot be encoded as RLP."""


def encode(item: RlpInput) -> bytes:
    """The one encoding of a byte string or of a (nested) list or tuple of byte strings."""
    if isinstance(item, bytes):
        return _encode_string(item)
    return _encode_list(item, MAX_DEPTH)


def encode_int(number: int) -> bytes:
    """Big-endian bytes without leading zeros, zero being empty: how RLP carries integers. Not yet RLP-encoded."""
    if number < 0:
        raise RlpError(f"RLP carries no negative integers, got {number}")
    return number.to_bytes((number.bit_length() + 7) >> 3, "big")


def list_prefix(payload_size: int) -> bytes:
    """What stands before the already encoded items of a list, together `payload_size` bytes long."""
    if payload_size < 1024:
        return _LIST_PREFIX[payload_size]
    size = encode_int(payload_size)
    return bytes((0xF7 + len(size),)) + size


def decode(data: bytes) -> Rlp:
    """The value that `data` is the whole and canonical encoding of.

    An input of n bytes makes at most n objects; bound n before calling.
    """
    if not data:
        raise RlpError("empty input is not RLP: an empty string is 0x80, an empty list 0xc0")
    items = _decode_items(data, 0, len(data), MAX_DEPTH + 1, 1)
    return items[0]


def decode_flat(data: bytes) -> list[bytes]:
    """The byte strings of an encoded list that holds no lists."""
    item = decode(data)
    if isinstance(item, bytes):
        raise RlpError("expected an RLP list, got a string")
    strings: list[bytes] = []
    for index, element in enumerate(item):
        if not isinstance(element, bytes):
            raise RlpError(f"expected only strings in the RLP list, item {index} is a list")
        strings.append(element)
    return strings


def decode_int(data: bytes) -> int:
    """The integer in the payload of an RLP string; leading zeros are refused."""
    if data[:1] == b"\x00":
        raise RlpError("an RLP integer must not start with a zero byte; zero itself is the empty string")
    return int.from_bytes(data, "big")


def _encode_string(item: bytes) -> bytes:
    size = len(item)
    if size < 56:
        return item if size == 1 and item < b"\x80" else _SHORT_STRING[size] + item
    encoded_size = encode_int(size)
    return bytes((0xB7 + len(encoded_size),)) + encoded_size + item


def _encode_list(items: Sequence[RlpInput], depth: int) -> bytes:
    if depth == 0:
        raise RlpError(f"lists are nested deeper than {MAX_DEPTH}")
    if not isinstance(items, (list, tuple)):
        raise RlpError(f"RLP encodes bytes, lists and tuples, got {type(items).__name__}")
    parts: list[bytes] = []
    append = parts.append
    for item in items:
        if isinstance(item, bytes):
            size = len(item)
            if size == 1 and item < b"\x80":
                append(item)
            elif size < 56:
                append(_SHORT_STRING[size])
                append(item)
            else:
                append(_encode_string(item))
        else:
            append(_encode_list(item, depth - 1))
    payload = b"".join(parts)
    return list_prefix(len(payload)) + payload


def _decode_items(data: bytes, position: int, end: int, depth: int, limit: int) -> list[Rlp]:
    """The items in data[position:end], `limit` of them at most (0 = any number). Sizes are checked before any copy."""
    if depth == 0:
        raise RlpError(f"lists are nested deeper than {MAX_DEPTH}")
    items: list[Rlp] = []
    append = items.append
    while position < end:
        lead = data[position]
        if lead < 0x80:
            stop = position + 1
            append(data[position:stop])
        elif lead < 0xB8:
            stop = position + lead - 0x7F
            if stop > end:
                raise RlpError(f"string at byte {position} runs over its end by {stop - end} bytes")
            item = data[position + 1 : stop]
            if lead == 0x81 and item < b"\x80":
                raise RlpError(f"byte at {position} is below 0x80 and must stand for itself, without a prefix")
            append(item)
        elif lead < 0xC0:
            start, stop = _long_bounds(data, position, end, lead - 0xB7)
            append(data[start:stop])
        elif lead < 0xF8:
            stop = position + lead - 0xBF
            if stop > end:
                raise RlpError(f"list at byte {position} runs over its end by {stop - end} bytes")
            append(_decode_items(data, position + 1, stop, depth - 1, 0))
        else:
            start, stop = _long_bounds(data, position, end, lead - 0xF7)
            append(_decode_items(data, start, stop, depth - 1, 0))
        position = stop
        if limit and position < end:
            raise RlpError(f"{end - position} bytes follow the end of the value")
    return items


def _long_bounds(data: bytes, position: int, end: int, size_length: int) -> tuple[int, int]:
    """Where the payload of a long string or list starts and stops; `size_length` bytes give its size."""
    start = position + 1 + size_length
    if start > end:
        raise RlpError(f"the size of the item at byte {position} is cut off")
    if data[position + 1] == 0:
        raise RlpError(f"the size of the item at byte {position} starts with a zero byte")
    size = int.from_bytes(data[position + 1 : start], "big")
    if size < 56:
        raise RlpError(f"the item at byte {position} is {size} bytes long and needs the short form")
    stop = start + size
    if stop > end:
        raise RlpError(f"the item at byte {position} runs over its end by {stop - end} bytes")
    return start, stop

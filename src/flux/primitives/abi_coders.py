"""One coder per ABI type: compiled from the type once, then plain functions over bytes.

A static type is encoded in place; a dynamic one as an offset in place and its contents behind. Decoding accepts the
canonical layout only (contents in order, without gaps or overlaps), which every Ethereum library writes: one value has
one encoding, and hostile offsets cannot make a small input expand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WORD = 32
_PADDING = bytes(WORD)


class AbiError(ValueError):
    """A type that is not an ABI type, a value outside its type, or bytes that are no canonical encoding."""


@dataclass(frozen=True, slots=True)
class Coder:
    """How values of one type are written and read."""

    name: str
    """Canonical type text."""
    dynamic: bool
    size: int
    """Bytes that a value takes in place: the whole of a static type, the 32-byte offset of a dynamic one."""
    encode: Callable[[object], bytes]
    """A value to its bytes: in place for a static type, contents for a dynamic one."""
    read: Callable[[bytes, int], tuple[object, int]]
    """The value that starts at a position, and where it ends. The caller has checked that `size` bytes are there if
    the type is static."""


def unsigned(bits: int) -> Coder:
    name, limit = f"uint{bits}", 1 << bits

    def encode(value: object) -> bytes:
        if isinstance(value, int) and value is not True and value is not False and 0 <= value < limit:
            return value.to_bytes(WORD, "big")
        raise _mismatch(name, value)

    def read(data: bytes, position: int) -> tuple[int, int]:
        value = int.from_bytes(data[position : position + WORD], "big")
        if value >= limit:
            raise AbiError(f"the word at byte {position} does not fit {name}")
        return value, position + WORD

    return Coder(name, False, WORD, encode, read)


def signed(bits: int) -> Coder:
    name, limit = f"int{bits}", 1 << (bits - 1)

    def encode(value: object) -> bytes:
        if isinstance(value, int) and value is not True and value is not False and -limit <= value < limit:
            return value.to_bytes(WORD, "big", signed=True)
        raise _mismatch(name, value)

    def read(data: bytes, position: int) -> tuple[int, int]:
        value = int.from_bytes(data[position : position + WORD], "big", signed=True)
        if not -limit <= value < limit:
            raise AbiError(f"the word at byte {position} does not fit {name}")
        return value, position + WORD

    return Coder(name, False, WORD, encode, read)


def boolean() -> Coder:
    true, false = (1).to_bytes(WORD, "big"), _PADDING

    def encode(value: object) -> bytes:
        if value is True:
            return true
        if value is False:
            return false
        raise _mismatch("bool", value)

    def read(data: bytes, position: int) -> tuple[bool, int]:
        end = position + WORD
        word = data[position:end]
        if word == true:
            return True, end
        if word == false:
            return False, end
        raise AbiError(f"the word at byte {position} is neither 0 nor 1, as a bool must be")

    return Coder("bool", False, WORD, encode, read)


def address() -> Coder:
    padding = bytes(12)

    def encode(value: object) -> bytes:
        if isinstance(value, bytes) and len(value) == 20:
            return padding + value
        raise _mismatch("address (20 bytes)", value)

    def read(data: bytes, position: int) -> tuple[bytes, int]:
        start, end = position + 12, position + WORD
        if data[position:start] != padding:
            raise AbiError(f"the address at byte {position} has more than 20 bytes")
        return data[start:end], end

    return Coder("address", False, WORD, encode, read)


def fixed_bytes(size: int) -> Coder:
    name, padding = f"bytes{size}", bytes(WORD - size)

    def encode(value: object) -> bytes:
        if isinstance(value, bytes) and len(value) == size:
            return value + padding
        raise _mismatch(name, value)

    def read(data: bytes, position: int) -> tuple[bytes, int]:
        start, end = position + size, position + WORD
        if data[start:end] != padding:
            raise AbiError(f"the word at byte {position} has more bytes than {name}")
        return data[position:start], end

    return Coder(name, False, WORD, encode, read)


def byte_string() -> Coder:
    def encode(value: object) -> bytes:
        if not isinstance(value, bytes):
            raise _mismatch("bytes", value)
        return len(value).to_bytes(WORD, "big") + value + _PADDING[: -len(value) % WORD]

    return Coder("bytes", True, WORD, encode, _read_byte_string)


def text() -> Coder:
    def encode(value: object) -> bytes:
        if not isinstance(value, str):
            raise _mismatch("string", value)
        try:
            data = value.encode()
        except UnicodeEncodeError as error:
            raise AbiError(f"a string must be encodable as UTF-8: {error.reason}") from error
        return len(data).to_bytes(WORD, "big") + data + _PADDING[: -len(data) % WORD]

    def read(data: bytes, position: int) -> tuple[str, int]:
        value, end = _read_byte_string(data, position)
        try:
            return value.decode(), end
        except UnicodeDecodeError as error:
            raise AbiError(f"the string at byte {position} is not UTF-8") from error

    return Coder("string", True, WORD, encode, read)


def sequence(coders: Sequence[Coder]) -> Coder:
    """A tuple of types; also the arguments of a call, which are encoded as one."""
    members = tuple(coders)
    name = f"({','.join(member.name for member in members)})"
    head_size = sum(member.size for member in members)
    encoders = [member.encode for member in members]
    readers = [member.read for member in members]
    dynamic = any(member.dynamic for member in members)

    def encode_static(value: object) -> bytes:
        values = _values(value, name, len(members))
        return b"".join([encode(item) for encode, item in zip(encoders, values, strict=True)])

    def encode_dynamic(value: object) -> bytes:
        return encode_members(members, _values(value, name, len(members)), head_size)

    def read_static(data: bytes, position: int) -> tuple[tuple[object, ...], int]:
        values = []
        for read in readers:
            value, position = read(data, position)
            values.append(value)
        return tuple(values), position

    def read_dynamic(data: bytes, position: int) -> tuple[tuple[object, ...], int]:
        _check_room(data, position, head_size, name)
        return read_members(members, data, position, head_size)

    if dynamic:
        return Coder(name, True, WORD, encode_dynamic, read_dynamic)
    return Coder(name, False, head_size, encode_static, read_static)


def fixed_array(item: Coder, count: int) -> Coder:
    """T[count]: like a tuple of `count` equal types."""
    members = sequence((item,) * count)
    return Coder(f"{item.name}[{count}]", members.dynamic, members.size, members.encode, members.read)


def array(item: Coder) -> Coder:
    """T[]: the number of elements, then they, like a tuple."""
    name = f"{item.name}[]"

    def encode(value: object) -> bytes:
        values = _values(value, name, None)
        count = len(values).to_bytes(WORD, "big")
        if item.dynamic:
            return count + encode_members((item,) * len(values), values, len(values) * WORD)
        encode_item = item.encode
        return count + b"".join([encode_item(element) for element in values])

    def read(data: bytes, position: int) -> tuple[tuple[object, ...], int]:
        _check_room(data, position, WORD, name)
        start = position + WORD
        count = int.from_bytes(data[position:start], "big")
        _check_room(data, start, count * item.size, name)
        return read_members((item,) * count, data, start, count * item.size)

    return Coder(name, True, WORD, encode, read)


def encode_members(members: Sequence[Coder], values: Sequence[object], head_size: int) -> bytes:
    """The heads of all members, then the contents of the dynamic ones in order."""
    heads: list[bytes] = []
    tails: list[bytes] = []
    offset = head_size
    for member, value in zip(members, values, strict=True):
        part = member.encode(value)
        if member.dynamic:
            heads.append(offset.to_bytes(WORD, "big"))
            tails.append(part)
            offset += len(part)
        else:
            heads.append(part)
    return b"".join(heads + tails)


def read_members(members: Sequence[Coder], data: bytes, base: int, head_size: int) -> tuple[tuple[object, ...], int]:
    """The values of `members`, whose heads start at `base` and are known to be there, and where the last one ends."""
    values: list[object] = []
    head, tail = base, base + head_size
    for member in members:
        if member.dynamic:
            offset = int.from_bytes(data[head : head + WORD], "big")
            if base + offset != tail:
                raise AbiError(f"the offset at byte {head} is {offset}, the canonical layout has {tail - base}")
            value, tail = member.read(data, tail)
            head += WORD
        else:
            value, head = member.read(data, head)
        values.append(value)
    return tuple(values), tail


def _read_byte_string(data: bytes, position: int) -> tuple[bytes, int]:
    _check_room(data, position, WORD, "bytes")
    start = position + WORD
    size = int.from_bytes(data[position:start], "big")
    padding = -size % WORD
    _check_room(data, start, size + padding, "bytes")
    stop = start + size
    end = stop + padding
    if data[stop:end] != _PADDING[:padding]:
        raise AbiError(f"the padding at byte {stop} is not zero")
    return data[start:stop], end


def _check_room(data: bytes, position: int, size: int, name: str) -> None:
    if position + size > len(data):
        raise AbiError(f"{name} at byte {position} needs {size} bytes, {max(0, len(data) - position)} are left")


def _values(value: object, name: str, count: int | None) -> Sequence[object]:
    if not isinstance(value, (tuple, list)):
        raise _mismatch(name, value)
    if count is not None and len(value) != count:
        raise AbiError(f"{name} takes {count} values, got {len(value)}")
    return value


def _mismatch(name: str, value: object) -> AbiError:
    shown = repr(value)
    return AbiError(f"not a value of {name}: {shown if len(shown) <= 100 else shown[:100] + '…'}")

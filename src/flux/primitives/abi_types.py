"""The grammar of ABI type names: `uint8`, `bytes32[]`, `(address,(string,uint64)[2])[]`. Pure text, no coding.

Written here and not taken from eth_abi because that library takes a third of a second and 15 MB to import, which every
command and every agent would pay.
"""

import re
from dataclasses import dataclass

from flux.primitives.abi_coders import AbiError

MAX_NESTED_TUPLES = 64
"""Structs in one type; bounds the depth of recursion."""
MAX_NESTED_ARRAYS = 64

_BASIC = re.compile(r"(uint|int|bytes|string|address|bool)([1-9][0-9]{0,2})?", re.ASCII)
_DIMENSION = re.compile(r"\[([1-9][0-9]{0,9})?\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Basic:
    """One word or one byte string: base name and its size, bits of numbers and bytes of bytes; None without one."""

    base: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Struct:
    members: "tuple[AbiType, ...]"


@dataclass(frozen=True, slots=True)
class Array:
    item: "AbiType"
    count: int | None
    """None: as many as the value has."""


AbiType = Basic | Struct | Array


def parse_type(name: str) -> AbiType:
    """The type of a name in its canonical spelling (uint256, not uint; no spaces). Raises AbiError."""
    if name.count("(") > MAX_NESTED_TUPLES or name.count("[") > MAX_NESTED_ARRAYS * MAX_NESTED_TUPLES:
        raise AbiError(f"more than {MAX_NESTED_TUPLES} structs or arrays in one type: {name[:100]!r}…")
    parsed, end = _type(name, 0)
    if end != len(name):
        raise _refused(name)
    return parsed


def _type(name: str, start: int) -> tuple[AbiType, int]:
    """The type that begins at `start`, and where it ends."""
    parsed, end = _struct(name, start) if name.startswith("(", start) else _basic(name, start)
    dimensions = 0
    while (match := _DIMENSION.match(name, end)) is not None:
        dimensions += 1
        if dimensions > MAX_NESTED_ARRAYS:
            raise _refused(name)
        parsed, end = Array(parsed, int(match[1]) if match[1] else None), match.end()
    return parsed, end


def _struct(name: str, start: int) -> tuple[AbiType, int]:
    members: list[AbiType] = []
    end = start
    while not members or name.startswith(",", end):
        member, end = _type(name, end + 1)
        members.append(member)
    if not name.startswith(")", end):
        raise _refused(name)
    return Struct(tuple(members)), end + 1


def _basic(name: str, start: int) -> tuple[AbiType, int]:
    match = _BASIC.match(name, start)
    if match is None:
        raise _refused(name)
    base, size = match[1], int(match[2]) if match[2] else None
    if not _is_valid(base, size):
        raise _refused(name)
    return Basic(base, size), match.end()


def _is_valid(base: str, size: int | None) -> bool:
    match base:
        case "uint" | "int":
            return size is not None and size <= 256 and size % 8 == 0
        case "bytes":
            return size is None or size <= 32
    return size is None


def _refused(name: str) -> AbiError:
    return AbiError(f"not an ABI type: {name[:100]!r}")

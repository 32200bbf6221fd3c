"""Ethereum's contract ABI (Solidity documentation, "Contract ABI Specification"): calls, results, events, errors.

Values are plain Python: int, bool, str, bytes (addresses are their 20 bytes), and tuples for arrays and structs.
Compile once with `codec`, then encode and decode; the type grammar is in abi_types, the coders are in abi_coders.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from flux.primitives import abi_coders
from flux.primitives.abi_coders import AbiError, Coder
from flux.primitives.abi_types import AbiType, Array, Struct, parse_type
from flux.primitives.keccak import keccak256
from flux.primitives.types import Hash

__all__ = ["AbiError", "Codec", "codec", "decode", "encode", "event_topic", "selector"]

MAX_FIXED_ARRAY = 1024
"""Elements of T[k]: a fixed array is compiled element by element."""

_SIGNATURE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(\(.*\))", re.ASCII)


class Codec:
    """The encoder and decoder of one list of types. Obtain it from `codec`."""

    __slots__ = ("_encode", "_head_size", "_members", "_read", "is_static", "types")

    def __init__(self, types: tuple[str, ...]) -> None:
        self.types: Final = types
        self._members = tuple(_compile(parse_type(name)) for name in types)
        self._head_size = sum(member.size for member in self._members)
        whole = abi_coders.sequence(self._members)
        self._encode = whole.encode
        self._read = whole.read
        self.is_static: Final = not whole.dynamic

    def encode(self, values: Sequence[object]) -> bytes:
        """The encoding of as many values as there are types."""
        return self._encode(values)

    def decode(self, data: bytes) -> tuple[object, ...]:
        """The values that `data` is the whole and canonical encoding of."""
        size = len(data)
        if size < self._head_size or (self.is_static and size != self._head_size):
            raise AbiError(
                f"({','.join(self.types)}) needs {'' if self.is_static else 'at least '}{self._head_size} bytes, "
                f"got {size}"
            )
        values, end = self._read(data, 0)
        if end != size:
            raise AbiError(f"{size - end} bytes follow the end of ({','.join(self.types)})")
        assert isinstance(values, tuple)
        return values


@lru_cache(maxsize=2048)
def codec(types: tuple[str, ...]) -> Codec:
    """The codec of a list of types such as ("address", "uint256[]", "(bytes32,string)")."""
    return Codec(types)


def encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    """The encoding of `values` as `types`."""
    return codec(tuple(types)).encode(values)


def decode(types: Sequence[str], data: bytes) -> tuple[object, ...]:
    """The values of `types` that `data` is the whole and canonical encoding of."""
    return codec(tuple(types)).decode(data)


def selector(signature: str) -> bytes:
    """The first 4 bytes of a call or custom error, from a signature such as "transfer(address,uint256)"."""
    return event_topic(signature)[:4]


@lru_cache(maxsize=2048)
def event_topic(signature: str) -> Hash:
    """The first topic of an event, from a signature such as "Transfer(address,address,uint256)".

    Types must be spelled out: uint256, not uint.
    """
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise AbiError(f"expected a signature such as transfer(address,uint256), got {signature[:100]!r}")
    if match[1] != "()":
        _compile(parse_type(match[1]))
    return keccak256(signature.encode())


def _compile(parsed: AbiType) -> Coder:
    if isinstance(parsed, Array):
        item = _compile(parsed.item)
        if parsed.count is None:
            return abi_coders.array(item)
        if parsed.count > MAX_FIXED_ARRAY:
            raise AbiError(f"a fixed array has at most {MAX_FIXED_ARRAY} elements, got {parsed.count}")
        return abi_coders.fixed_array(item, parsed.count)
    if isinstance(parsed, Struct):
        return abi_coders.sequence([_compile(member) for member in parsed.members])
    return _compile_basic(parsed.base, parsed.size)


def _compile_basic(base: str, size: int | None) -> Coder:
    match base, size:
        case "uint", int(bits):
            return abi_coders.unsigned(bits)
        case "int", int(bits):
            return abi_coders.signed(bits)
        case "bytes", int(count):
            return abi_coders.fixed_bytes(count)
        case "bytes", None:
            return abi_coders.byte_string()
        case "string", None:
            return abi_coders.text()
        case "address", None:
            return abi_coders.address()
        case "bool", None:
            return abi_coders.boolean()
    raise AbiError(f"the ABI type {base} is not supported")

"""From Python annotations to Ethereum ABI types, and values between the two.

A NewType is followed down to one of the fixed-width names of `primitives.types`; a Record is a tuple, a list an array.
Source: Solidity ABI specification, https://docs.soliditylang.org/en/latest/abi-spec.html
"""

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from flux.kernel.record import Record
from flux.primitives.types import U8, U16, U32, U48, U64, U128, U256, Address, Bytes1, Bytes4, Hash

ELEMENTARY: dict[object, str] = {
    U8: "uint8",
    U16: "uint16",
    U32: "uint32",
    U48: "uint48",
    U64: "uint64",
    U128: "uint128",
    U256: "uint256",
    Address: "address",
    Hash: "bytes32",
    Bytes1: "bytes1",
    Bytes4: "bytes4",
    bool: "bool",
    str: "string",
    bytes: "bytes",
    int: "uint256",
}


class Outputs(Record, frozen=True):
    """Base of what a method returns as several values one after the other, where a standard asks for that."""


class UnsupportedAnnotation(TypeError):
    """An annotation has no ABI type; use a NewType of `primitives.types`, a Record, or a list of them."""


def strip(annotation: object) -> object:
    """The annotation without its Annotated wrapper."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def elementary(annotation: object) -> str | None:
    """ABI name of a scalar annotation, following NewTypes down; None for anything else."""
    current = annotation
    while current is not None:
        if current in ELEMENTARY:
            return ELEMENTARY[current]
        current = getattr(current, "__supertype__", None)
    if isinstance(annotation, type) and issubclass(annotation, IntEnum):
        return "uint8"
    return None


def fields(record: type) -> dict[str, object]:
    """Field names and annotations of a Record, Event or Revert, in declaration order, `Annotated` kept."""
    hints = get_type_hints(record, include_extras=True)
    declared: list[str] = []
    for base in reversed(record.__mro__):
        declared += [name for name in getattr(base, "__annotations__", {}) if name in hints and name not in declared]
    return {name: hints[name] for name in declared if not name.startswith("_") and "ClassVar" not in str(hints[name])}


@cache
def abi_type(annotation: object) -> str:
    """The ABI type string: `uint64`, `(address,uint256)[]`, … Raises UnsupportedAnnotation."""
    annotation = strip(annotation)
    if (scalar := elementary(annotation)) is not None:
        return scalar
    if get_origin(annotation) in (list, tuple):
        (item, *_) = get_args(annotation)
        return abi_type(item) + "[]"
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return "(" + ",".join(abi_type(field) for field in fields(annotation).values()) + ")"
    raise UnsupportedAnnotation(f"{annotation!r} has no ABI type")


def output_kinds(returns: object | None) -> dict[str, object]:
    """What a method returns, by name: nothing, one value without a name, or the fields of `Outputs`."""
    if returns is None:
        return {}
    return fields(returns) if isinstance(returns, type) and issubclass(returns, Outputs) else {"": returns}


Convert = Callable[[Any], Any]


@cache
def to_abi(annotation: object) -> Convert | None:
    """Function from a Python value to what the ABI codec takes; None when the value is taken as it is."""
    annotation = strip(annotation)
    if elementary(annotation) is not None:
        return None
    if get_origin(annotation) in (list, tuple):
        item = to_abi(get_args(annotation)[0])
        return list if item is None else lambda values: [item(value) for value in values]
    record = fields(annotation)  # type: ignore[arg-type]
    parts = [(name, to_abi(kind)) for name, kind in record.items()]
    return lambda value: tuple(
        getattr(value, name) if convert is None else convert(getattr(value, name)) for name, convert in parts
    )


@cache
def from_abi(annotation: object) -> Convert | None:
    """Function from what the ABI codec returns to the Python value; None when the value is taken as it is.

    Raises ValueError for a number outside an enumeration.
    """
    annotation = strip(annotation)
    if isinstance(annotation, type) and issubclass(annotation, IntEnum):
        return annotation
    if elementary(annotation) is not None:
        return None
    if get_origin(annotation) in (list, tuple):
        item = from_abi(get_args(annotation)[0])
        container = tuple if get_origin(annotation) is tuple else list
        return container if item is None else lambda values: container(item(value) for value in values)
    parts = [from_abi(kind) for kind in fields(annotation).values()]  # type: ignore[arg-type]
    return lambda values: annotation(  # type: ignore[operator]
        *(value if convert is None else convert(value) for value, convert in zip(values, parts, strict=True))
    )


def camel(name: str) -> str:
    """`set_offer` as Solidity writes it: `setOffer`; a name in capitals stays as it is (`CLOCK_MODE`, ERC-6372)."""
    if name.isupper():
        return name
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

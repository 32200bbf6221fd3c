"""Custom errors on the wire: selector and ABI-encoded fields, and back to the typed error."""

from dataclasses import fields as dataclass_fields
from typing import NamedTuple, get_type_hints

from flux.kernel.abi_types import abi_type, from_abi, to_abi
from flux.kernel.errors import Revert
from flux.primitives import abi


class _Layout(NamedTuple):
    names: tuple[str, ...]
    kinds: tuple[object, ...]
    signature: str


_layouts: dict[type[Revert], _Layout] = {}


def _layout(error: type[Revert]) -> _Layout:
    found = _layouts.get(error)
    if found is None:
        hints = get_type_hints(error)
        names = tuple(field.name for field in dataclass_fields(error))  # type: ignore[arg-type]
        kinds = tuple(hints[name] for name in names)
        signature = f"{error.__name__}({','.join(abi_type(kind) for kind in kinds)})"
        found = _layouts[error] = _Layout(names, kinds, signature)
    return found


def error_signature(error: type[Revert]) -> str:
    """As Solidity writes it: `InsufficientStake(uint256,uint256)`."""
    return _layout(error).signature


def error_fields(error: type[Revert]) -> dict[str, object]:
    """Field names and annotations in ABI order."""
    layout = _layout(error)
    return dict(zip(layout.names, layout.kinds, strict=True))


def error_selector(error: type[Revert]) -> bytes:
    """First four bytes of the signature's keccak."""
    return abi.selector(error_signature(error))


def encode_error(error: Revert) -> bytes:
    """Return data of a reverted call."""
    names, kinds, signature = _layout(type(error))
    values = []
    for name, kind in zip(names, kinds, strict=True):
        convert = to_abi(kind)
        value = getattr(error, name)
        values.append(value if convert is None else convert(value))
    return abi.selector(signature) + abi.codec(tuple(abi_type(kind) for kind in kinds)).encode(values)


def decode_error(data: bytes, known: dict[bytes, type[Revert]]) -> Revert | None:
    """The typed error that return data names, if its selector is in `known`."""
    error = known.get(data[:4])
    if error is None:
        return None
    kinds = _layout(error).kinds
    values = abi.codec(tuple(abi_type(kind) for kind in kinds)).decode(data[4:])
    converted = [
        value if (convert := from_abi(kind)) is None else convert(value)
        for value, kind in zip(values, kinds, strict=True)
    ]
    return error(*converted)

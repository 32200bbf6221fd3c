"""Strict parsing of request parameters: from decoded JSON to domain values, or InvalidParameter.

Forms are those of Ethereum's execution-apis: QUANTITY, DATA, block tags and numbers, EIP-1898 block objects.
"""

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias, TypeVar

from flux.primitives.hexadecimal import HexError, from_hex, from_quantity
from flux.primitives.types import U64, U256, Address, Hash, Height, Wei
from flux.rpc.errors import InvalidParameter

T = TypeVar("T")
Parse: TypeAlias = Callable[[object], T]

_SHOWN = 60


class Tag(Enum):
    """Block tags. Blocks are final at once, so safe and finalized are the latest."""

    LATEST = "latest"
    SAFE = "safe"
    FINALIZED = "finalized"
    PENDING = "pending"
    EARLIEST = "earliest"


BlockSelector: TypeAlias = "Tag | Height | Hash"
"""By tag, by number (int), by hash (bytes)."""

_TAGS = {tag.value: tag for tag in Tag}


def block(value: object) -> BlockSelector:
    """A tag, a number, a hash, or an object with `blockNumber` or `blockHash` (EIP-1898)."""
    if isinstance(value, dict):
        members = dict(value)
        members.pop("requireCanonical", None)
        match members:
            case {"blockHash": given, **rest} if not rest:
                return hash32(given)
            case {"blockNumber": given, **rest} if not rest:
                return block_number(given)
        raise InvalidParameter("a block object has either blockNumber or blockHash")
    if isinstance(value, str) and len(value) == 66:
        return hash32(value)
    return block_number(value)


def block_number(value: object) -> BlockSelector:
    """A tag or a number."""
    if isinstance(value, str) and (tag := _TAGS.get(value)) is not None:
        return tag
    return Height(U64(quantity64(value)))


def hash32(value: object) -> Hash:
    """32 bytes."""
    return Hash(data(value, size=32))


def address(value: object) -> Address:
    """20 bytes, in any mixture of upper and lower case."""
    return Address(data(value, size=20))


def data(value: object, *, size: int | None = None) -> bytes:
    """Bytes as 0x and hexadecimal digits; exactly `size` of them when given."""
    if not isinstance(value, str):
        raise InvalidParameter(f"expected a hex string, got {shown(value)}")
    try:
        return from_hex(value, size=size)
    except HexError as error:
        raise InvalidParameter(str(error)) from error


def quantity(value: object) -> int:
    """An integer below 2**256 as 0x and digits without leading zeros."""
    if not isinstance(value, str):
        raise InvalidParameter(f"expected a quantity such as 0x1a, got {shown(value)}")
    try:
        return from_quantity(value)
    except HexError as error:
        raise InvalidParameter(str(error)) from error


def quantity64(value: object) -> int:
    """A quantity below 2**64."""
    number = quantity(value)
    if number >= 1 << 64:
        raise InvalidParameter(f"expected a quantity of at most 64 bits, got {shown(value)}")
    return number


def wei(value: object) -> Wei:
    """An amount."""
    return Wei(U256(quantity(value)))


def count(value: object) -> int:
    """A quantity, or a plain JSON number, below 2**64: some methods have always taken both."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64:
        return value
    return quantity64(value)


def slot(value: object) -> Hash:
    """A storage slot: 32 bytes, or fewer for one with leading zeros."""
    if isinstance(value, str) and 2 < len(value) <= 66 and value[:2] in ("0x", "0X"):
        digits = value[2:].rjust(64, "0")
        return hash32("0x" + digits)
    raise InvalidParameter(f"expected a storage slot of 1 to 32 bytes in hex, got {shown(value)}")


def boolean(value: object) -> bool:
    """true or false."""
    if isinstance(value, bool):
        return value
    raise InvalidParameter(f"expected true or false, got {shown(value)}")


def text(value: object) -> str:
    """A string."""
    if isinstance(value, str):
        return value
    raise InvalidParameter(f"expected a string, got {shown(value)}")


def list_of(item: Parse[T], most: int) -> Parse[list[T]]:
    """A JSON array of at most `most` items."""

    def parse(value: object) -> list[T]:
        if not isinstance(value, list):
            raise InvalidParameter(f"expected an array, got {shown(value)}")
        if len(value) > most:
            raise InvalidParameter(f"expected at most {most} items, got {len(value)}")
        return [item(element) for element in value]

    return parse


def members(value: object, known: frozenset[str]) -> dict[str, object]:
    """A JSON object with known members only; null members count as absent."""
    if not isinstance(value, dict):
        raise InvalidParameter(f"expected an object, got {shown(value)}")
    unknown = next((name for name in value if name not in known), None)
    if unknown is not None:
        raise InvalidParameter(f"unknown member {shown(unknown)}; known are {', '.join(sorted(known))}")
    return {name: member for name, member in value.items() if member is not None}


def shown(value: object) -> str:
    """A value for an error message, cut to a readable length."""
    if isinstance(value, (list, dict)):
        return f"an {'array' if isinstance(value, list) else 'object'} of {len(value)}"
    rendered = repr(value) if isinstance(value, str) else str(value).lower()
    return rendered if len(rendered) <= _SHOWN else rendered[:_SHOWN] + "…"

"""Hexadecimal text as JSON-RPC writes it (Ethereum execution-apis, `DATA` and `QUANTITY`). Parsing is strict."""

import re

_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})", re.ASCII)


class HexError(ValueError):
    """The text is not hexadecimal of the expected form."""


def to_hex(data: bytes) -> str:
    """Bytes as 0x and two lower-case digits for each; no bytes are "0x"."""
    return "0x" + data.hex()


def from_hex(text: str, *, size: int | None = None) -> bytes:
    """The bytes of 0x and an even number of digits; exactly `size` bytes when given."""
    if not isinstance(text, str):
        raise HexError(f"expected a text such as 0x1a2b, got {type(text).__name__}")
    if not _DATA.fullmatch(text):
        raise HexError(f"expected 0x and an even number of hexadecimal digits, got {_shown(text)}")
    if size is not None and len(text) != 2 + 2 * size:
        raise HexError(f"expected {size} bytes as 0x and {2 * size} digits, got {(len(text) - 2) // 2} bytes")
    return bytes.fromhex(text[2:])


def quantity(number: int) -> str:
    """A non-negative integer as 0x and its digits without leading zeros; zero is 0x0."""
    if number < 0:
        raise HexError(f"a quantity is not negative, got {number}")
    return hex(number)


def from_quantity(text: str) -> int:
    """The integer of 0x and 1 to 64 digits without leading zeros."""
    if not isinstance(text, str):
        raise HexError(f"expected a quantity such as 0x1a, got {type(text).__name__}")
    if not _QUANTITY.fullmatch(text):
        raise HexError(f"expected 0x and 1 to 64 hexadecimal digits without leading zeros, got {_shown(text)}")
    return int(text, 16)


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 80 else f"{text[:80]!r}… ({len(text)} characters)"

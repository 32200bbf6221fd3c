"""Account addresses as text: 0x and 40 hexadecimal digits, upper and lower case being a checksum (EIP-55)."""

import re

from flux.primitives.keccak import keccak256
from flux.primitives.types import Address

ADDRESS_SIZE = 20
ZERO_ADDRESS = Address(bytes(ADDRESS_SIZE))

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


class AddressError(ValueError):
    """The text or bytes are not an address, or its checksum says that it was mistyped."""


def to_text(address: bytes) -> str:
    """The address with its checksum (EIP-55)."""
    if len(address) != ADDRESS_SIZE:
        raise AddressError(f"an address has {ADDRESS_SIZE} bytes, got {len(address)}")
    digits = address.hex()
    pattern = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if guide > "7" else digit for digit, guide in zip(digits, pattern, strict=False)
    )


def parse(text: str) -> Address:
    """The address in all lower case, all upper case (after 0x), or mixed case with the right checksum."""
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        shown = repr(text) if len(str(text)) <= 60 else f"{str(text)[:60]!r}…"
        raise AddressError(f"expected an address, 0x and 40 hexadecimal digits, got {shown}")
    address = Address(bytes.fromhex(text[2:]))
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != to_text(address):
        raise AddressError(
            f"the upper and lower case of {text} do not match its checksum: a digit is wrong; copy the address again"
        )
    return address

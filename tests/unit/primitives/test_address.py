"""Addresses as text (EIP-55)."""

from typing import Any

import pytest
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives.address import ZERO_ADDRESS, AddressError, parse, to_text

EIP55_EXAMPLES = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("text", EIP55_EXAMPLES)
def test_the_examples_of_eip_55_hold(text: str) -> None:
    assert to_text(parse(text)) == text


@given(st.binary(min_size=20, max_size=20))
def test_checksums_are_those_of_eth_utils_and_every_case_parses(address: bytes) -> None:
    text = to_text(address)
    assert text == to_checksum_address(address)
    assert parse(text) == parse(text.lower()) == parse("0x" + text[2:].upper()) == address


@pytest.mark.parametrize("text", EIP55_EXAMPLES[2:])
def test_a_mistyped_checksummed_address_is_refused(text: str) -> None:
    position = next(index for index, letter in enumerate(text[2:], 2) if letter.isalpha())
    with pytest.raises(AddressError, match="do not match its checksum"):
        parse(text[:position] + text[position].swapcase() + text[position + 1 :])


@pytest.mark.parametrize(
    "text", ["", "0x", "0x" + "0" * 39, "0x" + "0" * 41, "0X" + "0" * 40, "0" * 42, " 0x" + "0" * 40, "alice", None, 5]
)
def test_what_is_no_address_is_refused(text: Any) -> None:
    with pytest.raises(AddressError, match="expected an address"):
        parse(text)


def test_an_address_has_20_bytes() -> None:
    assert to_text(ZERO_ADDRESS) == "0x" + "0" * 40
    with pytest.raises(AddressError, match="20 bytes, got 32"):
        to_text(bytes(32))

"""Hexadecimal text: both directions, strictly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives.hexadecimal import HexError, from_hex, from_quantity, quantity, to_hex


@given(st.binary(max_size=100))
def test_bytes_come_back_in_either_case(data: bytes) -> None:
    assert from_hex(to_hex(data)) == from_hex("0x" + data.hex().upper()) == data
    assert from_hex(to_hex(data), size=len(data)) == data


@given(st.integers(0, 2**256 - 1))
def test_quantities_come_back_without_leading_zeros(number: int) -> None:
    text = quantity(number)
    assert text == "0x0" or text[2] != "0"
    assert from_quantity(text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "00", "0x1", "0X00", "0xzz", " 0x00", "0x00 ", "0x00\n", "0x٠٠", "0x0_0", None, 5, b"0x00"]
)
def test_what_is_no_data_is_refused(text: Any) -> None:
    with pytest.raises(HexError):
        from_hex(text)


def test_another_size_than_asked_for_is_refused() -> None:
    with pytest.raises(HexError, match="expected 2 bytes as 0x and 4 digits, got 3 bytes"):
        from_hex("0x010203", size=2)


@pytest.mark.parametrize(
    "text", ["", "0x", "0", "0x00", "0x01", "0X1", "0x-1", "-0x1", "0x1 ", "0x1_0", "0x" + "f" * 65, None, 5, "0x１"]
)
def test_what_is_no_quantity_is_refused(text: Any) -> None:
    with pytest.raises(HexError):
        from_quantity(text)


def test_a_negative_number_is_no_quantity() -> None:
    with pytest.raises(HexError, match="not negative"):
        quantity(-1)


def test_a_long_wrong_text_is_shown_in_part() -> None:
    with pytest.raises(HexError, match=r"… \(1000 characters\)$"):
        from_hex("g" * 1000)

"""Amounts as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.primitives.units import MAX_WEI, UnitError, format_flux, format_gwei, parse_flux, parse_gwei


@given(st.integers(0, MAX_WEI))
def test_every_amount_comes_back_exactly(wei: int) -> None:
    assert parse_flux(format_flux(wei)) == wei
    assert parse_gwei(format_gwei(wei)) == wei


@pytest.mark.parametrize(
    ("text", "wei"),
    [("0", 0), ("1", 10**18), ("12.5", 125 * 10**17), ("0.000000000000000001", 1), ("007.10", 71 * 10**17)],
)
def test_amounts_are_read_in_flux(text: str, wei: int) -> None:
    assert parse_flux(text) == wei


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 ", "-1", "+1", "1e3", "1,5", "1_000", ".5", "5.", "0x10", "1.2.3", "١", "inf", "nan", "1\n", "9" * 79],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="expected an amount of FLUX"):
        parse_flux(text)


def test_more_decimals_or_more_money_than_there_is_are_refused() -> None:
    with pytest.raises(UnitError, match="FLUX has 18 decimals, got 19"):
        parse_flux("0.0000000000000000001")
    with pytest.raises(UnitError, match="gwei has 9 decimals, got 10"):
        parse_gwei("0.0000000001")
    with pytest.raises(UnitError, match="256 bits"):
        parse_flux("9" * 78)


@pytest.mark.parametrize(
    ("wei", "digits", "text"),
    [
        (10**18 - 1, 2, "0.99"),
        (-(10**18) - 1, 2, "-1"),
        (-1, 2, "0"),
        (-15 * 10**17, 18, "-1.5"),
        (10**16, 1, "0"),
        (1234 * 10**15, 0, "1"),
    ],
)
def test_shown_amounts_are_cut_and_never_rounded_up(wei: int, digits: int, text: str) -> None:
    assert format_flux(wei, digits=digits) == text


def test_more_digits_than_the_unit_has_are_refused() -> None:
    with pytest.raises(UnitError, match="between 0 and 9"):
        format_gwei(1, digits=10)

"""Amounts of money as people write them: decimal text to Wei and back, without floating point."""

import re

from flux.primitives.types import U256, Wei

FLUX_DECIMALS = 18
GWEI_DECIMALS = 9
MAX_WEI = 2**256 - 1

_DECIMAL = re.compile(r"(\d{1,78})(?:\.(\d{1,78}))?", re.ASCII)


class UnitError(ValueError):
    """The text is not an amount, or an amount that the unit cannot hold."""


def parse_flux(text: str) -> Wei:
    """Wei of an amount in FLUX such as "12.5"; 18 decimals at most, no sign, no exponent, no separators."""
    return _parse(text, FLUX_DECIMALS, "FLUX")


def parse_gwei(text: str) -> Wei:
    """Wei of an amount in gwei such as "1.25"; 9 decimals at most."""
    return _parse(text, GWEI_DECIMALS, "gwei")


def format_flux(wei: int, *, digits: int = FLUX_DECIMALS) -> str:
    """An amount in FLUX with at most `digits` decimals, cut (never rounded up), without trailing zeros."""
    return _format(wei, FLUX_DECIMALS, digits)


def format_gwei(wei: int, *, digits: int = GWEI_DECIMALS) -> str:
    """An amount in gwei with at most `digits` decimals, cut (never rounded up), without trailing zeros."""
    return _format(wei, GWEI_DECIMALS, digits)


def _parse(text: str, decimals: int, unit: str) -> Wei:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        shown = repr(text) if len(text) <= 60 else f"{text[:60]!r}…"
        raise UnitError(f"expected an amount of {unit} such as 12 or 0.5, got {shown}")
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > decimals:
        raise UnitError(f"{unit} has {decimals} decimals, got {len(fraction)} in {text}")
    amount = int(whole) * 10**decimals + int(fraction.ljust(decimals, "0"))
    if amount > MAX_WEI:
        raise UnitError(f"{text} {unit} is more than 256 bits of wei can hold")
    return Wei(U256(amount))


def _format(wei: int, decimals: int, digits: int) -> str:
    if not 0 <= digits <= decimals:
        raise UnitError(f"between 0 and {decimals} decimals can be shown, asked for {digits}")
    whole, fraction = divmod(abs(wei), 10**decimals)
    shown = str(fraction).rjust(decimals, "0")[:digits].rstrip("0")
    text = f"{whole}.{shown}" if shown else str(whole)
    return f"-{text}" if wei < 0 and text != "0" else text

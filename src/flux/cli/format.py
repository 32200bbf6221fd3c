"""How numbers, times and addresses are shown to people. Pure.

JSON has the exact values: amounts as decimal strings in FLUX, durations in seconds, times in Unix seconds.
"""

from flux.primitives.address import to_text
from flux.primitives.types import WEI_PER_FLUX
from flux.primitives.units import format_flux

HOUR = 3600
DAY = 24 * HOUR
MONTH = 30 * DAY
_UNITS = ((DAY, "d"), (HOUR, "h"), (60, "min"), (1, "s"))
_SIGNIFICANT = 4


def flux(wei: int) -> str:
    """An amount for people: about four significant digits, never in exponents; 0.000… shows what it can."""
    return f"{number(wei)} FLUX"


def number(wei: int) -> str:
    """The number of `flux` without its unit, thousands apart."""
    digits = 2
    small = abs(wei)
    if 0 < small < WEI_PER_FLUX:
        digits = min(18, 18 - len(str(small)) + _SIGNIFICANT)
    elif small < 100 * WEI_PER_FLUX:
        digits = 4
    whole, dot, fraction = format_flux(wei, digits=digits).partition(".")
    return f"{int(whole):,}{dot}{fraction}" if whole not in ("-0", "0") else f"{whole}{dot}{fraction}"


def exact(wei: int) -> str:
    """An amount for scripts: FLUX with all its decimals."""
    return format_flux(wei)


def per_hour(rate: int) -> str:
    """A rate in wei per second as a price."""
    return f"{number(rate * HOUR)} FLUX/h"


def per_month(rate: int) -> str:
    """A rate in wei per second as a price of 30 days."""
    return f"{number(rate * MONTH)} FLUX/month"


def duration(seconds: float) -> str:
    """The two largest units: 3 d 4 h, 5 min 2 s."""
    left = int(seconds)
    if left <= 0:
        return "0 s" if seconds < 0.5 else "1 s"
    parts: list[str] = []
    for size, name in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {name}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def memory(mib: int) -> str:
    """Memory or disk: 512 MiB, 1.5 GiB."""
    if mib < 1024:
        return f"{mib} MiB"
    return f"{mib / 1024:.1f}".removesuffix(".0") + " GiB"


def size(amount: int) -> str:
    """Bytes: 512 bytes, 4.2 KiB, 1.5 GiB."""
    if amount < 1024:
        return f"{amount} bytes"
    if amount < 1024**2:
        return f"{amount / 1024:.1f} KiB"
    return memory(amount // 1024**2)


def cores(cpu_milli: int) -> str:
    """Thousandths of a core as cores."""
    text = f"{cpu_milli / 1000:.2f}".rstrip("0").rstrip(".")
    return f"{text} core" if text == "1" else f"{text} cores"


def address(value: bytes) -> str:
    """An address with its checksum."""
    return to_text(value)


def short_address(value: bytes) -> str:
    """For tables: begin and end."""
    text = to_text(value)
    return f"{text[:8]}…{text[-4:]}"


def count(amount: int, singular: str, plural: str = "") -> str:
    """1 node, 2 nodes."""
    return f"{amount} {singular if amount == 1 else plural or singular + 's'}"

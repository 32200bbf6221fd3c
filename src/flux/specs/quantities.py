"""Amounts as Compose files write them: sizes, parts of processors, durations. No floating point."""

import re

MIB = 1024 * 1024
MAX_MIB = 2**32 - 1
MAX_MILLI = 2**32 - 1
MAX_DURATION_MS = 2**31 - 1

_SIZE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?\s*([a-zA-Z]{0,3})", re.ASCII)
_SCALES = {"": 0, "b": 0} | {
    letter + suffix: power for power, letter in enumerate("kmgt", start=1) for suffix in ("", "b", "ib")
}
_CPUS = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,9}))?|\.([0-9]{1,9})", re.ASCII)
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:h|ms|m|us|µs|ns|s))+")
_DURATION_PART = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(h|ms|m|us|µs|ns|s)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


class QuantityError(ValueError):
    """The text is not an amount of this kind."""


def parse_size_mib(text: str) -> int:
    """MiB, rounded up, of a size such as 512m, 1.5g, 2GiB or 1048576 (bytes); units are powers of 1024 (Docker)."""
    match = _SIZE.fullmatch(text.strip())
    scale = _SCALES.get(match[3].lower()) if match else None
    if match is None or scale is None:
        raise QuantityError(f"expected a size such as 512m, 1.5g or 2GiB, got {_shown(text)}")
    fraction = match[2] or ""
    scaled = int(match[1] + fraction) << (10 * scale)
    size = -(-scaled // (MIB * _power_of_ten(len(fraction))))
    if size > MAX_MIB:
        raise QuantityError(f"{_shown(text)} is more than {MAX_MIB} MiB")
    return size


def parse_volume_mib(text: str) -> int:
    """As `parse_size_mib`. A volume of a few bytes is a unit that was forgotten."""
    size = parse_size_mib(text)
    if text.strip().isdecimal() and 0 < int(text) < MIB:
        raise QuantityError(f"{_shown(text)} is a size in bytes: write the unit, such as {text.strip()}GiB")
    return size


def parse_cpu_milli(text: str) -> int:
    """Thousandths of a core, rounded up, of a count of cores such as 0.5 or 2."""
    match = _CPUS.fullmatch(text.strip())
    if match is None:
        raise QuantityError(f"expected a number of cores such as 0.5 or 2, got {_shown(text)}")
    fraction = match[2] or match[3] or ""
    milli = -(-int((match[1] or "0") + fraction) * 1000 // _power_of_ten(len(fraction)))
    if milli > MAX_MILLI:
        raise QuantityError(f"{_shown(text)} is more cores than any node has")
    return milli


def parse_duration_ms(text: str) -> int:
    """Milliseconds, rounded up, of a duration such as 30s, 1m30s, 500ms or 1.5h."""
    stripped = text.strip()
    if stripped == "0":
        return 0
    if not _DURATION.fullmatch(stripped):
        hint = f": write {stripped}s for seconds" if stripped.isascii() and stripped.isdigit() else ""
        raise QuantityError(f"expected a duration such as 30s or 1m30s, got {_shown(text)}{hint}")
    nanoseconds = 0
    for whole, fraction, unit in _DURATION_PART.findall(stripped):
        nanoseconds += int(whole + fraction) * _NANOSECONDS[unit] // _power_of_ten(len(fraction))
    milliseconds = -(-nanoseconds // 10**6)
    if milliseconds > MAX_DURATION_MS:
        raise QuantityError(f"{_shown(text)} is more than {MAX_DURATION_MS // 3_600_000} hours")
    return milliseconds


def _power_of_ten(exponent: int) -> int:
    return int("1" + "0" * exponent)


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}…"

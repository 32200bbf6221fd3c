"""Names: what may be one, and which known key a mistyped one probably means."""

import difflib
import re
from collections.abc import Iterable

MAX_LABEL = 63

_APP = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_UNFIT = re.compile(r"[^a-z0-9]+", re.ASCII)


def is_app_name(text: str) -> bool:
    """1–63 of a–z, 0–9 and inner hyphens, beginning with a letter."""
    return _APP.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """1–63 of a–z, 0–9 and inner hyphens: what other components can resolve."""
    return _LABEL.fullmatch(text) is not None


def is_volume_name(text: str) -> bool:
    """1–63 of letters, digits, and inner _ . -"""
    return _VOLUME.fullmatch(text) is not None


def has_control_character(text: str) -> bool:
    """Whether the text has characters that would disturb a terminal or hide what it says."""
    return _CONTROL.search(text) is not None


def suggest_label(text: str) -> str:
    """The nearest DNS label, or an empty text when nothing of it can be kept."""
    return _UNFIT.sub("-", text.lower()).strip("-")[:MAX_LABEL].strip("-")


def suggest_app_name(text: str) -> str:
    """The nearest app name, or an empty text."""
    return suggest_label(text).lstrip("0123456789-")


def find_nearest(key: str, known: Iterable[str]) -> str | None:
    """The known key that the mistyped one most likely means."""
    folded = {name.lower().replace("-", "_"): name for name in sorted(known)}
    wanted = key.lower().replace("-", "_")[:80]
    matches = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def unknown_key_sentence(key: str, known: Iterable[str]) -> str:
    """What to say of a key that nobody knows."""
    nearest = find_nearest(key, known)
    shown = key if len(key) <= 60 else f"{key[:60]}…"
    if nearest is None:
        return f"the key {shown!r} is not known here: remove it, or prefix it with x- if it is yours"
    return f"the key {shown!r} is not known here: did you mean {nearest!r}?"

"""How deeply JSON is nested, found without recursion before it is decoded.

The decoder recurses, and only Python's recursion limit stops it; py_ecc (under eth-account) raises that limit for the
whole process beyond what the C stack holds, so that a body of "[[[[…" would end the node.
"""

import re

MAX_DEPTH = 64
"""Arrays and objects in one another; a filter in a batch needs six."""

_STRUCTURE = b'[]{}"\\'
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in _STRUCTURE)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or what begins as one and never ends; possessive, so that it is linear on any input."""
_OPENING = b"[{"


def is_too_deep(body: bytes) -> bool:
    """Whether arrays and objects are nested deeper than MAX_DEPTH, empty ones not counted. Linear, and fast for
    ordinary requests."""
    structure = body.translate(None, _OTHER_BYTES)
    if len(structure) <= MAX_DEPTH:
        return False
    if b"\\" not in structure:
        structure = structure.replace(b'""', b"")
    if b'"' in structure or b"\\" in structure:
        structure = _STRING.sub(b"", body).translate(None, _OTHER_BYTES)
    structure = structure.replace(b"[]", b"").replace(b"{}", b"")
    depth = 0
    for byte in structure:
        if byte in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        else:
            depth -= 1
    return False

"""The 2048-bit filter over log addresses and topics in receipts and headers (Yellow Paper, 4.3.1)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from flux.primitives.keccak import keccak256

BLOOM_SIZE = 256
"""Bytes."""
EMPTY_BLOOM = bytes(BLOOM_SIZE)


class BloomError(ValueError):
    """A filter that is not 256 bytes long."""


def bloom_of(entries: Iterable[tuple[bytes, Sequence[bytes]]]) -> bytes:
    """The filter of logs, given as (address, topics)."""
    bloom = bytearray(BLOOM_SIZE)
    for address, topics in entries:
        for value in (address, *topics):
            for index, bit in _bits(value):
                bloom[index] |= bit
    return bytes(bloom)


def union(blooms: Iterable[bytes]) -> bytes:
    """The filter of everything that any of the filters holds: a block's, from its receipts'."""
    combined = 0
    for bloom in blooms:
        if bloom is not EMPTY_BLOOM:
            combined |= _number(bloom)
    return combined.to_bytes(BLOOM_SIZE, "big")


def may_contain(bloom: bytes, value: bytes) -> bool:
    """Whether logs with this address or topic may be behind the filter; False is certain, True is not."""
    if len(bloom) != BLOOM_SIZE:
        raise BloomError(f"a logs bloom has {BLOOM_SIZE} bytes, got {len(bloom)}")
    return all(bloom[index] & bit for index, bit in _bits(value))


@lru_cache(maxsize=8192)
def _bits(value: bytes) -> tuple[tuple[int, int], ...]:
    """Where the three bits of a value are, as (byte, mask). The same few addresses and topics come again and again."""
    digest = keccak256(value)
    positions = (int.from_bytes(digest[start : start + 2], "big") & 2047 for start in (0, 2, 4))
    return tuple((BLOOM_SIZE - 1 - (position >> 3), 1 << (position & 7)) for position in positions)


def _number(bloom: bytes) -> int:
    if len(bloom) != BLOOM_SIZE:
        raise BloomError(f"a logs bloom has {BLOOM_SIZE} bytes, got {len(bloom)}")
    return int.from_bytes(bloom, "big")

"""Drawing numbers from a seed, the same everywhere. Nobody chooses who is drawn."""

from collections.abc import Iterator

from flux.primitives.keccak import keccak256

_DRAWS_AT_LEAST = 96
_DRAWS_PER_SEAT = 24


def draw_numbers(base: bytes, highest: int, seats: int) -> Iterator[int]:
    """Numbers 1…`highest` in drawn order, repeated ones included; bounded, and enough to find `seats` of them.

    Drawn modulo the next power of two, so that one number more changes a draw only where it is drawn itself.
    """
    span = 1 << max(0, highest - 1).bit_length()
    for draw in range(_DRAWS_AT_LEAST + _DRAWS_PER_SEAT * seats):
        digest = keccak256(base + draw.to_bytes(4, "big"))
        drawn = int.from_bytes(digest[:8], "big") % span + 1
        if drawn <= highest:
            yield drawn

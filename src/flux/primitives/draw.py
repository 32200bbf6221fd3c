"""Drawing numbers from a seed, the same everywhere. Nobody chooses who is drawn."""

from collections.abc import Iterator

from flux.primitives.keccak import keccak256


def draw_numbers(base: bytes, highest: int, draws: int) -> Iterator[int]:
    """Numbers 1…`highest` in drawn order, repeated ones included; at most `draws`, about half of which may miss.

    Drawn modulo the next power of two, so that one number more changes a draw only where it is drawn itself.
    """
    span = 1 << max(0, highest - 1).bit_length()
    for draw in range(draws):
        digest = keccak256(base + draw.to_bytes(4, "big"))
        drawn = int.from_bytes(digest[:8], "big") % span + 1
        if drawn <= highest:
            yield drawn

"""A binary Merkle tree over byte strings: SHA-256, leaves and inner nodes told apart by a prefix (RFC 6962, 2.1)."""

import hashlib
from collections.abc import Sequence

_LEAF = b"\x00"
_INNER = b"\x01"


def leaf(data: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(_LEAF + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes, at least one. An odd one at the end of a level moves up as it is."""
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Sibling hashes from the leaf to the root."""
    siblings = []
    level = list(leaves)
    while len(level) > 1:
        neighbour = index ^ 1
        if neighbour < len(level):
            siblings.append(level[neighbour])
        level, index = _above(level), index // 2
    return siblings


def verify(root_hash: bytes, leaf_hash: bytes, index: int, count: int, siblings: Sequence[bytes]) -> bool:
    """Whether the leaf is the one at `index` of the tree with `count` leaves."""
    if not 0 <= index < count:
        return False
    left = list(siblings)
    found, size = leaf_hash, count
    while size > 1:
        if index ^ 1 < size:
            if not left:
                return False
            sibling = left.pop(0)
            found = _inner(sibling, found) if index & 1 else _inner(found, sibling)
        index, size = index // 2, (size + 1) // 2
    return not left and found == root_hash


def _above(level: Sequence[bytes]) -> list[bytes]:
    pairs = [_inner(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs + ([level[-1]] if len(level) % 2 else [])


def _inner(one: bytes, other: bytes) -> bytes:
    return hashlib.sha256(_INNER + one + other).digest()

"""How much may wait in the mempool, and the counting of it."""

from dataclasses import dataclass

from flux.chain.mempool_account import Entry


@dataclass(frozen=True, slots=True)
class MempoolLimits:
    """How much may wait."""

    transactions: int = 50_000
    """Paying ones, gapped included."""
    size: int = 64 * 1024 * 1024
    """Bytes of paying ones."""
    per_account: int = 8_192
    """Paying ones of one sender."""
    gapped: int = 8_192
    """Of any kind whose turn has not come, because a nonce before theirs is missing."""
    gapped_per_account: int = 1_024
    gapped_seconds: int = 3 * 3600
    """After that a gap is taken to stay."""
    lane: int = 8_192
    """Free ones."""
    lane_size: int = 16 * 1024 * 1024
    """Bytes of free ones."""
    lane_per_account: int = 64
    replacement_percent: int = 10
    """By how much both fees of a replacement must be higher."""


class Room:
    """What one kind of transactions takes up."""

    __slots__ = ("count", "size")

    def __init__(self) -> None:
        self.count = 0
        self.size = 0

    def enter(self, entry: Entry) -> None:
        self.count += 1
        self.size += len(entry.transaction.raw)

    def leave(self, entry: Entry) -> None:
        self.count -= 1
        self.size -= len(entry.transaction.raw)

    def is_over(self, count: int, size: int, newcomer: Entry) -> bool:
        return self.count >= count or self.size + len(newcomer.transaction.raw) > size

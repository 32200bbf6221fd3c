"""The one queue of scheduled work, ordered by (time, contract, kind, subject), and the clock of protocol time.

Both live in the storage of the system address. Entries were paid for by the transaction that added them; the protocol
takes a bounded number per block, so a backlog delays work and never stops the chain.
"""

from collections.abc import Iterator
from typing import NamedTuple

from flux.kernel.storage import Storage
from flux.primitives.types import U64, Address, ChainTime, Seconds, Timestamp

_QUEUE = b"\x01"
_GAPS = b"\x02"


class Due(NamedTuple):
    """One piece of work."""

    time: ChainTime
    contract: Address
    kind: int
    """The contract's own number for the handler, 0–255."""
    subject: int
    """What the handler is called with, below 2**64."""


class Schedule:
    """The queue over the system address' storage."""

    __slots__ = ("_storage",)

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def add(self, due: Due) -> None:
        """Add an entry; adding twice is one entry."""
        self._storage.set(_key(due), b"\x01")

    def remove(self, due: Due) -> None:
        """Remove an entry; an absent one is no error."""
        self._storage.delete(_key(due))

    def ready(self, now: ChainTime) -> Iterator[Due]:
        """Entries due at or before `now`, earliest first."""
        for key, _ in self._storage.range(_QUEUE, _QUEUE + int.to_bytes(now + 1, 8, "big")):
            yield _due(key)

    def first(self) -> Due | None:
        """The earliest entry."""
        for key, _ in self._storage.range(_QUEUE, bytes([_QUEUE[0] + 1])):
            return _due(key)
        return None


class Clock:
    """Protocol time = header time − gaps (DESIGN, gap rule): nothing accrues and no deadline passes in a gap."""

    __slots__ = ("_storage",)

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def gaps(self) -> Seconds:
        """Sum of all gaps so far."""
        return Seconds(U64(int.from_bytes(self._storage.get(_GAPS) or b"", "big")))

    def advance(self, parent: Timestamp, timestamp: Timestamp, limit: Seconds) -> ChainTime:
        """Enter a block: a step longer than `limit` counts as a gap as a whole. Returns the block's protocol time."""
        gaps = self.gaps()
        if timestamp - parent > limit:
            gaps = Seconds(U64(gaps + timestamp - parent))
            self._storage.set(_GAPS, gaps.to_bytes((gaps.bit_length() + 7) // 8, "big"))
        return ChainTime(U64(timestamp - gaps))

    def wall(self, time: ChainTime) -> Timestamp:
        """Header time at which protocol time reaches `time`, if no further gap comes."""
        return Timestamp(U64(time + self.gaps()))


def _key(due: Due) -> bytes:
    return (
        _QUEUE
        + due.time.to_bytes(8, "big")
        + due.contract
        + due.kind.to_bytes(1, "big")
        + due.subject.to_bytes(8, "big")
    )


def _due(key: bytes) -> Due:
    time = ChainTime(U64(int.from_bytes(key[1:9], "big")))
    return Due(time, Address(key[9:29]), key[29], int.from_bytes(key[30:38], "big"))

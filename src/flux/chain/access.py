"""Which state a call reads: what somebody who runs it elsewhere has to fetch, with proofs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from flux.chain import tables
from flux.chain.overlay import Item, Reader
from flux.primitives.types import Address

_ADDRESS = slice(1, tables.STORAGE_PREFIX_SIZE)


@dataclass(frozen=True, slots=True)
class Accessed:
    """Reads by account; in the order in which they came first."""

    keys: dict[Address, dict[bytes, None]] = field(default_factory=dict)
    """Storage keys read one by one; none for an account whose balance or nonce alone was read."""
    walked: dict[Address, None] = field(default_factory=dict)
    """Contracts whose keys were gone through in order."""


class RecordingReader:
    """Reads through, and notes what was read."""

    __slots__ = ("_base", "accessed")

    def __init__(self, base: Reader) -> None:
        self._base = base
        self.accessed = Accessed()

    def get(self, key: bytes) -> bytes | None:
        """The value, noted."""
        keys = self.accessed.keys.setdefault(Address(key[_ADDRESS]), {})
        if key[:1] == tables.STORAGE:
            keys[key[tables.STORAGE_PREFIX_SIZE :]] = None
        return self._base.get(key)

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[Item]:
        """The range, its contract noted."""
        self.accessed.walked[Address(start[_ADDRESS])] = None
        return self._base.range(start, end, reverse=reverse)

"""A state in memory that notes what changed, so that a check need not look at everything."""

from collections import defaultdict

from flux.primitives.types import Address
from flux.testing.world import MemoryWorld

Keys = set[bytes]


class RecordedWorld(MemoryWorld):
    """Notes every key that was written since the notes were last taken; also those whose write was undone."""

    def __init__(self) -> None:
        super().__init__()
        self._written: defaultdict[Address, Keys] = defaultdict(Keys)

    def set(self, address: Address, key: bytes, value: bytes) -> None:
        """Store bytes, as MemoryWorld does."""
        self._written[address].add(key)
        super().set(address, key, value)

    def delete(self, address: Address, key: bytes) -> None:
        """Remove the key."""
        self._written[address].add(key)
        super().delete(address, key)

    def take_written(self) -> dict[Address, Keys]:
        """The keys written since the last call, by contract."""
        written, self._written = self._written, defaultdict(Keys)
        return written

    def least_balance(self) -> int:
        """The smallest balance of anybody."""
        return min(self._balances.values(), default=0)

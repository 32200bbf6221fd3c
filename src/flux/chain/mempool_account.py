"""One sender's waiting transactions, by nonce: first those whose turn has come, then those behind a missing nonce."""

from flux.chain.transaction import Transaction
from flux.primitives.types import Timestamp


class Entry:
    """A waiting transaction and what the pool knows about it."""

    __slots__ = ("added_at", "is_gapped", "sequence", "tip", "transaction")

    def __init__(self, transaction: Transaction, tip: int, sequence: int, added_at: Timestamp) -> None:
        self.transaction = transaction
        self.tip = tip
        """Wei per gas for the producer, at the base fee when it came."""
        self.sequence = sequence
        """Order of arrival."""
        self.added_at = added_at
        self.is_gapped = False
        """Waits for a missing nonce."""


class Account:
    """The queue of one sender. Ready are the nonces from `nonce` to before `ready_end`, all of them present."""

    __slots__ = ("cost", "entries", "free_count", "nonce", "ready_end")

    def __init__(self, nonce: int) -> None:
        self.nonce = nonce
        """The account's next nonce in the newest state."""
        self.ready_end = nonce
        """The first missing nonce."""
        self.entries: dict[int, Entry] = {}
        self.cost = 0
        """The most that all of them together can cost, in wei."""
        self.free_count = 0
        """How many are the protocol lane's."""

    @property
    def ready_count(self) -> int:
        """How many have their turn."""
        return self.ready_end - self.nonce

    @property
    def gapped_count(self) -> int:
        """How many wait for a missing nonce."""
        return len(self.entries) - self.ready_count

    def first(self) -> Entry | None:
        """The next to be executed."""
        return self.entries.get(self.nonce)

    def ready_at(self, nonce: int) -> Entry | None:
        """The entry of a nonce, if its turn comes before any gap."""
        return self.entries.get(nonce) if nonce < self.ready_end else None

    def from_nonce(self, nonce: int) -> list[Entry]:
        """Entries from that nonce on, the last one first."""
        return [self.entries[other] for other in sorted(self.entries, reverse=True) if other >= nonce]

    def put(self, entry: Entry) -> None:
        """Add an entry, in place of one with the same nonce if there is."""
        nonce = entry.transaction.nonce
        if (old := self.entries.get(nonce)) is not None:
            self._uncount(old)
        self.entries[nonce] = entry
        self.cost += entry.transaction.max_cost
        self.free_count += entry.transaction.is_free
        if nonce == self.ready_end:
            self.ready_end = nonce + 1

    def extend(self) -> list[Entry]:
        """Entries whose turn has come since the last call, because a gap was filled."""
        promoted = []
        while (entry := self.entries.get(self.ready_end)) is not None:
            promoted.append(entry)
            self.ready_end += 1
        return promoted

    def advance(self, nonce: int) -> list[Entry]:
        """The state's nonce has grown: take out what is below it. `extend` must follow."""
        used = [self.entries.pop(old) for old in self._below(nonce)]
        for entry in used:
            self._uncount(entry)
        self.nonce = nonce
        self.ready_end = max(self.ready_end, nonce)
        return used

    def take(self, entry: Entry) -> list[Entry]:
        """Take one out; returns the ready ones behind it, which its absence makes gapped."""
        nonce = entry.transaction.nonce
        del self.entries[nonce]
        self._uncount(entry)
        if nonce >= self.ready_end:
            return []
        behind = [self.entries[other] for other in range(nonce + 1, self.ready_end)]
        self.ready_end = nonce
        return behind

    def _below(self, nonce: int) -> list[int]:
        if nonce == self.nonce + 1:
            return [self.nonce] if self.nonce in self.entries else []
        return [old for old in self.entries if old < nonce]

    def _uncount(self, entry: Entry) -> None:
        self.cost -= entry.transaction.max_cost
        self.free_count -= entry.transaction.is_free

"""Transactions waiting for a block: nonce order per sender, replacement, limits, eviction by tip, the protocol lane.

Pure: state, fees and time come as parameters, and nothing here knows of contracts. Not safe for use from two threads at
once; the application serialises. How one sender's transactions queue is in `mempool_account.py`.

Paying transactions compete by tip. Free ones are the protocol lane's (`Transaction.is_free`): they have room of their
own here and in a block, first come first served, so that neither kind can crowd out the other.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from flux.chain.mempool_account import Account, Entry
from flux.chain.mempool_limits import MempoolLimits, Room
from flux.chain.mempool_selection import select
from flux.chain.transaction import Transaction
from flux.chain.transaction_errors import (
    AccountLimitExceeded,
    AlreadyKnown,
    FeeCapTooLow,
    InsufficientFunds,
    NonceTooLow,
    PoolFull,
    ReplacementUnderpriced,
    Underpriced,
)
from flux.primitives.types import U64, Address, Gas, Hash, Nonce, Timestamp, Wei


class Mempool:
    """The pool. Callers recover senders first."""

    def __init__(self, limits: MempoolLimits | None = None) -> None:
        self._limits = limits or MempoolLimits()
        self._entries: dict[Hash, Entry] = {}
        self._accounts: dict[Address, Account] = {}
        self._gapped: dict[Hash, Entry] = {}
        self._cheapest: list[tuple[int, int, Entry]] = []
        """(tip, minus sequence, entry) of paying ones, lowest tip first, latest first among equals; entries that have
        left or become gapped are skipped when met."""
        self._sequence = 0
        self._paying = Room()
        self._lane = Room()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ready_count(self) -> int:
        """Transactions whose turn has come, whatever the base fee."""
        return len(self._entries) - len(self._gapped)

    @property
    def gapped_count(self) -> int:
        """Transactions that wait for a missing nonce."""
        return len(self._gapped)

    def find(self, hash: Hash) -> Transaction | None:
        """The waiting transaction of that hash."""
        entry = self._entries.get(hash)
        return None if entry is None else entry.transaction

    def pending_nonce(self, address: Address) -> Nonce | None:
        """The nonce after the account's waiting transactions, up to the first gap; None when it has none waiting."""
        account = self._accounts.get(address)
        return None if account is None else Nonce(U64(account.ready_end))

    def transactions_of(self, address: Address) -> list[Transaction]:
        """The account's waiting transactions by nonce."""
        account = self._accounts.get(address)
        return [] if account is None else [entry.transaction for _, entry in sorted(account.entries.items())]

    def arrivals(self, after: int) -> tuple[int, list[Transaction]]:
        """What came after the arrival of that number and still waits, in order; the number of the newest arrival."""
        found: list[Transaction] = []
        for entry in reversed(self._entries.values()):
            if entry.sequence <= after:
                break
            found.append(entry.transaction)
        found.reverse()
        return self._sequence, found

    def oldest(self, before: Timestamp, count: int) -> list[Transaction]:
        """At most `count` transactions that came before a time, the oldest first."""
        found: list[Transaction] = []
        for entry in self._entries.values():
            if entry.added_at >= before or len(found) >= count:
                break
            found.append(entry.transaction)
        return found

    def add(self, transaction: Transaction, account_nonce: Nonce, balance: Wei, base_fee: Wei, now: Timestamp) -> None:
        """Take in a decoded transaction, given its sender's state. Raises a TransactionError."""
        if transaction.hash in self._entries:
            raise AlreadyKnown
        sender, nonce = transaction.recover(), transaction.nonce
        account = self._accounts.get(sender)
        if account is None:
            account = Account(account_nonce)
        elif account_nonce > account.nonce:
            self._advance(sender, account, account_nonce)
        if nonce < account.nonce:
            raise NonceTooLow(f"next nonce {account.nonce}, tx nonce {nonce}")
        if not transaction.is_free and transaction.max_fee < base_fee:
            raise FeeCapTooLow(f"maxFeePerGas: {transaction.max_fee}, baseFee: {base_fee}")
        self._check_balance(transaction, account, balance)
        self._sequence += 1
        entry = Entry(transaction, max(0, transaction.effective_tip(base_fee)), self._sequence, now)
        if (replaced := account.entries.get(nonce)) is not None:
            self._check_replacement(transaction, replaced.transaction)
        else:
            self._check_count(entry, account)
        self._make_room(entry, account)
        self._accounts[sender] = account
        if (replaced := account.entries.get(nonce)) is not None:
            self._forget([replaced])
        self._admit(entry, account)

    def remove(self, hash: Hash) -> None:
        """Drop a transaction that proved invalid in a block; those behind it wait for its nonce again."""
        entry = self._entries.get(hash)
        if entry is not None:
            self._drop(entry)

    def committed(self, transactions: Iterable[Transaction], now: Timestamp) -> None:
        """A block was committed: its nonces are used, whichever transaction used them; stale gaps are given up."""
        for transaction in transactions:
            sender = transaction.recover()
            account = self._accounts.get(sender)
            if account is not None and transaction.nonce >= account.nonce:
                self._advance(sender, account, transaction.nonce + 1)
        self._expire(now)

    def has_executable(self, base_fee: Wei) -> bool:
        """Whether a block made now at this base fee would take anything."""
        return any(
            entry.transaction.is_free or entry.transaction.max_fee >= base_fee
            for account in self._accounts.values()
            if (entry := account.first()) is not None
        )

    def select(self, gas: Gas, size: int, lane_gas: Gas, base_fee: Wei) -> list[Transaction]:
        """What the next block should hold, in order; see `mempool_selection`."""
        return select(self._accounts.values(), gas, size, lane_gas, base_fee)

    def _check_balance(self, transaction: Transaction, account: Account, balance: Wei) -> None:
        cost, queued = transaction.max_cost, account.cost
        if (replaced := account.entries.get(transaction.nonce)) is not None:
            queued -= replaced.transaction.max_cost
        if queued + cost > balance:
            raise InsufficientFunds(
                f"balance {balance}, queued cost {queued}, tx cost {cost}, overshot {queued + cost - balance}"
            )

    def _check_replacement(self, transaction: Transaction, other: Transaction) -> None:
        percent = 100 + self._limits.replacement_percent
        fee, tip = other.max_fee, other.max_priority_fee
        if (
            transaction.max_fee <= fee
            or transaction.max_fee * 100 < fee * percent
            or transaction.max_priority_fee * 100 < tip * percent
        ):
            raise ReplacementUnderpriced(
                f"nonce {other.nonce} is taken at maxFeePerGas {fee}, maxPriorityFeePerGas {tip}; offer "
                f"{self._limits.replacement_percent} % more of both"
            )

    def _check_count(self, entry: Entry, account: Account) -> None:
        """Whether the account may have one more waiting."""
        limits = self._limits
        if entry.transaction.nonce > account.ready_end and (
            len(self._gapped) >= limits.gapped or account.gapped_count >= limits.gapped_per_account
        ):
            raise AccountLimitExceeded(f"nonce {account.ready_end} is missing; send it first")
        if entry.transaction.is_free:
            if account.free_count >= limits.lane_per_account:
                raise AccountLimitExceeded(f"{account.free_count} free transactions are waiting")
        elif len(account.entries) - account.free_count >= limits.per_account:
            raise AccountLimitExceeded(f"{limits.per_account} transactions are waiting")

    def _make_room(self, entry: Entry, account: Account) -> None:
        limits = self._limits
        if entry.transaction.is_free:
            if self._lane.is_over(limits.lane, limits.lane_size, entry):
                raise PoolFull("the protocol lane is full")
            return
        while self._paying.is_over(limits.transactions, limits.size, entry):
            self._evict(entry, is_gapped=entry.transaction.nonce > account.ready_end)

    def _evict(self, newcomer: Entry, *, is_gapped: bool) -> None:
        """Make room: gapped ones first, then the lowest tip with everything behind it."""
        if is_gapped:
            raise PoolFull("only transactions whose turn has come are taken now")
        for entry in self._gapped.values():
            if not entry.transaction.is_free:
                self._drop(entry)
                return
        while self._cheapest and not self._is_ready(self._cheapest[0][2]):
            heappop(self._cheapest)
        if not self._cheapest:
            raise PoolFull
        tip, _, cheapest = self._cheapest[0]
        if tip >= newcomer.tip:
            raise Underpriced(f"txpool is full; a priority fee above {tip} wei per gas is needed")
        sender = cheapest.transaction.recover()
        if sender == newcomer.transaction.sender:
            raise PoolFull("the cheapest transactions are of the same account")
        for victim in self._accounts[sender].from_nonce(cheapest.transaction.nonce):
            self._drop(victim)

    def _is_ready(self, entry: Entry) -> bool:
        return not entry.is_gapped and self._entries.get(entry.transaction.hash) is entry

    def _admit(self, entry: Entry, account: Account) -> None:
        transaction = entry.transaction
        self._entries[transaction.hash] = entry
        (self._lane if transaction.is_free else self._paying).enter(entry)
        if transaction.nonce > account.ready_end:
            entry.is_gapped = True
            self._gapped[transaction.hash] = entry
            account.put(entry)
            return
        account.put(entry)
        self._rank(entry)
        self._promote(account)

    def _advance(self, sender: Address, account: Account, nonce: int) -> None:
        self._forget(account.advance(nonce))
        self._promote(account)
        if not account.entries:
            del self._accounts[sender]

    def _promote(self, account: Account) -> None:
        """Those whose gap has been filled take their turn."""
        for entry in account.extend():
            del self._gapped[entry.transaction.hash]
            entry.is_gapped = False
            self._rank(entry)

    def _rank(self, entry: Entry) -> None:
        if entry.transaction.is_free:
            return
        heappush(self._cheapest, (entry.tip, -entry.sequence, entry))
        if len(self._cheapest) > 64 + 2 * len(self._entries):
            self._cheapest = [item for item in self._cheapest if self._is_ready(item[2])]
            heapify(self._cheapest)

    def _drop(self, entry: Entry) -> None:
        """Take one out; those behind it become gapped, and leave if there is no room for more gapped ones."""
        sender = entry.transaction.recover()
        account = self._accounts[sender]
        behind = account.take(entry)
        self._forget([entry])
        for other in behind:
            other.is_gapped = True
            self._gapped[other.transaction.hash] = other
        while behind and (
            len(self._gapped) > self._limits.gapped or account.gapped_count > self._limits.gapped_per_account
        ):
            last = behind.pop()
            account.take(last)
            self._forget([last])
        if not account.entries:
            del self._accounts[sender]

    def _forget(self, entries: Iterable[Entry]) -> None:
        """Entries that left their account's queue."""
        for entry in entries:
            transaction = entry.transaction
            del self._entries[transaction.hash]
            self._gapped.pop(transaction.hash, None)
            (self._lane if transaction.is_free else self._paying).leave(entry)

    def _expire(self, now: Timestamp) -> None:
        oldest = now - self._limits.gapped_seconds
        while self._gapped:
            entry = next(iter(self._gapped.values()))
            if entry.added_at >= oldest:
                return
            self._drop(entry)

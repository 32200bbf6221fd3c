"""The state as contracts and executor change it: accounts and contract storage over a Reader, with logs.

Implements `kernel.context.World`. Accounts are kept decoded until the block ends; storage keys are flat (tables.py).
A World is used by one thread and serves one block, one call or one simulation at a time; `rebase` starts the next.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from flux.chain.overlay import MISSING, Entry, Overlay, Reader
from flux.chain.tables import ACCOUNT, MAX_STORAGE_KEY_SIZE, STORAGE, STORAGE_PREFIX_SIZE
from flux.kernel.context import Block
from flux.kernel.errors import InsufficientBalance, Revert
from flux.kernel.events import Log
from flux.primitives.types import U64, U256, Address, ChainTime, Hash, Height, Nonce, Timestamp, Wei

_NONCE_SIZE = 8
NO_BLOCK = Block(Height(U64(0)), Timestamp(U64(0)), ChainTime(U64(0)), Hash(bytes(32)), Address(bytes(20)))
"""What a World is in before a block was entered, and in genesis."""

Account: TypeAlias = tuple[int, int]
"""Nonce and balance in wei."""
EMPTY_ACCOUNT: Account = (0, 0)


class Mark(NamedTuple):
    """Where a World can be taken back to."""

    storage: int
    accounts: int
    logs: int


class BadStorageWrite(ValueError):
    """A contract wrote a key or value that state cannot hold: a bug in the contract."""


def encode_account(account: Account) -> bytes:
    """Stored form: nonce in 8 bytes, then the balance without leading zeros."""
    nonce, balance = account
    return nonce.to_bytes(_NONCE_SIZE, "big") + balance.to_bytes((balance.bit_length() + 7) >> 3, "big")


def decode_account(data: bytes | None) -> Account:
    """The account of `encode_account`; an absent one is empty."""
    if data is None:
        return EMPTY_ACCOUNT
    return int.from_bytes(data[:_NONCE_SIZE], "big"), int.from_bytes(data[_NONCE_SIZE:], "big")


class ChainWorld:
    """One mutable view of the whole state."""

    __slots__ = ("_account_undo", "_depth", "_read", "_values", "accounts", "base", "block", "logs", "storage")

    def __init__(self, base: Reader) -> None:
        self.rebase(base)

    def rebase(self, base: Reader) -> None:
        """Forget everything written and start over `base`."""
        self.base = base
        self.block = NO_BLOCK
        self.accounts: dict[Address, Account] = {}
        """Accounts written since."""
        self.storage = Overlay(base)
        """Storage written since."""
        self.logs: list[Log] = []
        """Emitted since they were last taken."""
        self._account_undo: list[tuple[Address, Account | None]] = []
        self._depth = 0
        self._read: Callable[[bytes], bytes | None] = base.get
        self._values = self.storage.values

    def get(self, address: Address, key: bytes) -> bytes | None:
        """The value in a contract's storage."""
        flat = STORAGE + address + key
        value: Entry = self._values.get(flat, MISSING)
        return self._read(flat) if value is MISSING else value

    def set(self, address: Address, key: bytes, value: bytes) -> None:
        """Write to a contract's storage: a value that is not empty and does not begin with a zero byte."""
        if not value or value[0] == 0:
            raise BadStorageWrite(f"a stored value is not empty and does not begin with a zero byte, got {value!r}")
        if len(key) > MAX_STORAGE_KEY_SIZE:
            raise BadStorageWrite(f"a storage key has at most {MAX_STORAGE_KEY_SIZE} bytes, got {len(key)}")
        self.storage.put(STORAGE + address + key, value)

    def delete(self, address: Address, key: bytes) -> None:
        """Remove a key; an absent one is no error."""
        flat = STORAGE + address + key
        if self.storage.get(flat) is not None:
            self.storage.put(flat, None)

    def range(
        self, address: Address, start: bytes, end: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys start <= key < end in order, live: see overlay.py."""
        prefix = STORAGE + address
        for key, value in self.storage.range(prefix + start, prefix + end, reverse=reverse):
            yield key[STORAGE_PREFIX_SIZE:], value

    def account(self, address: Address) -> Account:
        """Nonce and balance."""
        found = self.accounts.get(address)
        return decode_account(self._read(ACCOUNT + address)) if found is None else found

    def put_account(self, address: Address, account: Account) -> None:
        """Write nonce and balance."""
        if self._depth:
            self._account_undo.append((address, self.accounts.get(address)))
        self.accounts[address] = account

    def balance(self, address: Address) -> Wei:
        """What an account holds."""
        return Wei(U256(self.account(address)[1]))

    def nonce(self, address: Address) -> Nonce:
        """Transactions that the account has sent."""
        return Nonce(U64(self.account(address)[0]))

    def transfer(self, source: Address, target: Address, amount: Wei) -> None:
        """Move FLUX. Raises InsufficientBalance."""
        self.burn(source, amount)
        self.mint(target, amount)

    def mint(self, target: Address, amount: Wei) -> None:
        """Credit an account; who keeps the supply counts it."""
        if amount:
            nonce, balance = self.account(target)
            self.put_account(target, (nonce, balance + _checked(amount)))

    def burn(self, source: Address, amount: Wei) -> None:
        """Debit an account; who keeps the supply counts it. Raises InsufficientBalance."""
        if amount:
            nonce, balance = self.account(source)
            if balance < _checked(amount):
                raise InsufficientBalance(source, Wei(U256(balance)), amount)
            self.put_account(source, (nonce, balance - amount))

    def emit(self, log: Log) -> None:
        """Append to the logs."""
        self.logs.append(log)

    def take_logs(self) -> list[Log]:
        """The logs emitted since the last time."""
        logs, self.logs = self.logs, []
        return logs

    def attempt(self, action: Callable[[], None]) -> Revert | None:
        """Run `action`; when it raises Revert, take back what it did and return the error."""
        mark = self.begin()
        try:
            action()
        except Revert as error:
            self.undo(mark)
            return error
        finally:
            self.end()
        return None

    def begin(self) -> Mark:
        """Open a bracket that can be undone; brackets nest."""
        self._depth += 1
        return Mark(self.storage.begin(), len(self._account_undo), len(self.logs))

    def undo(self, mark: Mark) -> None:
        """Take back everything since the mark; the bracket stays open."""
        self.storage.undo(mark.storage)
        undone, accounts = self._account_undo, self.accounts
        while len(undone) > mark.accounts:
            address, old = undone.pop()
            if old is None:
                del accounts[address]
            else:
                accounts[address] = old
        del self.logs[mark.logs :]

    def end(self) -> None:
        """Close the bracket."""
        self.storage.end()
        self._depth -= 1
        if not self._depth:
            self._account_undo.clear()

    def written_bytes(self, mark: Mark) -> int:
        """Bytes of keys and values written to storage since the mark; a key counts once, a deletion not at all."""
        log = self.storage.undo_log
        if len(log) == mark.storage:
            return 0
        values = self._values
        total = 0
        for key in {key for key, _ in log[mark.storage :]}:
            value = values.get(key)
            if value is not None:
                total += len(key) - STORAGE_PREFIX_SIZE + len(value)
        return total


def _checked(amount: int) -> int:
    if amount < 0:
        raise ValueError(f"an amount is not negative, got {amount}")
    return amount

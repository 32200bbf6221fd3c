"""What a contract sees of the world: the call, the block, its own storage and balance, and nothing else.

`World` is what the chain implements; `Host` is one contract's window on it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from flux.kernel.errors import Revert
from flux.kernel.events import Event, Log, event_codec
from flux.kernel.schedule import Due, Schedule
from flux.primitives.types import Address, ChainTime, Hash, Height, Timestamp, Wei

SYSTEM_ADDRESS = Address(bytes.fromhex("fffffffffffffffffffffffffffffffffffffffe"))
"""Sender of the system transaction and owner of the schedule and the clock (EIP-4788 uses the same address)."""

GOVERNANCE_ADDRESS = Address(0xF10B.to_bytes(20, "big"))
"""The Governor: the only caller of methods that are declared `governed`, each call by a proposal that passed."""


class Block(NamedTuple):
    """Facts of the block being executed."""

    height: Height
    timestamp: Timestamp
    now: ChainTime
    """Protocol time of the block; the only clock for deadlines and money."""
    seed: Hash
    """Random-looking and the same for everybody; grindable by a producer (docs/flaws.md)."""
    producer: Address


class Context(NamedTuple):
    """One call."""

    sender: Address
    value: Wei
    block: Block

    @property
    def now(self) -> ChainTime:
        """Protocol time of the block."""
        return self.block.now


class World(Protocol):
    """One mutable view of the whole state. The chain swaps the overlay underneath for each transaction."""

    @property
    def block(self) -> Block: ...
    def get(self, address: Address, key: bytes) -> bytes | None: ...
    def set(self, address: Address, key: bytes, value: bytes) -> None: ...
    def delete(self, address: Address, key: bytes) -> None: ...
    def range(
        self, address: Address, start: bytes, end: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]: ...
    def balance(self, address: Address) -> Wei: ...
    def transfer(self, source: Address, target: Address, amount: Wei) -> None:
        """Raises InsufficientBalance."""
        ...

    def mint(self, target: Address, amount: Wei) -> None: ...
    def burn(self, source: Address, amount: Wei) -> None:
        """Raises InsufficientBalance."""
        ...

    def emit(self, log: Log) -> None: ...
    def attempt(self, action: Callable[[], None]) -> Revert | None:
        """Run `action` in an overlay of its own, logs included: kept when it returns, dropped when it raises Revert.

        The Revert is returned.
        """
        ...


class ContractStorage:
    """The storage of one address in a World."""

    __slots__ = ("_address", "_world")

    def __init__(self, world: World, address: Address) -> None:
        self._world = world
        self._address = address

    def get(self, key: bytes) -> bytes | None:
        """The stored bytes or None."""
        return self._world.get(self._address, key)

    def set(self, key: bytes, value: bytes) -> None:
        """Store non-empty bytes that do not begin with a zero byte."""
        self._world.set(self._address, key, value)

    def delete(self, key: bytes) -> None:
        """Remove the key."""
        self._world.delete(self._address, key)

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Keys start <= key < end in order."""
        return self._world.range(self._address, start, end, reverse=reverse)


class Host:
    """One contract's window on the world."""

    __slots__ = ("_schedule", "_world", "address", "storage")

    def __init__(self, world: World, address: Address) -> None:
        self._world = world
        self.address = address
        self.storage = ContractStorage(world, address)
        self._schedule = Schedule(ContractStorage(world, SYSTEM_ADDRESS))

    @property
    def block(self) -> Block:
        """The block being executed."""
        return self._world.block

    def emit(self, event: Event) -> None:
        """Append the event to the transaction's logs."""
        self._world.emit(event_codec(type(event)).encode(self.address, event))

    def balance(self) -> Wei:
        """What this contract holds."""
        return self._world.balance(self.address)

    def balance_of(self, account: Address) -> Wei:
        """What an account holds."""
        return self._world.balance(account)

    def pay(self, target: Address, amount: Wei) -> None:
        """Pay from this contract's balance. Raises InsufficientBalance."""
        self._world.transfer(self.address, target, amount)

    def move(self, source: Address, target: Address, amount: Wei) -> None:
        """Move FLUX between accounts; for the accounts contract only. Raises InsufficientBalance."""
        self._world.transfer(source, target, amount)

    def mint(self, target: Address, amount: Wei) -> None:
        """Create FLUX; the accounts contract counts it."""
        self._world.mint(target, amount)

    def burn(self, amount: Wei) -> None:
        """Destroy FLUX of this contract; the accounts contract counts it."""
        self._world.burn(self.address, amount)

    def schedule(self, due: ChainTime, kind: int, subject: int) -> None:
        """Have this contract's `@scheduled(kind)` handler called with `subject` once protocol time reaches `due`."""
        self._schedule.add(Due(due, self.address, kind, subject))

    def unschedule(self, due: ChainTime, kind: int, subject: int) -> None:
        """Cancel an entry; an absent one is no error."""
        self._schedule.remove(Due(due, self.address, kind, subject))

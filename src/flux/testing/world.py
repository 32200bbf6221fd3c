"""A whole state in memory, for testing contracts without a chain.

Implements `flux.kernel.context.World`. The test owns the clock (`advance`), sends calls as an account (`send`) and runs
work that is due (`run_due`). Every call is a transaction: one that raises leaves nothing behind.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar, cast

from flux.kernel.context import SYSTEM_ADDRESS, Block, Context, ContractStorage
from flux.kernel.contract import Contract, Declaration
from flux.kernel.errors import InsufficientBalance, Revert
from flux.kernel.events import Event, Log, event_codec
from flux.kernel.schedule import Due, Schedule
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, Address, ChainTime, Hash, Height, Timestamp, Wei

P = ParamSpec("P")
T = TypeVar("T")

START = 1_700_000_000
"""Header time and protocol time of the first block."""


class MemoryWorld:
    """State, balances and logs in dictionaries, with an undo journal."""

    def __init__(self, *, seed: Hash | None = None, producer: Address = SYSTEM_ADDRESS) -> None:
        self.logs: list[Log] = []
        self.minted = 0
        self.burned = 0
        self._storage: dict[Address, dict[bytes, bytes]] = {}
        self._keys: dict[Address, list[bytes]] = {}
        self._balances: dict[Address, int] = {}
        self._undo: list[Callable[[], None]] = []
        self._depth = 0
        self._block = Block(
            Height(U64(1)), Timestamp(U64(START)), ChainTime(U64(START)), seed or keccak256(b"seed"), producer
        )

    @property
    def block(self) -> Block:
        """The block that calls run in."""
        return self._block

    @block.setter
    def block(self, block: Block) -> None:
        self._block = block

    def advance(self, seconds: int = 1) -> Block:
        """Enter the next block, `seconds` later, with a seed derived from the last."""
        last = self._block
        self._block = Block(
            Height(U64(last.height + 1)),
            Timestamp(U64(last.timestamp + seconds)),
            ChainTime(U64(last.now + seconds)),
            keccak256(last.seed),
            last.producer,
        )
        return self._block

    def get(self, address: Address, key: bytes) -> bytes | None:
        """The stored bytes or None."""
        return self._storage.get(address, {}).get(key)

    def set(self, address: Address, key: bytes, value: bytes) -> None:
        """Store bytes that are not empty and do not begin with a zero byte, as the chain demands."""
        if not value or value[0] == 0:
            raise AssertionError(f"a stored value must not be empty or begin with a zero byte, got {value!r}")
        self._write(address, key, value)

    def delete(self, address: Address, key: bytes) -> None:
        """Remove the key."""
        self._write(address, key, None)

    def range(
        self, address: Address, start: bytes, end: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Entries with start <= key < end as they are now; writes during the walk do not disturb it."""
        keys = self._keys.get(address, [])
        found = keys[bisect_left(keys, start) : bisect_left(keys, end)]
        values = self._storage.get(address, {})
        entries = [(key, values[key]) for key in (reversed(found) if reverse else found)]
        return iter(entries)

    def balance(self, address: Address) -> Wei:
        """What the account holds."""
        return Wei(U256(self._balances.get(address, 0)))

    def transfer(self, source: Address, target: Address, amount: Wei) -> None:
        """Move FLUX. Raises InsufficientBalance."""
        self._take(source, amount)
        self._set_balance(target, self._balances.get(target, 0) + amount)

    def mint(self, target: Address, amount: Wei) -> None:
        """Create FLUX."""
        self._set_balance(target, self._balances.get(target, 0) + amount)
        self._count("minted", amount)

    def burn(self, source: Address, amount: Wei) -> None:
        """Destroy FLUX. Raises InsufficientBalance."""
        self._take(source, amount)
        self._count("burned", amount)

    def emit(self, log: Log) -> None:
        """Append a log entry."""
        self.logs.append(log)
        self._journal(lambda: cast(None, self.logs.pop()))

    def attempt(self, action: Callable[[], None]) -> Revert | None:
        """Run `action`; when it raises Revert, undo what it did and return the error."""
        try:
            with self.transaction():
                action()
        except Revert as error:
            return error
        return None

    def total_held(self) -> Wei:
        """The sum of all balances."""
        return Wei(U256(sum(self._balances.values())))

    def dump(self) -> dict[Address, dict[bytes, bytes]]:
        """A copy of all storage, for comparing two states."""
        return {address: dict(entries) for address, entries in self._storage.items() if entries}

    def emitted(self, contract: Contract, event: Event) -> bool:
        """Whether the contract's logs hold exactly this event."""
        return event_codec(type(event)).encode(contract.address, event) in self.logs

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: whatever is raised inside undoes the writes and travels on. May be nested."""
        mark = len(self._undo)
        self._depth += 1
        try:
            yield
        except BaseException:
            while len(self._undo) > mark:
                self._undo.pop()()
            raise
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._undo.clear()

    def context(self, sender: Address, value: int = 0) -> Context:
        """A call's context in the current block."""
        return Context(sender, Wei(U256(value)), self._block)

    def send(
        self, sender: Address, value: int, function: Callable[Concatenate[Context, P], T], *args: P.args, **kw: P.kwargs
    ) -> T:
        """Call a contract's method as a transaction of `sender` that carries `value` wei."""
        contract: Contract = function.__self__  # type: ignore[attr-defined]
        declaration: Declaration = function.__flux_method__  # type: ignore[attr-defined]
        context = self.context(sender, value)
        declaration.check(context)
        with self.transaction():
            self.transfer(sender, contract.address, context.value)
            return function(context, *args, **kw)

    def run_due(self, contracts: Iterable[Contract], limit: int = 1000) -> int:
        """Run scheduled work that is due in this block, earliest first; how many entries ran."""
        handlers = {contract.address: contract for contract in contracts}
        ran = 0
        while ran < limit and (due := self._first_due()) is not None:
            self.schedule.remove(due)
            handlers[due.contract].run_scheduled(self.context(SYSTEM_ADDRESS), due.kind, due.subject)
            ran += 1
        return ran

    @property
    def schedule(self) -> Schedule:
        """The queue of scheduled work."""
        return Schedule(ContractStorage(self, SYSTEM_ADDRESS))

    def _first_due(self) -> Due | None:
        return next(self.schedule.ready(self._block.now), None)

    def _write(self, address: Address, key: bytes, value: bytes | None) -> None:
        entries = self._storage.setdefault(address, {})
        keys = self._keys.setdefault(address, [])
        before = entries.get(key)
        if value is None:
            if before is None:
                return
            del entries[key]
            del keys[bisect_left(keys, key)]
        else:
            if before is None:
                insort(keys, key)
            entries[key] = value
        self._journal(lambda: self._restore(address, key, before))

    def _journal(self, undo: Callable[[], None]) -> None:
        if self._depth:
            self._undo.append(undo)

    def _restore(self, address: Address, key: bytes, before: bytes | None) -> None:
        depth, self._depth = self._depth, 0
        self._write(address, key, before)
        self._depth = depth

    def _take(self, source: Address, amount: int) -> None:
        held = self._balances.get(source, 0)
        if held < amount:
            raise InsufficientBalance(source, Wei(U256(held)), Wei(U256(amount)))
        self._set_balance(source, held - amount)

    def _set_balance(self, address: Address, amount: int) -> None:
        before = self._balances.get(address, 0)
        self._balances[address] = amount
        self._journal(lambda: self._balances.__setitem__(address, before))

    def _count(self, counter: str, amount: int) -> None:
        before = getattr(self, counter)
        setattr(self, counter, before + amount)
        self._journal(lambda: setattr(self, counter, before))

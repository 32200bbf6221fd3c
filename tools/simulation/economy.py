"""The real contracts over a state in memory, driven in steps of seconds or of days.

Transactions are called directly, without signatures and fees; everything else is what the chain does: work that is due,
placement and accounting at the end of each block. Invariants are checked after every block: those that the block can
have broken (every_block.py), and all of them from scratch after every so many. A violation ends the run.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from flux.chain.consensus_info import NO_INFO
from flux.contracts.accounts.contract import Accounts
from flux.contracts.accounts.invariants import check_total
from flux.contracts.probes.contract import Probes
from flux.contracts.rewards.contract import Rewards
from flux.kernel.contract import Contract, Declaration
from flux.kernel.errors import Revert
from flux.kernel.events import Event, Log, event_codec
from flux.primitives.keccak import keccak256
from flux.primitives.types import NO_WEI, WEI_PER_FLUX, Address, ChainTime, Wei
from flux.protocol import invariants
from flux.protocol.machine import ScheduledWorkFailed
from flux.protocol.params import Params
from flux.protocol.registry import ProtocolFactory
from tools.simulation.every_block import EveryBlock
from tools.simulation.recorded import RecordedWorld

C = TypeVar("C", bound=Contract)
Watcher = Callable[[Log], None]
_BASE_GAS = 21_000


class Violated(Exception):
    """An invariant does not hold; the text says which, and in which block."""


class Load(NamedTuple):
    """What a block holds, refused calls included."""

    transactions: int
    gas: int
    """As methods declare it, and what every transaction costs."""


def person(kind: str, number: int) -> Address:
    """The address of somebody."""
    return Address(keccak256(f"{kind} {number}".encode())[12:])


class Economy:
    """One chain's worth of state and the clock over it."""

    def __init__(self, params: Params, *, check_every: int = 1) -> None:
        """`check_every`: blocks between two checks of all invariants from scratch."""
        self.params = params
        self.world = RecordedWorld()
        self.machine = ProtocolFactory(params)(self.world)
        self._every_block = EveryBlock(self.world, self.machine.contracts)
        self.accounts = self.contract(Accounts)
        self.refused: Counter[str] = Counter()
        """How often each error answered a transaction of `attempt`."""
        self._check_every = check_every
        self.load = Load(0, 0)
        """Of the block that is being made; the last one's is in `last_load`."""
        self.last_load = Load(0, 0)
        self._watchers: dict[bytes, list[Watcher]] = {}
        self._blocks = 0
        self.full_checks = 0
        """How often all invariants were checked from scratch."""
        self.started = int(self.world.block.now)

    def begin(self) -> None:
        """Start emission and the first epoch, as genesis does."""
        context = self.world.context(person("genesis", 0))
        self.contract(Rewards).begin(context, NO_WEI)
        self.contract(Probes).begin(context)

    def contract(self, kind: type[C]) -> C:
        """The contract of a type."""
        return next(contract for contract in self.machine.contracts if isinstance(contract, kind))

    @property
    def now(self) -> ChainTime:
        """Protocol time."""
        return self.world.block.now

    @property
    def blocks(self) -> int:
        """Blocks so far."""
        return self._blocks

    def fund(self, holder: Address, amount: int) -> Address:
        """Give somebody whole FLUX, minted as genesis does."""
        self.accounts.mint(self.world.context(holder), holder, Wei(amount * WEI_PER_FLUX))  # type: ignore[arg-type]
        return holder

    def send(self, sender: Address, method: Callable[..., Any], *arguments: Any, value: int = 0) -> Any:
        """One transaction. Raises the contract's Revert, which leaves nothing behind."""
        declaration: Declaration = method.__flux_method__  # type: ignore[attr-defined]
        self.load = Load(self.load.transactions + 1, self.load.gas + _BASE_GAS + declaration.gas)
        return self.world.send(sender, value, method, *arguments)

    def attempt(self, sender: Address, method: Callable[..., Any], *arguments: Any, value: int = 0) -> Revert | None:
        """One transaction that may be refused; the refusal is counted and returned."""
        try:
            self.send(sender, method, *arguments, value=value)
        except Revert as error:
            self.refused[type(error).__name__] += 1
            return error
        return None

    def view(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """What a view answers."""
        return method(self.world.context(person("reader", 0)), *arguments)

    def watch(self, event: type[Event], seen: Callable[[Any], None]) -> None:
        """Have `seen` called with each event of a type, at the end of its block."""
        codec = event_codec(event)
        self._watchers.setdefault(codec.topic0, []).append(lambda log: seen(codec.decode(log.topics, log.data)))

    def block(self, seconds: int = 1) -> None:
        """End the block and begin the next one. Raises Violated."""
        self.machine.end_block(NO_WEI, NO_INFO)
        self._blocks += 1
        self._read_logs()
        self._refuse(self._every_block.check())
        if self._blocks % self._check_every == 0:
            self.check()
        self.last_load, self.load = self.load, Load(0, 0)
        self.world.advance(seconds)

    def check(self) -> None:
        """Raise Violated unless every invariant holds, from scratch, and every wei is accounted for."""
        self._refuse(invariants.check(self.machine.contracts))
        self._refuse(check_total(self.accounts, self.world.total_held()))
        self.full_checks += 1

    def _refuse(self, problems: list[str]) -> None:
        if problems:
            raise Violated(f"after block {self._blocks}: {'; '.join(problems[:5])}")

    def _read_logs(self) -> None:
        failed = event_codec(ScheduledWorkFailed).topic0
        for log in self.world.logs:
            if log.topics[0] == failed:
                raise Violated(f"after block {self._blocks}: work of the protocol failed: {log}")
            for seen in self._watchers.get(log.topics[0], ()):
                seen(log)
        self.world.logs.clear()

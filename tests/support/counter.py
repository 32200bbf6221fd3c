"""A contract and a machine for tests of the chain: every feature of native contracts, nothing of Flux."""

from dataclasses import dataclass
from itertools import islice

from flux.chain.consensus_info import ConsensusInfo, ValidatorUpdate
from flux.chain.params import ChainParams
from flux.chain.ports import Genesis
from flux.kernel.context import SYSTEM_ADDRESS, Block, Context, ContractStorage, Host, World
from flux.kernel.contract import Contract, method, scheduled, view
from flux.kernel.errors import Revert, UnknownMethod
from flux.kernel.events import Event, Indexed
from flux.kernel.schedule import Clock, Schedule
from flux.kernel.storage import Map, State, Value
from flux.primitives import abi
from flux.primitives.keccak import keccak256
from flux.primitives.types import (
    U16,
    U64,
    U256,
    Address,
    ChainTime,
    ConsensusAddress,
    Gas,
    Hash,
    Height,
    Seconds,
    Timestamp,
    Wei,
)

COUNTER = Address(bytes(18) + b"\xc0\x01")
RING = 1
MAX_DUE = 50


class Added(Event, frozen=True):
    """An account counted."""

    account: Indexed[Address]
    total: U64


class Rang(Event, frozen=True):
    """A reminder came due."""

    subject: Indexed[U64]
    at: ChainTime


@dataclass(eq=False)
class TooMuch(Revert):
    """{asked} is more than {most}."""

    asked: U64
    most: U64


@dataclass(eq=False)
class TickedAlready(Revert):
    """{account} has reported in block {height}."""

    account: Address
    height: Height


class CounterState(State):
    """Collections of the counter."""

    total = Value(b"\x01", U64, U64(0))
    counts: Map[Address, U64] = Map(b"\x02", Address, U64)
    notes: Map[Address, str] = Map(b"\x03", Address, str)
    ticks: Map[Address, Height] = Map(b"\x04", Address, Height)
    burned = Value(b"\x05", Wei, Wei(U256(0)))
    items: Map[U64, U64] = Map(b"\x06", U64, U64)
    rung = Value(b"\x07", U64, U64(0))


class Counter(Contract):
    """Counts."""

    name = "Counter"
    address = COUNTER
    events = (Added, Rang)
    errors = (TooMuch, TickedAlready)

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.state = CounterState(host.storage)

    @method(gas=5_000)
    def add(self, ctx: Context, amount: U64) -> U64:
        """Count `amount` for the caller, at most 1,000 at a time; what was written before the check is undone."""
        total = U64((self.state.counts.find(ctx.sender) or 0) + amount)
        self.state.counts.set(ctx.sender, total)
        self.state.total.set(U64(self.state.total.get() + amount))
        self.host.emit(Added(ctx.sender, total))
        if amount > 1_000:
            raise TooMuch(amount, U64(1_000))
        return total

    @method(gas=5_000)
    def note(self, ctx: Context, text: str) -> None:
        """Keep a text for the caller."""
        self.state.notes.set(ctx.sender, text)

    @method(gas=5_000)
    def erase(self, ctx: Context) -> None:
        """Forget what is kept for the caller."""
        self.state.notes.delete(ctx.sender)
        self.state.counts.delete(ctx.sender)

    @method(gas=2_000, lane=True)
    def tick(self, ctx: Context) -> None:
        """Report, once per block."""
        last = self.state.ticks.find(ctx.sender)
        if last is not None and last == ctx.block.height:
            raise TickedAlready(ctx.sender, ctx.block.height)
        self.state.ticks.set(ctx.sender, ctx.block.height)

    @method(gas=3_000, payable=True)
    def deposit(self, ctx: Context) -> None:
        """Leave FLUX here."""

    @method(gas=3_000)
    def withdraw(self, ctx: Context, amount: Wei) -> None:
        """Take FLUX from here. Raises InsufficientBalance."""
        self.host.pay(ctx.sender, amount)

    @method(gas=4_000)
    def remind(self, ctx: Context, delay: Seconds, subject: U64) -> None:
        """Ring `delay` seconds from now."""
        self.host.schedule(ChainTime(U64(ctx.now + delay)), RING, subject)

    @method(gas=50_000)
    def shuffle(self, ctx: Context, start: U64, count: U16) -> U64:
        """Write, delete and walk an ordered collection; the sum of what is left of the first hundred."""
        for number in range(start, start + count):
            self.state.items.set(U64(number), U64(number + ctx.block.height))
        for key, _ in islice(self.state.items.items(), 20):
            if key % 3 == 0:
                self.state.items.delete(key)
        return U64(sum(value for _, value in islice(self.state.items.items(reverse=True), 100)))

    @method(gas=1_000)
    def crash(self, ctx: Context) -> None:
        """A bug."""
        self.state.total.set(U64(1))
        self.state.counts.get(Address(b"nobody counted here!"))

    @scheduled(RING)
    def ring(self, ctx: Context, subject: int) -> None:
        """A reminder. An odd subject above 1,000 fails."""
        self.state.rung.set(U64(self.state.rung.get() + 1))
        self.host.emit(Rang(U64(subject), ctx.now))
        if subject > 1_000 and subject % 2:
            raise TooMuch(U64(subject), U64(1_000))

    @view()
    def count(self, ctx: Context, account: Address) -> U64:
        """What an account counted."""
        return U64(self.state.counts.find(account) or 0)

    @view()
    def time(self, ctx: Context) -> U64:
        """Protocol time."""
        return ctx.now


class CounterMachine:
    """One counter as a whole protocol."""

    def __init__(self, world: World, params: ChainParams) -> None:
        self._world = world
        self._params = params
        self.counter = Counter(Host(world, COUNTER))
        system = ContractStorage(world, SYSTEM_ADDRESS)
        self._clock = Clock(system)
        self._schedule = Schedule(system)

    def chain_params(self) -> ChainParams:
        return self._params

    def all_params(self) -> ChainParams:
        return self._params

    def begin_block(
        self, parent_timestamp: Timestamp, height: Height, timestamp: Timestamp, seed: Hash, producer: Address
    ) -> Block:
        now = self._clock.advance(parent_timestamp, timestamp, self._params.gap_limit)
        return Block(height, timestamp, now, seed, producer)

    def contract_names(self) -> dict[Address, str]:
        return {COUNTER: Counter.name}

    def method_gas(self, target: Address, data: bytes) -> Gas:
        found = Counter.find_method(data)
        return Gas(U64(0 if found is None else found.declaration.gas))

    def is_lane_call(self, target: Address, data: bytes) -> bool:
        found = Counter.find_method(data)
        return found is not None and found.declaration.lane

    def call(self, context: Context, target: Address, data: bytes) -> bytes:
        if target != COUNTER:
            raise UnknownMethod(data[:4])
        return self.counter.call(context, data)

    def end_block(self, burned: Wei, info: ConsensusInfo) -> tuple[ValidatorUpdate, ...]:
        context = Context(SYSTEM_ADDRESS, Wei(U256(0)), self._world.block)
        state = self.counter.state
        if burned:
            state.burned.set(Wei(U256(state.burned.get() + burned)))
        for due in list(islice(self._schedule.ready(context.now), MAX_DUE)):
            self._schedule.remove(due)
            subject, kind = due.subject, due.kind
            self._world.attempt(lambda kind=kind, subject=subject: self.counter.run_scheduled(context, kind, subject))  # type: ignore[misc]
        return tuple(ValidatorUpdate(Hash(vote.validator.ljust(32, b"\0")), vote.power) for vote in info.votes)

    def producer_of(self, proposer: ConsensusAddress) -> Address:
        return Address(bytes(reversed(proposer)))

    def next_due(self) -> Timestamp | None:
        first = self._schedule.first()
        return None if first is None else self._clock.wall(first.time)


def encode(signature: str, *arguments: object) -> bytes:
    """Call data: `encode("add(uint64)", 5)`."""
    kinds = signature[signature.index("(") + 1 : -1]
    return abi.selector(signature) + abi.codec(tuple(kinds.split(",")) if kinds else ()).encode(list(arguments))


def genesis(balances: dict[Address, int], *, chain_id: int, timestamp: int) -> Genesis:
    """Block 0 with funded accounts."""

    def apply(world: World) -> None:
        for address, amount in balances.items():
            world.mint(address, Wei(U256(amount)))

    digest = keccak256(repr((sorted(balances.items()), chain_id, timestamp)).encode())
    return Genesis(chain_id, Timestamp(U64(timestamp)), digest, apply)

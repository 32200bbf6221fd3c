"""Calls that leave no trace: eth_call, gas estimates, and the trial run of a protocol-lane transaction.

Each runs in a World of its own over a view of some height, in the context of that height's block (Ethereum's "latest"),
so it never disturbs the execution of blocks. Safe to use from several threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from flux.chain.block import Header
from flux.chain.call import Call, Outcome, is_lane_call, lane_refusal, run_call, transaction_call
from flux.chain.overlay import Reader
from flux.chain.params import ChainParams
from flux.chain.ports import Machine, MachineFactory
from flux.chain.transaction import Transaction, data_gas, intrinsic_gas
from flux.chain.transaction_errors import EXECUTION_REVERTED, FeeCapTooLow, InsufficientFunds, TransactionError
from flux.chain.world import ChainWorld
from flux.kernel.events import Log
from flux.kernel.record import Record
from flux.primitives.types import U64, U256, Address, ConsensusAddress, Gas, Timestamp, Wei

_NOBODY = Address(bytes(20))
_MARGIN = 16
"""An estimate of a call adds a 16th: what it stores may take a few bytes more by the time that it runs."""


class OutOfGas(TransactionError):
    """The call needs more gas than it may use."""

    words = "out of gas"


class ExecutionReverted(TransactionError):
    """The contract refused; `data` is its custom error."""

    words = "execution reverted"
    code = EXECUTION_REVERTED


class ContractFault(TransactionError):
    """A bug in a contract; the cause is chained."""

    words = "internal error of the contract"


class StateOfBlock(Protocol):
    """The state after a block, as calls read it; `views.StateView` is one."""

    header: Header
    reader: Reader

    def balance(self, address: Address) -> Wei:
        """What an account holds."""
        ...


@dataclass(frozen=True, slots=True)
class CallRequest:
    """What eth_call takes."""

    to: Address
    data: bytes = b""
    sender: Address = _NOBODY
    value: Wei = Wei(U256(0))  # noqa: RUF009 - an immutable integer
    gas: Gas | None = None
    """Most gas to use; the chain's limit for calls when None or above it."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call did."""

    return_data: bytes
    gas_used: Gas
    revert_data: bytes | None
    """The custom error when the contract refused; None when it succeeded."""
    logs: list[Log]


class _Bench(NamedTuple):
    """A World with the contracts bound to it."""

    world: ChainWorld
    machine: Machine
    contracts: frozenset[Address]


class Simulator:
    """Runs calls under the parameters of the state they read; keeps Worlds and their contracts for the next calls."""

    def __init__(self, machine_factory: MachineFactory) -> None:
        self._factory = machine_factory
        self._idle: list[_Bench] = []

    def call(self, view: StateOfBlock, request: CallRequest) -> CallResult:
        """Run a call in the context of the view's block. Raises OutOfGas, InsufficientFunds or ContractFault."""
        with self._bench(view) as bench:
            return _call(bench, view, request)

    def estimate(self, view: StateOfBlock, request: CallRequest) -> Gas:
        """A gas limit with which the transaction would succeed now. Raises ExecutionReverted and what `call` raises."""
        with self._bench(view) as bench:
            least = bench.machine.chain_params().gas_intrinsic
            result = _call(bench, view, request)
        if result.revert_data is not None:
            raise ExecutionReverted(data=result.revert_data)
        if result.gas_used <= least:
            return result.gas_used
        return Gas(U64(result.gas_used + result.gas_used // _MARGIN))

    def check_lane(self, view: StateOfBlock, transaction: Transaction) -> None:
        """Raise FeeCapTooLow if a free transaction is no protocol-lane call, LaneRefused if it would fail now."""
        with self._bench(view) as bench:
            if not is_lane_call(bench.machine, bench.contracts, transaction):
                raise FeeCapTooLow(f"maxFeePerGas: 0, baseFee: {view.header.base_fee}")
            params = bench.machine.chain_params()
            outcome, _ = _run(bench, params, transaction_call(transaction, intrinsic_gas(transaction, params)))
        if outcome.revert_data is not None:
            raise lane_refusal(outcome)

    def next_due(self, view: StateOfBlock) -> Timestamp | None:
        """Header time of the earliest scheduled work in a state."""
        with self._bench(view) as bench:
            return bench.machine.next_due()

    def producer_of(self, view: StateOfBlock, proposer: ConsensusAddress) -> Address:
        """Who receives the tips of a validator's block, by a state."""
        with self._bench(view) as bench:
            return bench.machine.producer_of(proposer)

    def chain_params(self, view: StateOfBlock) -> ChainParams:
        """What the block after a state is made under."""
        with self._bench(view) as bench:
            return bench.machine.chain_params()

    def all_params(self, view: StateOfBlock) -> Record:
        """Every parameter that a state sets."""
        with self._bench(view) as bench:
            return bench.machine.all_params()

    @contextmanager
    def _bench(self, view: StateOfBlock) -> Iterator[_Bench]:
        """A World over the view, in the context of its block."""
        try:
            bench = self._idle.pop()
            bench.world.rebase(view.reader)
        except IndexError:
            world = ChainWorld(view.reader)
            machine = self._factory(world)
            bench = _Bench(world, machine, frozenset(machine.contract_names()))
        header = view.header
        bench.world.block = bench.machine.begin_block(
            header.timestamp, header.number, header.timestamp, header.seed, header.producer
        )
        bench.world.take_logs()
        try:
            yield bench
        finally:
            self._idle.append(bench)


def _call(bench: _Bench, view: StateOfBlock, request: CallRequest) -> CallResult:
    params = bench.machine.chain_params()
    limit = params.call_gas_limit
    gas = limit if request.gas is None else Gas(U64(min(request.gas, limit)))
    if view.balance(request.sender) < request.value:
        raise InsufficientFunds(f"have {view.balance(request.sender)} want {request.value}")
    intrinsic = data_gas(request.data, params)
    call = Call(request.sender, request.to, request.value, request.data, gas, intrinsic)
    outcome, logs = _run(bench, params, call)
    if outcome.fault is not None:
        raise ContractFault(repr(outcome.fault)) from outcome.fault
    if outcome.revert_data == b"":
        raise OutOfGas(f"gas {gas}; raise the gas limit of the call")
    return CallResult(outcome.output, outcome.gas_used, outcome.revert_data, logs)


def _run(bench: _Bench, params: ChainParams, call: Call) -> tuple[Outcome, list[Log]]:
    if call.to not in bench.contracts:
        return Outcome(call.intrinsic, b"", None if call.intrinsic <= call.gas_limit else b""), []
    return run_call(bench.world, bench.machine, params, call), bench.world.take_logs()

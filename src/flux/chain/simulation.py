"""Calls that leave no trace: eth_call, gas estimates, and the trial run of a protocol-lane transaction.

Each runs in a World of its own over a view of some height, in the context of that height's block (Ethereum's "latest"),
so it never disturbs the execution of blocks. Safe to use from several threads.
"""

from dataclasses import dataclass

from flux.chain.call import Call, Outcome, is_lane_call, lane_refusal, run_call, transaction_call
from flux.chain.params import ChainParams
from flux.chain.ports import Machine, MachineFactory
from flux.chain.transaction import Transaction, data_gas, intrinsic_gas
from flux.chain.transaction_errors import EXECUTION_REVERTED, FeeCapTooLow, InsufficientFunds, TransactionError
from flux.chain.views import StateView
from flux.chain.world import ChainWorld
from flux.kernel.events import Log
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


class Simulator:
    """Runs calls; keeps a few Worlds, with the contracts bound to them, for the next calls."""

    def __init__(self, machine_factory: MachineFactory, params: ChainParams) -> None:
        self._factory = machine_factory
        self._params = params
        self._idle: list[tuple[ChainWorld, Machine, frozenset[Address]]] = []

    def call(self, view: StateView, request: CallRequest) -> CallResult:
        """Run a call in the context of the view's block. Raises OutOfGas, InsufficientFunds or ContractFault."""
        limit = self._params.call_gas_limit
        gas = limit if request.gas is None else Gas(U64(min(request.gas, limit)))
        intrinsic = data_gas(request.data, self._params)
        if view.balance(request.sender) < request.value:
            raise InsufficientFunds(f"have {view.balance(request.sender)} want {request.value}")
        call = Call(request.sender, request.to, request.value, request.data, gas, intrinsic)
        outcome, logs = self._run(view, call)
        if outcome.fault is not None:
            raise ContractFault(repr(outcome.fault)) from outcome.fault
        if outcome.revert_data == b"":
            raise OutOfGas(f"gas {gas}; raise the gas limit of the call")
        return CallResult(outcome.output, outcome.gas_used, outcome.revert_data, logs)

    def estimate(self, view: StateView, request: CallRequest) -> Gas:
        """A gas limit with which the transaction would succeed now. Raises ExecutionReverted and what `call` raises."""
        result = self.call(view, request)
        if result.revert_data is not None:
            raise ExecutionReverted(data=result.revert_data)
        if result.gas_used <= self._params.gas_intrinsic:
            return result.gas_used
        return Gas(U64(result.gas_used + result.gas_used // _MARGIN))

    def check_lane(self, view: StateView, transaction: Transaction) -> None:
        """Raise FeeCapTooLow if a free transaction is no protocol-lane call, LaneRefused if it would fail now."""
        world, machine, contracts = self._take(view)
        is_lane = is_lane_call(machine, contracts, transaction)
        self._idle.append((world, machine, contracts))
        if not is_lane:
            raise FeeCapTooLow(f"maxFeePerGas: 0, baseFee: {view.header.base_fee}")
        intrinsic = intrinsic_gas(transaction, self._params)
        outcome, _ = self._run(view, transaction_call(transaction, intrinsic))
        if outcome.revert_data is not None:
            raise lane_refusal(outcome)

    def next_due(self, view: StateView) -> Timestamp | None:
        """Header time of the earliest scheduled work in a state."""
        world, machine, contracts = self._take(view)
        try:
            return machine.next_due()
        finally:
            self._idle.append((world, machine, contracts))

    def producer_of(self, view: StateView, proposer: ConsensusAddress) -> Address:
        """Who receives the tips of a validator's block, by a state."""
        world, machine, contracts = self._take(view)
        try:
            return machine.producer_of(proposer)
        finally:
            self._idle.append((world, machine, contracts))

    def _run(self, view: StateView, call: Call) -> tuple[Outcome, list[Log]]:
        world, machine, contracts = self._take(view)
        try:
            header = view.header
            world.block = machine.begin_block(
                header.timestamp, header.number, header.timestamp, header.seed, header.producer
            )
            world.take_logs()
            if call.to not in contracts:
                enough = call.intrinsic <= call.gas_limit
                return Outcome(call.intrinsic, b"", None if enough else b""), []
            return run_call(world, machine, self._params, call), world.take_logs()
        finally:
            self._idle.append((world, machine, contracts))

    def _take(self, view: StateView) -> tuple[ChainWorld, Machine, frozenset[Address]]:
        try:
            world, machine, contracts = self._idle.pop()
            world.rebase(view.reader)
        except IndexError:
            world = ChainWorld(view.reader)
            machine = self._factory(world)
            contracts = frozenset(machine.contract_names())
        return world, machine, contracts

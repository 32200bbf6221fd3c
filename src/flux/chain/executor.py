"""Running a block's transactions: validity against state, execution, gas, fees, receipts.

Gas of a call is what is charged before any work (`intrinsic_gas`), the method's declared gas, and a price per byte that
it leaves in storage. A call that reverts or runs out of gas costs gas and changes nothing else. The base fee is burned,
the rest is the producer's. A free transaction is valid only as a protocol-lane call that succeeds.
"""

from dataclasses import dataclass

from flux.chain import fees
from flux.chain.block import Header
from flux.chain.call import Outcome, check_gas_limit, is_lane_call, lane_refusal, run_call, transaction_call
from flux.chain.consensus_info import NO_INFO, ConsensusInfo, ValidatorUpdate
from flux.chain.params import ChainParams
from flux.chain.ports import Machine
from flux.chain.receipt import Receipt, make_receipt
from flux.chain.system_transaction import system_transaction
from flux.chain.transaction import Transaction, intrinsic_gas
from flux.chain.transaction_errors import (
    FeeCapTooLow,
    InsufficientFunds,
    IntrinsicGasTooLow,
    NonceTooHigh,
    NonceTooLow,
    OversizedData,
    TransactionError,
)
from flux.chain.world import ChainWorld
from flux.kernel.events import Log
from flux.primitives.bloom import EMPTY_BLOOM
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, Address, Gas, Hash, Height, Timestamp, Wei

_SEED_DOMAIN = b"flux block seed"


class BlockFull(TransactionError):
    """A transaction that is valid but has no room in this block; it may be in the next."""

    words = "exceeds block gas limit"


@dataclass(frozen=True, slots=True)
class Fault:
    """A bug in a contract that a transaction ran into."""

    transaction: Hash
    error: Exception


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """All that a header needs but the state root."""

    transactions: tuple[Transaction, ...]
    """As included, the system transaction last."""
    receipts: list[Receipt]
    gas_used: Gas
    excess_gas: Gas
    base_fee: Wei
    seed: Hash
    faults: list[Fault]
    validator_updates: tuple[ValidatorUpdate, ...]
    params: ChainParams
    """What it was executed under."""


class Executor:
    """Executes blocks in one World. One block at a time: `begin`, `execute` each transaction, `finish`."""

    def __init__(self, world: ChainWorld, machine: Machine) -> None:
        self._world = world
        self._machine = machine
        self._contracts = frozenset(machine.contract_names())

    def begin(self, parent: Header, timestamp: Timestamp, producer: Address, info: ConsensusInfo = NO_INFO) -> None:
        """Enter the block after `parent`, under the parameters that its state sets. Raises UpgradeRequired."""
        params = self._params = self._machine.chain_params()
        self._parent = parent
        self._producer = producer
        self._info = info
        self._number = Height(U64(parent.number + 1))
        self._seed = keccak256(_SEED_DOMAIN + parent.hash)
        self._excess = fees.starting_excess(parent.excess_gas, parent.timestamp, timestamp, params)
        self._base_fee = fees.base_fee(self._excess, params)
        self._gas_left = int(params.block_gas_limit)
        self._lane_gas_left = int(params.lane_gas_limit)
        self._bytes_left = int(params.max_block_bytes)
        self._gas_used = 0
        self._paid_gas = 0
        self._tips = 0
        self._transactions: list[Transaction] = []
        self._receipts: list[Receipt] = []
        self._faults: list[Fault] = []
        self._world.block = self._machine.begin_block(parent.timestamp, self._number, timestamp, self._seed, producer)
        self._system_logs = self._world.take_logs()

    def execute(self, transaction: Transaction) -> None:
        """Include a transaction. Raises a TransactionError, and then nothing has changed."""
        world, base_fee, gas_limit = self._world, self._base_fee, transaction.gas_limit
        sender = transaction.sender or transaction.recover()
        nonce, balance = world.account(sender)
        is_call = transaction.to in self._contracts
        is_lane = transaction.max_fee == 0 and is_lane_call(self._machine, self._contracts, transaction)
        intrinsic = intrinsic_gas(transaction, self._params)
        self._check(transaction, nonce, balance, intrinsic, is_lane=is_lane)
        if is_lane:
            self._execute_lane(transaction, sender, (nonce, balance), intrinsic)
            return
        price = min(transaction.max_fee, base_fee + transaction.max_priority_fee)
        if is_call:
            world.put_account(sender, (nonce + 1, balance - gas_limit * price))
            outcome = run_call(world, self._machine, self._params, transaction_call(transaction, intrinsic))
            gas_used = outcome.gas_used
            self._refund(sender, (gas_limit - gas_used) * price)
            logs = tuple(world.take_logs())
            receipt = self._receipt(transaction, outcome, price, logs)
            if outcome.fault is not None:
                self._faults.append(Fault(transaction.hash, outcome.fault))
        else:
            gas_used = intrinsic
            world.put_account(sender, (nonce + 1, balance - gas_used * price - transaction.value))
            world.mint(transaction.to, transaction.value)
            cumulative = Gas(U64(self._gas_used + gas_used))
            receipt = Receipt(True, cumulative, gas_used, (), EMPTY_BLOOM, transaction.type, Wei(U256(price)), b"")
        self._paid_gas += gas_used
        self._gas_left -= gas_limit
        self._tips += gas_used * (price - base_fee)
        self._include(transaction, receipt)

    def finish(self) -> ExecutedBlock:
        """Pay the producer, run the protocol's own work, close the block with the system transaction."""
        world = self._world
        world.mint(self._producer, Wei(U256(self._tips)))
        updates = self._machine.end_block(Wei(U256(self._paid_gas * self._base_fee)), self._info)
        self._transactions.append(system_transaction(self._number, self._parent.hash, self._info))
        self._receipts.append(
            make_receipt(
                succeeded=True,
                cumulative_gas_used=Gas(U64(self._gas_used)),
                gas_used=Gas(U64(0)),
                logs=self._system_logs + world.take_logs(),
                transaction_type=0,
                effective_gas_price=Wei(U256(0)),
            )
        )
        return ExecutedBlock(
            tuple(self._transactions),
            self._receipts,
            Gas(U64(self._gas_used)),
            fees.accumulated(self._excess, Gas(U64(self._paid_gas)), self._params),
            self._base_fee,
            self._seed,
            self._faults,
            updates,
            self._params,
        )

    def _check(self, transaction: Transaction, nonce: int, balance: int, intrinsic: Gas, *, is_lane: bool) -> None:
        if transaction.nonce != nonce:
            error = NonceTooLow if transaction.nonce < nonce else NonceTooHigh
            raise error(f"next nonce {nonce}, tx nonce {transaction.nonce}")
        gas_limit = transaction.gas_limit
        if gas_limit < intrinsic:
            raise IntrinsicGasTooLow(f"gas {gas_limit}, minimum needed {intrinsic}")
        if not is_lane:
            if transaction.max_fee < self._base_fee:
                raise FeeCapTooLow(f"maxFeePerGas: {transaction.max_fee}, baseFee: {self._base_fee}")
            cost = gas_limit * transaction.max_fee + transaction.value
            if balance < cost:
                raise InsufficientFunds(f"have {balance} want {cost}, short of {cost - balance}")
        check_gas_limit(transaction, self._params, is_lane=is_lane)
        if gas_limit > (self._lane_gas_left if is_lane else self._gas_left):
            raise BlockFull(f"gas {gas_limit} does not fit this block")
        size = len(transaction.raw)
        if size > self._bytes_left:
            if size > self._params.max_transaction_bytes:
                raise OversizedData(f"transaction size {size}, limit {self._params.max_transaction_bytes}")
            raise BlockFull(f"{size} bytes do not fit this block")

    def _execute_lane(
        self, transaction: Transaction, sender: Address, account: tuple[int, int], intrinsic: Gas
    ) -> None:
        world = self._world
        mark = world.begin()
        try:
            world.put_account(sender, (account[0] + 1, account[1]))
            outcome = run_call(world, self._machine, self._params, transaction_call(transaction, intrinsic))
            if outcome.revert_data is not None:
                world.undo(mark)
                raise lane_refusal(outcome)
        finally:
            world.end()
        self._lane_gas_left -= transaction.gas_limit
        self._include(transaction, self._receipt(transaction, outcome, 0, tuple(world.take_logs())))

    def _refund(self, sender: Address, amount: int) -> None:
        if amount:
            nonce, balance = self._world.account(sender)
            self._world.put_account(sender, (nonce, balance + amount))

    def _receipt(self, transaction: Transaction, outcome: Outcome, price: int, logs: tuple[Log, ...]) -> Receipt:
        return make_receipt(
            succeeded=outcome.revert_data is None,
            cumulative_gas_used=Gas(U64(self._gas_used + outcome.gas_used)),
            gas_used=outcome.gas_used,
            logs=logs,
            transaction_type=transaction.type,
            effective_gas_price=Wei(U256(price)),
            revert_data=outcome.revert_data or b"",
        )

    def _include(self, transaction: Transaction, receipt: Receipt) -> None:
        self._gas_used += receipt.gas_used
        self._bytes_left -= len(transaction.raw)
        self._transactions.append(transaction)
        self._receipts.append(receipt)

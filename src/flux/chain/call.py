"""One call of a contract: value moved, method run, gas counted; what fails leaves no trace. Fees are the executor's."""

from collections.abc import Container
from dataclasses import dataclass

from flux.chain.params import ChainParams
from flux.chain.ports import Machine
from flux.chain.transaction import Transaction
from flux.chain.transaction_errors import GasLimitExceeded, LaneRefused
from flux.chain.world import ChainWorld
from flux.kernel.context import Context
from flux.kernel.errors import Revert
from flux.kernel.revert_data import encode_error
from flux.primitives.types import U64, Address, Gas, Wei

CONTRACT_FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What a bug in a contract may raise. Such a call fails as if out of gas, alike on every machine, and is reported: one
transaction must not be able to stop the chain."""

LANE_CALL_GAS = Gas(U64(5_000_000))
"""Most gas of one free transaction. It costs nothing to ask for gas, so few could fill the lane of every block."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call did, before fees."""

    gas_used: Gas
    output: bytes
    revert_data: bytes | None
    """None when it succeeded; empty when it ran out of gas."""
    fault: Exception | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract, its intrinsic gas already known."""

    sender: Address
    to: Address
    value: Wei
    data: bytes
    gas_limit: Gas
    intrinsic: Gas


def transaction_call(transaction: Transaction, intrinsic: Gas) -> Call:
    """The call that a transaction makes."""
    return Call(
        transaction.recover(), transaction.to, transaction.value, transaction.data, transaction.gas_limit, intrinsic
    )


def run_call(world: ChainWorld, machine: Machine, params: ChainParams, call: Call) -> Outcome:
    """Move the value and run the contract, without any fee. What fails leaves no trace in the world."""
    charged = call.intrinsic + machine.method_gas(call.to, call.data)
    if charged > call.gas_limit:
        return Outcome(call.gas_limit, b"", b"")
    mark = world.begin()
    try:
        world.transfer(call.sender, call.to, call.value)
        output = machine.call(Context(call.sender, call.value, world.block), call.to, call.data)
        charged += world.written_bytes(mark) * params.gas_stored_byte
        if charged <= call.gas_limit:
            return Outcome(Gas(U64(charged)), output, None)
        world.undo(mark)
        return Outcome(call.gas_limit, b"", b"")
    except Revert as revert:
        world.undo(mark)
        return Outcome(Gas(U64(charged)), b"", encode_error(revert))
    except CONTRACT_FAULTS as error:
        world.undo(mark)
        return Outcome(call.gas_limit, b"", b"", error)
    finally:
        world.end()


def check_gas_limit(transaction: Transaction, params: ChainParams, *, is_lane: bool) -> None:
    """Raise GasLimitExceeded for more gas than any block has for such a transaction."""
    limit = min(params.lane_gas_limit, LANE_CALL_GAS) if is_lane else params.block_gas_limit
    if transaction.gas_limit > limit:
        raise GasLimitExceeded(f"gas {transaction.gas_limit}, limit {limit}; lower the gas limit")


def is_lane_call(machine: Machine, contracts: Container[Address], transaction: Transaction) -> bool:
    """Whether a transaction without fee is a protocol-lane call, and so may be valid.

    An access list would be kept for ever, and nobody would have paid for it.
    """
    return (
        transaction.value == 0
        and not transaction.access_list
        and transaction.to in contracts
        and machine.is_lane_call(transaction.to, transaction.data)
    )


def lane_refusal(outcome: Outcome) -> LaneRefused:
    """Why a free call is not included."""
    if outcome.revert_data:
        return LaneRefused(data=outcome.revert_data)
    return LaneRefused("out of gas; raise the gas limit, it costs nothing" if outcome.fault is None else "internal")

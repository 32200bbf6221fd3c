"""The base fee: an exponential of the gas used above target, per second rather than per block.

Blocks may come milliseconds apart, so each header carries an accumulator of excess gas: paid gas adds to it, each
second of block time takes the target off. The curve is EIP-4844's `fake_exponential`, in integers.
"""

from flux.chain.params import ChainParams
from flux.primitives.types import U64, U256, Gas, Seconds, Timestamp, Wei

MAX_EXPONENT = 64
"""Excess is held below this many update fractions: e**64 times the minimum is more than anybody can pay, and the series
stays short."""


def fake_exponential(factor: int, numerator: int, denominator: int) -> int:
    """About factor * e ** (numerator / denominator), by Taylor's series (EIP-4844)."""
    term = factor * denominator
    total = 0
    step = 1
    while term > 0:
        total += term
        term = term * numerator // (denominator * step)
        step += 1
    return total // denominator


def base_fee(excess: Gas, params: ChainParams) -> Wei:
    """Wei per gas that every paying transaction burns, in a block that begins with this excess."""
    return Wei(U256(fake_exponential(params.min_base_fee, excess, params.base_fee_update_fraction)))


def decayed(excess: Gas, elapsed: Seconds, params: ChainParams) -> Gas:
    """The excess with which a block begins, `elapsed` seconds after its parent ended with `excess`.

    The parent may have been made under a larger update fraction, so what it left is bounded again.
    """
    return Gas(U64(max(0, _bounded(excess, params) - elapsed * params.gas_target_per_second)))


def accumulated(excess: Gas, paid_gas: Gas, params: ChainParams) -> Gas:
    """The excess with which a block ends, for its header; `paid_gas` leaves the protocol lane's gas out."""
    return Gas(U64(_bounded(excess + paid_gas, params)))


def starting_excess(parent_excess: Gas, parent_time: Timestamp, timestamp: Timestamp, params: ChainParams) -> Gas:
    """The excess with which the block at `timestamp` begins, from its parent's header."""
    return decayed(parent_excess, Seconds(U64(timestamp - parent_time)), params)


def _bounded(excess: int, params: ChainParams) -> int:
    return min(excess, params.base_fee_update_fraction * MAX_EXPONENT)

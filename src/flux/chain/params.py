"""Parameters of the chain itself: block limits, fees, gas prices. Genesis sets them, governance changes them."""

from flux.kernel.record import Record
from flux.primitives.types import U16, U32, U64, Gas, Seconds, Wei


class ChainParams(Record, frozen=True):
    """Every number that block production and validation use."""

    block_gas_limit: Gas
    """Gas of paying transactions in one block."""
    lane_gas_limit: Gas
    """Gas of protocol-lane transactions in one block, on top of the block gas limit."""
    max_block_bytes: U32
    max_transaction_bytes: U32
    min_base_fee: Wei
    """Wei per gas."""
    gas_target_per_second: Gas
    """Use above it raises the base fee, use below lowers it."""
    base_fee_update_fraction: U64
    """Excess gas that raises the base fee by a factor of e (EIP-4844's update fraction)."""
    gap_limit: Seconds
    """A longer step between two blocks is a gap: protocol time stands still in it."""
    gas_intrinsic: U32
    """Per transaction."""
    gas_zero_byte: U16
    """Per zero byte of call data."""
    gas_nonzero_byte: U16
    gas_access_address: U16
    """Per address of an access list (EIP-2930)."""
    gas_access_slot: U16
    """Per slot of an access list."""
    gas_stored_byte: U16
    """Per byte of key and value that a transaction writes to contract storage."""
    call_gas_limit: Gas
    """Most gas of one eth_call or gas estimate."""

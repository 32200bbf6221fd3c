"""Domain integers and byte strings. Every amount, height, time and identity in Flux is one of these, never a bare int.

The fixed-width names decide the Ethereum ABI type (kernel/abi_types.py follows a NewType down to one of them).
"""

from typing import NewType

U8 = NewType("U8", int)
U16 = NewType("U16", int)
U32 = NewType("U32", int)
U48 = NewType("U48", int)
U64 = NewType("U64", int)
U128 = NewType("U128", int)
U256 = NewType("U256", int)

Wei = NewType("Wei", U256)
"""An amount of FLUX in its smallest unit; 10**18 Wei = 1 FLUX."""
Gas = NewType("Gas", U64)
Height = NewType("Height", U64)
"""Block number; genesis is 0."""
Nonce = NewType("Nonce", U64)
Timestamp = NewType("Timestamp", U64)
"""Unix seconds as in a block header (wall time)."""
ChainTime = NewType("ChainTime", U64)
"""Seconds of protocol time: header time minus every gap (DESIGN: gap rule). Deadlines and accrual use only this."""
Seconds = NewType("Seconds", U64)
"""A duration."""

Bytes1 = NewType("Bytes1", bytes)
Bytes4 = NewType("Bytes4", bytes)
"""A selector, or the id of an interface (ERC-165)."""
Address = NewType("Address", bytes)
"""20 bytes."""
ConsensusAddress = NewType("ConsensusAddress", Address)
"""20 bytes: how the consensus engine names a validator, the first of SHA-256 of its ed25519 key."""
Hash = NewType("Hash", bytes)
"""32 bytes (keccak-256, or any other 32-byte commitment)."""

WEI_PER_FLUX = 10**18
WEI_PER_GWEI = 10**9


def flux(amount: int) -> Wei:
    """Whole FLUX as Wei."""
    return Wei(U256(amount * WEI_PER_FLUX))


NO_WEI = Wei(U256(0))

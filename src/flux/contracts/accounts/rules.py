"""Pure decisions of the accounts contract."""

from flux.contracts.addresses import TREASURY
from flux.primitives.address import ADDRESS_SIZE, ZERO_ADDRESS
from flux.primitives.types import U256, Address, Wei

RESERVED_PREFIX = bytes(ADDRESS_SIZE - 2)
"""Addresses that begin with 18 zero bytes belong to the protocol (and to Ethereum's precompiles)."""
UNLIMITED = 2**256 - 1
"""An allowance that transfers do not lower, as ERC-20 tokens treat it."""


def can_receive(recipient: Address) -> bool:
    """Whether a transfer may go there.

    A contract's balance is what its books say, so FLUX reaches one only through its payable methods; the treasury
    keeps no books.
    """
    return recipient == TREASURY or not recipient.startswith(RESERVED_PREFIX)


def can_spend(spender: Address) -> bool:
    """Whether an allowance may name this spender (ERC-6093 refuses the zero address)."""
    return spender != ZERO_ADDRESS


def exceeds_cap(minted: Wei, burned: Wei, amount: Wei, cap: Wei) -> bool:
    """Whether minting `amount` more would pass the hard cap of minted − burned."""
    return minted - burned + amount > cap


def allowance_left(allowance: Wei, value: Wei) -> Wei:
    """The allowance after a transfer of `value`, which must not exceed it."""
    return allowance if allowance == UNLIMITED else Wei(U256(allowance - value))

"""Storage of the accounts contract. Balances themselves are native and live in the account trie."""

from flux.kernel.storage import Map, State, Value, pair
from flux.primitives.types import NO_WEI, Address, Wei


class AccountsState(State):
    """Supply counters and ERC-20 allowances."""

    minted = Value(b"\x01", Wei, NO_WEI)
    burned = Value(b"\x02", Wei, NO_WEI)
    allowances = Map(b"\x03", pair(Address, Address), Wei)
    """(owner, spender) → wei."""

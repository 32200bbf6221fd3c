"""Storage of the escrow."""

from flux.contracts.apps.types import AppId
from flux.contracts.escrow.types import Accrual, EscrowAccount
from flux.contracts.market.types import LeaseId
from flux.contracts.nodes.types import NodeId
from flux.kernel.storage import Map, OrderedSet, State, Value, pair
from flux.primitives.types import U64, U256, ChainTime, Wei


class EscrowState(State):
    """Accounts, the leases that each one pays, and what each node was paid."""

    accounts = Map(b"\x01", AppId, EscrowAccount)
    accruals = Map(b"\x02", pair(AppId, LeaseId), Accrual)
    earned = Map(b"\x03", NodeId, Wei)
    """Paid so far for the node, fee excluded."""
    by_index = OrderedSet(b"\x04", pair(U256, AppId))
    """Accounts with leases in dollars, by the reading of the meter at which they are looked at."""
    wake_at = Value(b"\x05", ChainTime, ChainTime(U64(0)))
    """When the meter reaches the first of these, at its present pace. Scheduled; 0 for never."""

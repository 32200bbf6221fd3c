"""Storage of the escrow."""

from flux.contracts.apps.types import AppId
from flux.contracts.escrow.types import Accrual, EscrowAccount
from flux.contracts.market.types import LeaseId
from flux.contracts.nodes.types import NodeId
from flux.kernel.storage import Map, State, pair
from flux.primitives.types import Wei


class EscrowState(State):
    """Accounts, the leases that each one pays, and what each node was paid."""

    accounts = Map(b"\x01", AppId, EscrowAccount)
    accruals = Map(b"\x02", pair(AppId, LeaseId), Accrual)
    earned = Map(b"\x03", NodeId, Wei)
    """Paid so far for the node, fee excluded."""

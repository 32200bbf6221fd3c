"""Storage of the staking contract."""

from flux.contracts.nodes.types import NodeId
from flux.contracts.staking.types import Batch, Move, Pool, Position, Shares
from flux.kernel.storage import Map, State, pair, triple
from flux.primitives.types import Address, ChainTime, Wei


class StakingState(State):
    """Pools by node, positions by account, and what is on its way out."""

    pools = Map(b"\x01", NodeId, Pool)
    positions = Map(b"\x02", pair(Address, NodeId), Position)
    batches = Map(b"\x03", pair(NodeId, ChainTime), Batch)
    """By the time at which they begin to unbond."""
    entries = Map(b"\x04", triple(Address, NodeId, ChainTime), Shares)
    """Units of an account in a batch."""
    moves = Map(b"\x05", pair(Address, NodeId), Move)
    """By the position that the stake moved to; at most one each."""
    powers = Map(b"\x06", Address, Wei)
    """Sum of `power` over an account's positions."""
    slashed = Map(b"\x07", NodeId, ChainTime)
    """When stake of a node was last destroyed."""

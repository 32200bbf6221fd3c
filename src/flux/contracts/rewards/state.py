"""Storage of the rewards contract."""

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch
from flux.contracts.rewards.types import Claim, NodeRewards, OpenEpoch, Rates
from flux.kernel.storage import Map, State, Value, pair
from flux.primitives.types import NO_WEI, U64, Address, ChainTime, Seconds, Wei

_NEVER = ChainTime(U64(0))
_NONE = OpenEpoch(Epoch(U64(0)), Seconds(U64(0)), NO_WEI, (U64(0),) * 3, (U64(0),) * 3)


class RewardsState(State):
    """The budget, what epochs pay, and what is owed."""

    pool = Value(b"\x01", Wei, NO_WEI)
    began = Value(b"\x02", ChainTime, _NEVER)
    until = Value(b"\x03", ChainTime, _NEVER)
    """End of the last epoch that is over."""
    unearned = Value(b"\x04", Wei, NO_WEI)
    minted = Value(b"\x05", Wei, NO_WEI)
    open = Value(b"\x06", OpenEpoch, _NONE)
    rates = Map(b"\x07", Epoch, Rates)
    nodes = Map(b"\x08", NodeId, NodeRewards)
    claims = Map(b"\x09", pair(Address, NodeId), Claim)

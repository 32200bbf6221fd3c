"""Storage of the oracle."""

from flux.contracts.nodes.types import NodeId
from flux.contracts.oracle.types import Feeder, FollowedAsk, Leaving, Price, UsdPrice
from flux.kernel.storage import Map, State, Value
from flux.primitives.types import U32, U64, Address, ChainTime

NO_PRICE = Price(UsdPrice(U64(0)), ChainTime(U64(0)), True)


class OracleState(State):
    """Feeders, their last reports, and the price."""

    feeders: Map[Address, Feeder] = Map(b"\x01", Address, Feeder)
    last_feeder = Value(b"\x02", U32, U32(0))
    price = Value(b"\x03", Price, NO_PRICE)
    usd_asks: Map[NodeId, FollowedAsk] = Map(b"\x05", NodeId, FollowedAsk)
    """Nodes whose ask follows the dollar."""
    applied = Value(b"\x06", UsdPrice, UsdPrice(U64(0)))
    """Price at which they were last turned into FLUX, or are being."""
    leaving: Map[U32, Leaving] = Map(b"\x04", U32, Leaving)
    """Bonds on their way back, by number of the feeder."""

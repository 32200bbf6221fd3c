"""Storage of the oracle."""

from flux.contracts.oracle.types import Feeder, Leaving, Meter, Price, UsdPrice
from flux.kernel.storage import Map, State, Value
from flux.primitives.types import U32, U64, U256, Address, ChainTime

NO_PRICE = Price(UsdPrice(U64(0)), ChainTime(U64(0)), True)
NO_METER = Meter(ChainTime(U64(0)), U256(0), U256(0))


class OracleState(State):
    """Feeders, their last reports, and the price."""

    feeders: Map[Address, Feeder] = Map(b"\x01", Address, Feeder)
    last_feeder = Value(b"\x02", U32, U32(0))
    price = Value(b"\x03", Price, NO_PRICE)
    meter = Value(b"\x07", Meter, NO_METER)
    """As of the last change of the price."""
    readings: Map[ChainTime, Meter] = Map(b"\x08", ChainTime, Meter)
    """As of each change of the last `meter_history`, and of the one before."""
    leaving: Map[U32, Leaving] = Map(b"\x04", U32, Leaving)
    """Bonds on their way back, by number of the feeder."""

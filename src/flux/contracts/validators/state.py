"""Storage of the validators contract."""

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch
from flux.contracts.validators.types import EpochWork, Key, Mix, Seat, Tally, Validator
from flux.kernel.storage import Map, OrderedSet, State, Value, pair
from flux.primitives.types import U16, U64, ChainTime, ConsensusAddress, Hash

NO_MIX = Mix(Hash(bytes(32)), U16(0))
_NO_TALLY = Tally(U64(0), ())


class ValidatorsState(State):
    """Collections by prefix."""

    keys = Map(b"\x01", ConsensusAddress, Key)
    """Also of validators that left, until evidence against them would be too old."""
    seats = Map(b"\x02", ConsensusAddress, Seat)
    """The validator set."""
    validators = Map(b"\x03", NodeId, Validator)
    """Nodes that opted in."""
    touched = Map(b"\x04", ConsensusAddress, Seat)
    """Seats changed in this block as they were before it, power 0 for none; empty between blocks."""
    change_left = Value(b"\x05", U64, U64(0))
    """Power that may still change in this epoch."""
    tally = Value(b"\x06", Tally, _NO_TALLY)
    """One value: every block changes all counts."""
    work = Map(b"\x07", Epoch, EpochWork)
    mix = Value(b"\x08", Mix, NO_MIX)
    epoch = Value(b"\x09", Epoch, Epoch(U64(0)))
    """The present one, as the probes count."""
    retired = OrderedSet(b"\x0a", pair(ChainTime, ConsensusAddress))
    """Keys to forget, by when they retired."""
    chain_id = Value(b"\x0b", U64, U64(0))

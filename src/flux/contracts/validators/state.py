"""Storage of the validators contract."""

from flux.contracts.validators.types import Key, Seat
from flux.kernel.storage import Map, State
from flux.primitives.types import ConsensusAddress


class ValidatorsState(State):
    """Collections by prefix."""

    keys = Map(b"\x01", ConsensusAddress, Key)
    seats = Map(b"\x02", ConsensusAddress, Seat)
    """The validator set."""

"""Storage of the votes contract."""

from flux.contracts.votes.types import Checkpoint, Holding, Unlock
from flux.kernel.storage import Map, State, Value, pair
from flux.primitives.types import U64, U256, Address, ChainTime


class VotesState(State):
    """Holdings, delegations, and power over time."""

    holdings: Map[Address, Holding] = Map(b"\x01", Address, Holding)
    delegates: Map[Address, Address] = Map(b"\x02", Address, Address)
    """By account; absent while it votes itself."""
    checkpoints: Map[tuple[Address, ChainTime], Checkpoint] = Map(b"\x03", pair(Address, ChainTime), Checkpoint)
    """Power of a delegate from a time on."""
    totals: Map[ChainTime, Checkpoint] = Map(b"\x04", ChainTime, Checkpoint)
    """All power, from a time on."""
    nonces: Map[Address, U256] = Map(b"\x05", Address, U256)
    """Next nonce of a signed delegation."""
    unlocks: Map[U64, Unlock] = Map(b"\x06", U64, Unlock)
    """FLUX on its way back, by number."""
    last_unlock = Value(b"\x07", U64, U64(0))
    chain_id = Value(b"\x08", U256, U256(0))
    """From the genesis; part of what is signed."""

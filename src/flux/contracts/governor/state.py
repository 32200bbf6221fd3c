"""Storage of the governor."""

from flux.contracts.governor.types import Ballot, Proposal
from flux.kernel.storage import Map, State, Value, pair
from flux.primitives.types import U16, U64, U256, Address


class GovernorState(State):
    """Proposals and ballots."""

    count = Value(b"\x01", U64, U64(0))
    proposals: Map[U64, Proposal] = Map(b"\x02", U64, Proposal)
    """By number."""
    numbers: Map[U256, U64] = Map(b"\x03", U256, U64)
    """Number by id."""
    descriptions: Map[U64, str] = Map(b"\x04", U64, str)
    ballots: Map[tuple[U64, Address], Ballot] = Map(b"\x05", pair(U64, Address), Ballot)
    """By proposal and voter."""
    open: Map[Address, U16] = Map(b"\x06", Address, U16)
    """Proposals of a proposer whose deposit is not settled."""
    nonces: Map[Address, U256] = Map(b"\x07", Address, U256)
    """Next nonce of a signed vote."""
    chain_id = Value(b"\x08", U256, U256(0))
    """From the genesis; part of what is signed."""

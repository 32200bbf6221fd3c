"""Storage of the slashing contract."""

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import Epoch
from flux.contracts.slashing.types import Case, CaseId, Fault, FaultId, Strikes, Vote
from flux.kernel.storage import Map, State, Value, pair
from flux.primitives.types import U8, U64


class SlashingState(State):
    """Collections by prefix."""

    last_fault = Value(b"\x01", FaultId, FaultId(U64(0)))
    last_case = Value(b"\x02", CaseId, CaseId(U64(0)))
    strikes = Map(b"\x03", pair(NodeId, U8), Strikes)
    """By node and kind: one entry each, however often."""
    faults = Map(b"\x04", FaultId, Fault)
    """Those that can still be prosecuted."""
    answers = Map(b"\x05", pair(NodeId, Epoch), CaseId)
    """False answers that were prosecuted: a node pays once an epoch, however many wrong steps it signed."""
    cases = Map(b"\x06", CaseId, Case)
    votes = Map(b"\x07", pair(CaseId, NodeId), Vote)

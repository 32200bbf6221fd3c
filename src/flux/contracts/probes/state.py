"""Storage of the probes contract."""

from flux.contracts.nodes.types import NodeId
from flux.contracts.probes.types import (
    Availability,
    Brake,
    Conduct,
    Digest,
    Epoch,
    EpochInfo,
    Refuted,
    Reports,
    Suspicion,
)
from flux.kernel.storage import Map, OrderedSet, State, Value, pair, triple
from flux.primitives.types import U8, U32, U64, ChainTime, Hash

_BEFORE = EpochInfo(Epoch(U64(0)), ChainTime(U64(0)), ChainTime(U64(0)), Hash(bytes(32)))

_NEVER = ChainTime(U64(0))
_NEVER_HELD = Brake(_NEVER, U32(0), U32(0), _NEVER)


class ProbesState(State):
    """Collections by prefix."""

    epoch = Value(b"\x01", EpochInfo, _BEFORE)
    suspicions = Map(b"\x02", NodeId, Suspicion)
    """Open ones, and first votes that never became one until the next vote replaces them."""
    suspects = OrderedSet(b"\x03", NodeId)
    """Nodes in stage two."""
    previous = Value(b"\x05", EpochInfo, _BEFORE)
    """The epoch before the current one; it can be reported on now."""
    availabilities = Map(b"\x06", NodeId, Availability)
    """By target, of the newest epoch that anybody reported on."""
    digests = Map(b"\x07", NodeId, Digest)
    """By reporter, of the newest epoch that it reported on."""
    reports = Map(b"\x04", NodeId, Reports)
    """By reporter. One entry each: reports cost no fee, so what they leave behind must not add up."""
    refuted = Map(b"\x08", NodeId, Refuted)
    """By reporter."""
    brake = Value(b"\x09", Brake, _NEVER_HELD)
    waiting = OrderedSet(b"\x0a", pair(ChainTime, NodeId))
    """Suspect nodes whose leases are not re-placed yet, by when they became suspect."""
    turn_at = Value(b"\x0b", ChainTime, ChainTime(U64(0)))
    """When waiting nodes are next looked at; 0 when nothing is scheduled."""
    recent = OrderedSet(b"\x0c", triple(U8, ChainTime, NodeId))
    """What happened to nodes within the last minute (brake.py), by kind and time; each node once in a kind."""
    recent_at = Map(b"\x0d", pair(U8, NodeId), ChainTime)
    recent_count = Map(b"\x0e", U8, U32)
    conducts = Map(b"\x0f", NodeId, Conduct)
    """Nodes with anything against them."""

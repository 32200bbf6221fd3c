"""Storage of the nodes contract."""

from flux.contracts.nodes.types import Node, NodeId
from flux.kernel.storage import Map, State, Value
from flux.primitives.types import U32, Address


class NodesState(State):
    """Records by dense id, and who reports for whom."""

    count = Value(b"\x01", U32, U32(0))
    nodes = Map(b"\x02", NodeId, Node, remembered=16_384)
    """Read whenever a committee is drawn."""
    agents = Map(b"\x03", Address, NodeId)
    """Agent key → node, until the node is gone."""
    active = Value(b"\x04", U32, U32(0))
    """How many nodes are active."""

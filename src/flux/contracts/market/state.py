"""Storage of the market. A placement writes the lease and its node's load; others share the rest of its entries."""

from flux.contracts.apps.types import AppId
from flux.contracts.market.rollout_types import Rollout
from flux.contracts.market.standby_types import AppStandbys
from flux.contracts.market.types import (
    Exclusion,
    Fence,
    Lease,
    LeaseId,
    NodeLoad,
    OpenLeases,
    Ordinal,
    VolumeHolder,
    Waiting,
)
from flux.contracts.nodes.types import NodeId
from flux.contracts.oracle.types import NO_USD_PRICE, UsdPrice
from flux.kernel.storage import Map, OrderedSet, State, Value, pair, triple
from flux.primitives.types import U64, ChainTime, Hash

NO_VERSION = Hash(b"\x01" + bytes(31))


class MarketState(State):
    """Collections by prefix."""

    last_lease = Value(b"\x01", LeaseId, LeaseId(U64(0)))
    leases = Map(b"\x02", LeaseId, Lease)
    """Open ones, and of each app the last closed ones."""
    by_app = Map(b"\x04", AppId, OpenLeases)
    """Apps that have open leases."""
    closed = OrderedSet(b"\x05", triple(AppId, ChainTime, LeaseId))
    """Closed leases that are kept, by when they closed."""
    loads = Map(b"\x06", NodeId, NodeLoad)
    """Nodes that held a lease or were suspect, with their open leases."""
    waiting = Map(b"\x07", pair(AppId, Ordinal), Waiting)
    """Instances that wait for a node, in the order in which they are tried."""
    exclusions = Map(b"\x08", pair(AppId, NodeId), Exclusion)
    touched = OrderedSet(b"\x09", NodeId)
    """Nodes whose facts changed since the last placement, other than by it; empty between blocks."""
    fleet_version = Value(b"\x0a", Hash, NO_VERSION)
    """Commits to the history of all facts that placement decides by (fleet_cache.py)."""
    priced_at = Value(b"\x10", UsdPrice, NO_USD_PRICE)
    """The price of FLUX at which waiting instances were last gone through."""
    is_dirty = Value(b"\x0b", bool, False)
    """Whether something was freed, changed or is new since waiting instances were last gone through from the start."""
    cursor = Value(b"\x0c", AppId, AppId(U64(0)))
    """The app at which the next block goes on because the last one met its bound; 0 when it did not."""
    holders = Map(b"\x0d", pair(AppId, Ordinal), VolumeHolder)
    """By instance that ran with volumes, until its app closes."""
    rollouts = Map(b"\x0e", AppId, Rollout)
    """The last change of revision of each open app that had one."""
    fences = Map(b"\x11", pair(AppId, Ordinal), Fence)
    """By instance of an app that asks for at-most-one, while a closed lease of it may still run."""
    stalls = Map(b"\x12", LeaseId, ChainTime)
    """When an open lease stalled last; of those that ever did."""
    standbys = Map(b"\x13", AppId, AppStandbys)
    """Of active apps that ask for nodes to stand by."""
    standby_duties = OrderedSet(b"\x14", pair(NodeId, AppId))
    """Whom each node stands by for."""
    standby_full = OrderedSet(b"\x15", NodeId)
    """Nodes that stand by for as many apps as they may."""
    standby_looks = OrderedSet(b"\x16", AppId)
    """Apps whose nodes that stand by are to be looked at; those that one block leaves over are left to the next."""

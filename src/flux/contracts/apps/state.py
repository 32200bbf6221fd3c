"""Storage of the apps contract."""

from flux.contracts.apps.types import App, AppId, Revision
from flux.kernel.storage import Map, State, Value, pair
from flux.primitives.types import U32, U64, Address, ChainTime


class AppsState(State):
    """Records by dense id, specs by revision, and the indices that make names and owners searchable."""

    count = Value(b"\x01", U64, U64(0))
    apps = Map(b"\x02", AppId, App)
    specs = Map(b"\x03", pair(AppId, Revision), bytes)
    names = Map(b"\x04", str, AppId)
    """Names of open apps."""
    owned = Map(b"\x05", pair(Address, AppId), U32)
    """Open apps by owner; the value is 1."""
    created = Map(b"\x06", pair(AppId, Revision), ChainTime)
    """When each revision came whose spec is kept."""

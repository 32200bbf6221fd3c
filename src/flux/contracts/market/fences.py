"""Fences: an instance that must not run twice waits until its last nodes have stopped it for sure.

Nothing is placed for it meanwhile. A fence ends with its time, or when the nodes of all leases that it names said that
nothing of them runs any more.
"""

from flux.contracts.apps.types import AppId
from flux.contracts.market.ports import AppsPort
from flux.contracts.market.rules import fence_of
from flux.contracts.market.state import MarketState
from flux.contracts.market.types import Fence, InstanceFenced, Lease, LeaseId, MarketParams, Ordinal
from flux.kernel.context import Context, Host
from flux.primitives.types import U64, ChainTime

FENCE_END = 6
"""Kind of scheduled work, beside those of book.py."""
MOST_FENCED = 8
"""Leases of one instance that a fence names; the end of more is waited for by time alone."""
_MANY = (LeaseId(U64(0)),)


class Fences:
    """By instance, of apps that ask for at-most-one."""

    def __init__(self, host: Host, state: MarketState, params: MarketParams, apps: AppsPort) -> None:
        self._host = host
        self._state = state
        self._params = params
        self._apps = apps

    def add(self, ctx: Context, lease: Lease) -> None:
        """Of a lease that ends: it may run on for a while at a node that does not know."""
        spec = self._apps.app_spec(lease.app, lease.revision)
        current = self._apps.app(ctx, lease.app)
        if not spec.at_most_one and not self._apps.app_spec(lease.app, current.revision).at_most_one:
            return
        key = (lease.app, lease.ordinal)
        known = self._state.fences.find(key)
        until = ChainTime(U64(ctx.now + fence_of(spec, self._params.fence_margin)))
        leases = (lease.id,) if known is None else (*known.leases, lease.id)
        if len(leases) > MOST_FENCED:
            leases = _MANY
        self._state.fences.set(key, Fence(until if known is None else max(until, known.until), leases))
        self._host.schedule(until, FENCE_END, lease.app)
        self._host.emit(InstanceFenced(lease.id, lease.app, lease.ordinal, until))

    def holds(self, ctx: Context, app: AppId, ordinal: Ordinal) -> bool:
        """Whether a closed lease of the instance may still run, so that no other may be placed."""
        fence = self._state.fences.find((app, ordinal))
        return fence is not None and fence.until > ctx.now

    def lift(self, lease: Lease) -> bool:
        """A closed lease is known to have stopped. False when nothing waits for that."""
        key = (lease.app, lease.ordinal)
        fence = self._state.fences.find(key)
        if fence is None or lease.id not in fence.leases:
            return False
        left = tuple(id for id in fence.leases if id != lease.id)
        if left:
            self._state.fences.set(key, fence.but(leases=left))
        else:
            self._state.fences.delete(key)
            self._state.is_dirty.set(True)
        return True

    def end(self, ctx: Context, app: AppId) -> None:
        """Forget fences that are over."""
        for key, fence in list(self._state.fences.under(app.to_bytes(8, "big"))):
            if fence.until <= ctx.now:
                self._state.fences.delete(key)
                self._state.is_dirty.set(True)

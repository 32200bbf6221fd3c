"""Where the running instances of an app answer, for ingresses."""

from collections.abc import Mapping, Sequence

from flux.contracts.apps.types import App, AppSpec, Revision
from flux.contracts.market.ports import NodesPort
from flux.contracts.market.rules import PROTOCOLS
from flux.contracts.market.types import Lease, LeaseState, Route, Upstream
from flux.kernel.context import Context


def route_of(
    ctx: Context,
    app: App,
    current: AppSpec,
    specs: Mapping[Revision, AppSpec],
    leases: Sequence[Lease],
    nodes: NodesPort,
) -> Route | None:
    """The route of an app, or None when it offers no HTTP port. `specs` are those of its leases' revisions."""
    if current.http is None:
        return None
    upstreams: list[Upstream] = []
    for state in (LeaseState.RUNNING, LeaseState.SUSPECT):
        for lease in leases:
            upstream = _upstream(ctx, lease, specs[lease.revision], nodes) if lease.state is state else None
            if upstream is not None:
                upstreams.append(upstream)
    return Route(app.id, app.name, current.http.sticky, tuple(upstreams))


def _upstream(ctx: Context, lease: Lease, spec: AppSpec, nodes: NodesPort) -> Upstream | None:
    if spec.http is None:
        return None
    for binding in lease.bindings:
        wanted = binding.component == spec.http.component and binding.container == spec.http.port
        if wanted and binding.protocol == PROTOCOLS["tcp"]:
            host = nodes.node(ctx, lease.node).endpoint.host
            return Upstream(lease.id, lease.ordinal, lease.node, host, binding.host)
    return None

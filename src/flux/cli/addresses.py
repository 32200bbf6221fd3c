"""Under which addresses an app answers."""

from flux.cli.context import DEFAULT_RPC, CommandContext
from flux.contracts.apps.types import AppSpec
from flux.contracts.market.types import Lease
from flux.contracts.nodes.types import Node

DOMAIN = "FLUX_DOMAIN"
"""Domain of the ingress that a tenant uses, such as apps.example.org, with a port if it is not a usual one."""
_LOCAL_DOMAIN = "flux.localhost"
_TCP = 6


def app_url(context: CommandContext, name: str, spec: AppSpec) -> str | None:
    """The app's address at the ingress that is known of: FLUX_DOMAIN, or the local cloud's. None without a web port."""
    if spec.http is None:
        return None
    if domain := context.environment.get(DOMAIN):
        return f"https://{name}.{domain}/"
    # What looks after processes is imported here: a deployment is under way before its address is printed.
    from flux.services.cloud_state import find_state
    from flux.services.home import FluxHome

    state = find_state(FluxHome(context.home).cloud)
    if state is not None and state.rpc == context.rpc and state.http_port:
        return f"http://{name}.{_LOCAL_DOMAIN}:{state.http_port}/"
    return f"http://{name}.{_LOCAL_DOMAIN}:8080/" if context.rpc == DEFAULT_RPC and state is None else None


def endpoints(lease: Lease, node: Node) -> list[str]:
    """Where the ports of one instance are reachable: component:port → host:port."""
    host = f"[{node.endpoint.host}]" if ":" in node.endpoint.host else node.endpoint.host
    return [
        f"{binding.component}:{binding.container} → {host}:{binding.host}{'' if binding.protocol == _TCP else '/udp'}"
        for binding in lease.bindings
    ]

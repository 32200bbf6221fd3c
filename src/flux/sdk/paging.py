"""Views that answer in pages, read to their end."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from flux.contracts.apps.types import App, AppId
from flux.contracts.market.types import Route, Verdict
from flux.contracts.nodes.types import Node, NodeId
from flux.primitives.types import U16, U32, U64, Address
from flux.sdk.bindings.apps import Apps
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient

if TYPE_CHECKING:
    from flux.contracts.staking.types import Pool

T = TypeVar("T")
PAGE = U16(500)


async def all_nodes(client: FluxClient) -> list[Node]:
    """Every node ever registered, by number."""
    nodes = Nodes(client)
    return await _all(lambda start: nodes.nodes(NodeId(U32(start)), PAGE), lambda node: node.id)


async def all_pools(client: FluxClient) -> "list[Pool]":
    """What is staked on every node, by number."""
    from flux.sdk.bindings.staking import Staking

    staking = Staking(client)
    return await _all(lambda start: staking.pools(NodeId(U32(start)), PAGE), lambda pool: pool.node)


async def all_apps(client: FluxClient) -> list[App]:
    """Every app ever deployed, closed ones included, by number."""
    apps = Apps(client)
    return await _all(lambda start: apps.apps(AppId(U64(start)), PAGE), lambda app: app.id)


async def apps_of(client: FluxClient, owner: Address) -> list[App]:
    """The open apps of an owner, by number."""
    apps = Apps(client)
    return await _all(lambda start: apps.apps_of(owner, AppId(U64(start)), PAGE), lambda app: app.id)


async def all_routes(client: FluxClient) -> list[Route]:
    """What an ingress serves, by app."""
    market = Market(client)
    return await _all(lambda start: market.routes(AppId(U64(start)), PAGE), lambda route: route.app)


async def plan(client: FluxClient, spec: bytes) -> list[Verdict]:
    """What the market says of every node for a spec."""
    market = Market(client)
    return await _all(lambda start: market.plan(spec, NodeId(U32(start)), PAGE), lambda verdict: verdict.node)


async def explain(client: FluxClient, app: AppId) -> list[Verdict]:
    """What the market says of every node for one more instance of an app."""
    market = Market(client)
    return await _all(lambda start: market.explain(app, NodeId(U32(start)), PAGE), lambda verdict: verdict.node)


async def _all(read: Callable[[int], Awaitable[Sequence[T]]], number: Callable[[T], int]) -> list[T]:
    found: list[T] = []
    start = 1
    while page := await read(start):
        found += page
        if len(page) < PAGE:
            break
        start = number(page[-1]) + 1
    return found

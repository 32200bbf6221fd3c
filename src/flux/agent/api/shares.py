"""The part of the agent's API by which a keeper gives its share of a seed: to the holder of an open lease alone.

The request is signed with the agent key of the lease's node, over this keeper's number, the lease, its time and a
nonce. The answer is sealed to that node's key, so that it is worth nothing to whoever else sees it.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web
from nacl.public import PrivateKey

from flux.agent.api.auth import Authoriser, NotAuthorised
from flux.contracts.market.types import Lease, LeaseId, LeaseState, UnknownLease
from flux.contracts.nodes.types import Node, NodeId, UnknownNode
from flux.contracts.secrets.types import NoPrivateHalf, SharedSeed
from flux.primitives.types import U64, Address
from flux.sdk.bindings.market import Market
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.bindings.secrets import Secrets
from flux.sdk.client import FluxClient
from flux.sdk.errors import Refused
from flux.specs.keepers import open_share
from flux.specs.private_half import PrivateHalfError, seal

log = structlog.get_logger(__name__)
NOT_THE_HOLDER = "only the agent of the node that holds this lease may ask for a share of its seed"


@dataclass(frozen=True, slots=True)
class Holding:
    """An open lease, the node that holds it, and who keeps its seed."""

    lease: Lease
    node: Node
    shared: SharedSeed


class HoldingSource:
    """The chain as a keeper needs it. May raise sdk.errors.Unreachable."""

    def __init__(self, client: FluxClient) -> None:
        self._market = Market(client)
        self._nodes = Nodes(client)
        self._secrets = Secrets(client)

    async def find(self, lease: LeaseId) -> Holding | None:
        """What the chain says of a lease; None unless it is open and has a seed."""
        try:
            record = await self._market.lease(lease)
            if record.state is LeaseState.CLOSED:
                return None
            node = await self._nodes.node(record.node)
            return Holding(record, node, (await self._secrets.keepers(record.app, record.revision)).shared)
        except Refused as refused:
            if isinstance(refused.revert, UnknownLease | UnknownNode | NoPrivateHalf):
                return None
            raise


class ShareApi:
    """The handler of one keeper."""

    def __init__(
        self,
        node: NodeId,
        seal_key: PrivateKey,
        authoriser: Authoriser,
        find: Callable[[LeaseId], Awaitable[Holding | None]],
    ) -> None:
        self._node = node
        self._seal_key = seal_key
        self._authoriser = authoriser
        self._find = find

    def routes(self) -> list[web.RouteDef]:
        """Its path."""
        return [web.get("/v1/leases/{lease}/share", self.share)]

    async def share(self, request: web.Request) -> web.Response:
        """This node's share of the seed of a lease, sealed to the node that holds it."""
        number = request.match_info["lease"]
        if not number.isdecimal() or len(number) > 20 or int(number) >= 2**64:
            raise web.HTTPBadRequest(text="a lease is a number")
        holding: Holding | None = None

        async def holder() -> Address:
            nonlocal holding
            holding = await self._find(LeaseId(U64(int(number))))
            if holding is None:
                raise NotAuthorised(403, f"the chain has no open lease {number} of an app with a seed")
            return holding.node.agent

        await self._authoriser.check(request.headers, request.method, request.path_qs, holder, refusal=NOT_THE_HOLDER)
        assert holding is not None
        return self._answer(holding)

    def _answer(self, holding: Holding) -> web.Response:
        lease, shared = holding.lease, holding.shared
        for index, keeper in enumerate(shared.keepers, 1):
            if keeper.node != self._node:
                continue
            try:
                share = open_share(keeper.box, bytes(self._seal_key), shared, index, lease.app, lease.revision)
                box = seal(share, holding.node.endpoint.seal_key)
            except PrivateHalfError as error:
                log.warning("share not given", lease=lease.id, app=lease.app, reason=str(error))
                raise web.HTTPGone(text=f"the share of node {self._node} cannot be given: {error}") from error
            log.info("share given", lease=lease.id, app=lease.app, to=holding.node.id)
            answer = {"generation": shared.generation, "index": index, "box": box.hex()}
            return web.Response(text=json.dumps(answer), content_type="application/json")
        raise web.HTTPNotFound(text=f"node {self._node} keeps no share of the seed of lease {lease.id}")

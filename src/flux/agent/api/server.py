"""The agent's HTTPS API: ping for peers; status, logs, counters and exec for the app's owner; health for all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

import structlog
from aiohttp import web

from flux.agent.api.auth import Authoriser, NotAuthorised
from flux.agent.api.backups import BackupApi, no_continue
from flux.agent.api.benchmarks import BenchmarkApi
from flux.agent.api.exec import ExecApi
from flux.agent.api.logs import LogApi
from flux.agent.api.shares import ShareApi
from flux.agent.head_clock import HeadClock
from flux.agent.identity import NodeIdentity
from flux.agent.loop import AgentLoop, InstanceStatus
from flux.agent.observed import ObservedContainer
from flux.contracts.market.types import LeaseId
from flux.contracts.nodes.types import NodeId
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U64, Address
from flux.runtime.errors import ContainerNotFound, ContainerNotRunning, RuntimeFailure
from flux.runtime.port import ContainerRuntime
from flux.runtime.types import ContainerId, ContainerStats
from flux.sdk.agent_api import head_hash, ping_hash
from flux.sdk.errors import ClientError
from flux.sdk.exec_session import REASON_HEADER

log = structlog.get_logger(__name__)
CHALLENGE_BYTES = 16


class AgentApi:
    """Handlers of one node's API."""

    def __init__(
        self,
        node: NodeId,
        identity: NodeIdentity,
        loop: AgentLoop,
        runtime: ContainerRuntime,
        authoriser: Authoriser,
        owner_of: Callable[[LeaseId], Awaitable[Address | None]],
        benchmarks: BenchmarkApi | None = None,
        exec_api: ExecApi | None = None,
        shares: ShareApi | None = None,
        heads: HeadClock | None = None,
        backups: BackupApi | None = None,
        logs: LogApi | None = None,
    ) -> None:
        self._node = node
        self._identity = identity
        self._loop = loop
        self._runtime = runtime
        self._authoriser = authoriser
        self._owner_of = owner_of
        self._benchmarks = benchmarks
        self._exec = exec_api or ExecApi(runtime)
        self._logs = logs or LogApi(runtime)
        self._shares = shares
        self._heads = heads or HeadClock()
        self._backups = backups

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[_errors], client_max_size=64 * 1024)
        app.router.add_get("/v1/ping", self.ping)
        app.router.add_get("/v1/leases/{lease}/status", self.status)
        app.router.add_get("/v1/leases/{lease}/logs", self.logs)
        app.router.add_get("/v1/leases/{lease}/stats", self.stats)
        app.router.add_get("/v1/leases/{lease}/exec", self.exec)
        app.router.add_get("/healthz", self.healthz)
        if self._benchmarks is not None:
            app.add_routes(self._benchmarks.routes())
        if self._shares is not None:
            app.add_routes(self._shares.routes())
        if self._backups is not None:
            app.router.add_get("/v1/leases/{lease}/backup", self.backup)
            app.router.add_put("/v1/leases/{lease}/backup", self.restore, expect_handler=no_continue)
        return app

    async def backup(self, request: web.Request) -> web.StreamResponse:
        """What is in a lease's volumes, as a tar."""
        lease, _ = await self._authorised(request)
        assert self._backups is not None
        return await self._backups.backup(request, lease)

    async def restore(self, request: web.Request) -> web.StreamResponse:
        """Replace what is in a lease's volumes."""
        lease, _ = await self._authorised(request)
        assert self._backups is not None
        return await self._backups.restore(request, lease)

    async def ping(self, request: web.Request) -> web.Response:
        """Sign the caller's challenge: shows that this node is alive and itself."""
        try:
            challenge = bytes.fromhex(request.query.get("challenge", ""))
        except ValueError:
            challenge = b""
        if len(challenge) != CHALLENGE_BYTES:
            raise web.HTTPBadRequest(text=f"challenge must be {CHALLENGE_BYTES} bytes of hexadecimal")
        signature = self._identity.signer.sign_hash(ping_hash(self._node, challenge))
        answer: dict[str, object] = {"node": self._node, "signature": to_hex(signature.to_bytes())}
        if request.query.get("head") == "1":
            head = self._heads.number
            signed = self._identity.signer.sign_hash(head_hash(self._node, challenge, head))
            answer |= {"head": head, "head_signature": to_hex(signed.to_bytes())}
        return web.json_response(answer)

    async def healthz(self, _: web.Request) -> web.Response:
        """200 while the process lives; `/readyz` on the metrics port says whether it works."""
        return web.json_response({"node": self._node, "instances": len(self._loop.desired())})

    async def status(self, request: web.Request) -> web.Response:
        """What runs for a lease."""
        lease, _ = await self._authorised(request)
        return web.json_response(describe(self._loop.status(lease)))

    async def logs(self, request: web.Request) -> web.StreamResponse:
        """Log lines of a lease's containers as JSON lines; `follow=1` keeps the stream open."""
        lease, _ = await self._authorised(request)
        wanted = request.query.get("component", "")
        chosen = {name: item.view.id for name, item in sorted(self._containers(lease).items()) if wanted in ("", name)}
        if not chosen:
            raise web.HTTPNotFound(text=f"lease {lease} has no container {wanted}".rstrip())
        return await self._logs.serve(request, lease, chosen)

    async def stats(self, request: web.Request) -> web.Response:
        """Counters of a lease's running containers."""
        lease, _ = await self._authorised(request)
        running = {name: item for name, item in self._containers(lease).items() if item.is_running}
        read = await asyncio.gather(*(self._counters(item.view.id) for item in running.values()))
        counters = {name: asdict(found) for name, found in zip(running, read, strict=True) if found is not None}
        return web.json_response({"components": counters})

    async def _counters(self, container: ContainerId) -> ContainerStats | None:
        try:
            return await self._runtime.stats(container)
        except (ContainerNotFound, ContainerNotRunning):
            return None  # it ended meanwhile

    async def exec(self, request: web.Request) -> web.StreamResponse:
        """A command in one of a lease's containers, over a WebSocket."""
        lease, caller = await self._authorised(request)
        if not web.WebSocketResponse().can_prepare(request):
            raise web.HTTPBadRequest(text="exec is spoken over a WebSocket")
        component = self._component(lease, request.query.get("component", ""))
        if refusal := self._exec.find_refusal(lease):
            raise web.HTTPTooManyRequests(text=refusal)
        return await self._exec.serve(request, lease, caller, component, self._containers(lease)[component].view.id)

    def _component(self, lease: LeaseId, wanted: str) -> str:
        """The component to work in: the one that was named, else the one that serves HTTP, else the only one."""
        running = sorted(name for name, item in self._containers(lease).items() if item.is_running)
        desired = self._loop.status(lease).desired
        http = "" if desired is None or desired.spec.http is None else desired.spec.http.component
        chosen = wanted or (running[0] if len(running) == 1 else http)
        if chosen in running:
            return chosen
        if not chosen:
            raise web.HTTPBadRequest(text=f"choose a component: {', '.join(running)}")
        raise web.HTTPConflict(text=f"{chosen} does not run on lease {lease}; these do: {', '.join(running) or 'none'}")

    def _containers(self, lease: LeaseId) -> Mapping[str, ObservedContainer]:
        observed = self._loop.status(lease).observed
        return {} if observed is None else observed.containers

    async def _authorised(self, request: web.Request) -> tuple[LeaseId, Address]:
        """The lease that the request is about, and its app's owner, who signed it."""
        text = request.match_info["lease"]
        if not text.isdecimal() or len(text) > 20:
            raise web.HTTPBadRequest(text="a lease is a number")
        lease = LeaseId(U64(int(text)))

        async def owner() -> Address:
            found = await self._owner_of(lease)
            if found is None:
                raise NotAuthorised(404, f"this node has no open lease {lease}")
            return found

        return lease, await self._authoriser.check(request.headers, request.method, request.path_qs, owner)


def describe(status: InstanceStatus) -> dict[str, object]:
    """An instance's status as JSON; nothing of it is private."""
    observed = {} if status.observed is None else status.observed.containers
    return {
        "waiting_for": status.waiting_for,
        "components": [
            {
                "component": name,
                "state": container.view.state,
                "health": container.health,
                "exit_code": container.view.exit_code,
                "oom_killed": container.view.oom_killed,
                "error": container.view.error,
                "started_at": container.view.started_at,
            }
            for name, container in sorted(observed.items())
        ],
    }


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _refusal(request, error.status, error.text or error.reason)
    except NotAuthorised as error:
        return _refusal(request, error.status, str(error))
    except RuntimeFailure as error:
        return _refusal(request, 503, f"the container engine failed: {error}")
    except ClientError as error:
        return _refusal(request, 503, f"the chain could not be asked: {error}")


def _refusal(request: web.Request, status: int, reason: str) -> web.Response:
    response = web.Response(status=status, text=reason, headers={REASON_HEADER: " ".join(reason.split())})
    if not request.content.is_eof():
        # The rest of the body would be awaited before the next request on the connection.
        response.force_close()
    return response

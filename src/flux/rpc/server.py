"""The RPC of a node as one ASGI application, HTTP and WebSocket on one port, and the way to serve it with uvicorn.

Bare ASGI, no web framework: docs/decisions has the measurement. What each request does is in `dispatch`, what methods
there are in the namespaces' files.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

import flux
from flux.chain.application import Application
from flux.rpc import eth, net, web3
from flux.rpc.dispatch import Dispatcher, Limits
from flux.rpc.errors import ErrorNames
from flux.rpc.filters import Filters
from flux.rpc.flux import Flux
from flux.rpc.format import Json
from flux.rpc.http import HttpEndpoint
from flux.rpc.intake import Intake
from flux.rpc.light import Light
from flux.rpc.ports import Engine, LightBlocks
from flux.rpc.subscriptions import Hub
from flux.rpc.websocket import Message, Receive, Send, WebSocketClient
from flux.rpc.workers import Pool
from flux.sdk.known import errors_by_selector


@dataclass(frozen=True, slots=True)
class Threads:
    """Sizes of the thread pools."""

    reads: int = 4
    scans: int = 2
    waiting: int = 1_000
    """Requests that may wait for a thread of either kind."""


class RpcApplication:
    """The ASGI application. Its threads and its subscription to commits live until lifespan shutdown."""

    def __init__(
        self, hub: Hub, intake: Intake, pools: tuple[Pool, ...], dispatcher: Dispatcher, health: Callable[[], Json]
    ) -> None:
        self._hub = hub
        self._intake = intake
        self._pools = pools
        self._dispatcher = dispatcher
        self._http = HttpEndpoint(dispatcher, health)

    @property
    def limits(self) -> Limits:
        """What one request may cost."""
        return self._dispatcher.limits

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One connection, request or lifespan."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await WebSocketClient(self._dispatcher, self._hub, receive, send).run()
            case "lifespan":
                await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._hub.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._hub.stop()
                await asyncio.to_thread(self._close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _close(self) -> None:
        self._intake.close()
        for pool in self._pools:
            pool.close()


def create_app(
    application: Application,
    engine: Engine,
    *,
    error_names: ErrorNames | None = None,
    limits: Limits | None = None,
    threads: Threads | None = None,
    clock: Callable[[], float] = time.time,
    light_blocks: LightBlocks | None = None,
    genesis: str | None = None,
) -> RpcApplication:
    """The RPC of a chain. `error_names` names custom errors in messages, the protocol's own by default; `clock` gives
    Unix seconds. `light_blocks` is the engine's, if its blocks can be verified; `genesis` is the genesis file's text.
    """
    names = _protocol_errors() if error_names is None else error_names
    own = Flux(application, engine, flux.__version__, lambda: int(clock()))
    table = {
        **eth.table(application, lambda: int(clock()), names),
        **Filters(application, clock).table(),
        **net.table(application.chain_id),
        **web3.table(flux.__version__),
        **own.table(),
        **Light(application, light_blocks, genesis).table(),
    }
    sizes = threads or Threads()
    reads, scans = Pool("read", sizes.reads, sizes.waiting), Pool("scan", sizes.scans, sizes.waiting)
    intake = Intake(application, lambda: int(clock()), engine.notify)
    dispatcher = Dispatcher(table, intake, reads, scans, names, limits or Limits())
    return RpcApplication(Hub(application), intake, (reads, scans), dispatcher, own.health)


class _Server(uvicorn.Server):
    """Leaves signals to the process, says when it has started, and stops when told rather than at the next tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.stop.wait()


def listen(host: str, port: int) -> socket.socket:
    """A socket for `serve`; port 0 takes a free one. Raises OSError when the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


@asynccontextmanager
async def serve(app: RpcApplication, listener: socket.socket, *, connections: int = 10_000) -> AsyncIterator[str]:
    """Serve on a bound socket while the context lasts; gives the URL. Open connections are closed at the end.

    More than `connections` at a time get status 503.
    """
    # Answers leave in two writes; without this, asyncio's connections wait 40 ms for the client's delayed ACK between.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=app.limits.body,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        limit_concurrency=connections,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="rpc-server")
    started = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait((serving, started), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        host, port = listener.getsockname()[:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        started.cancel()
        server.stop.set()
        await serving


def _protocol_errors() -> ErrorNames:
    return {selector: error.__name__ for selector, error in errors_by_selector().items()}

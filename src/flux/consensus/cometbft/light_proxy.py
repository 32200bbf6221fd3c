"""What CometBFT's own light client asks while it joins by state sync, answered out of a Flux RPC.

CometBFT takes the addresses of CometBFT RPCs, and those are on loopback only. This server is on loopback too, knows the
three methods that state sync uses, and passes them on; CometBFT verifies every answer against the block it was told to
trust, so nothing is believed here.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from flux.primitives.hexadecimal import quantity
from flux.sdk.errors import ClientError
from flux.sdk.transport import HttpTransport, Transport

_INTERNAL = -32603
_NO_METHOD = -32601
_PAGE = 100


class LightProxy:
    """Answers commit, validators and consensus_params."""

    def __init__(self, transport: Transport, consensus_params: Mapping[str, object]) -> None:
        """`consensus_params` are those of CometBFT's genesis, which never change."""
        self._transport = transport
        self._params = consensus_params
        self._blocks: dict[str, Mapping[str, Any]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """One JSON-RPC request with named parameters."""
        body = json.loads(await request.read())
        reply: dict[str, object] = {"jsonrpc": "2.0", "id": body.get("id")}
        try:
            reply["result"] = await self._result(body["method"], body.get("params") or {})
        except ClientError as error:
            reply["error"] = {"code": _INTERNAL, "message": "the endpoint refused", "data": str(error)}
        except LookupError as error:
            reply["error"] = {"code": _NO_METHOD, "message": "method not found", "data": str(error)}
        return web.json_response(reply)

    async def _result(self, method: str, params: Mapping[str, Any]) -> dict[str, object]:
        height = params.get("height")
        if method == "consensus_params":
            return {"block_height": str(height), "consensus_params": self._params}
        if method not in ("commit", "validators"):
            raise LookupError(method)
        block = await self._block(height)
        header = block["signed_header"]["header"]
        if method == "commit":
            return {"signed_header": block["signed_header"], "canonical": True}
        validators, page = block["validators"], int(params.get("page") or 1)
        shown = validators[_PAGE * (page - 1) : _PAGE * page]
        counts = {"count": str(len(shown)), "total": str(len(validators))}
        return {"block_height": header["height"], "validators": shown, **counts}

    async def _block(self, height: str | None) -> Mapping[str, Any]:
        """A light block; commit and validators of the same height are asked one after the other."""
        if height is not None and (known := self._blocks.get(height)) is not None:
            return known
        asked = () if height is None else (quantity(int(height)),)
        block: Mapping[str, Any] = await self._transport.request("flux_lightBlock", *asked)
        self._blocks = {**dict(list(self._blocks.items())[-8:]), block["signed_header"]["header"]["height"]: block}
        return block


@asynccontextmanager
async def serve_light_proxy(rpc: str, consensus_params: Mapping[str, object]) -> AsyncIterator[str]:
    """Serve on a free port of loopback while the context lasts; gives host:port."""
    async with HttpTransport(rpc) as transport:
        app = web.Application()
        app.router.add_post("/{path:.*}", LightProxy(transport, consensus_params).answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

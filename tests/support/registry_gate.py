"""A registry behind a gate: asks for a login, or lets a blob through slowly; and fresh images to pull through it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from tools.layers import Layer, compress
from tools.registry_client import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, RegistryClient, digest_of

from flux.runtime.types import ImageReference

_KEPT_HEADERS = ("Content-Type", "Docker-Content-Digest")


def push_fresh_image(registry: str, repository: str = "flux/fresh", layer_bytes: int = 1_000_000) -> str:
    """Push an image that no engine can hold yet; returns its digest."""
    layer = Layer()
    layer.add("random", os.urandom(layer_bytes))
    archive = layer.archive()
    packed = compress(archive)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(archive)]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": digest_of(config)},
        "layers": [{"mediaType": LAYER_TYPE, "size": len(packed), "digest": digest_of(packed)}],
    }
    client = RegistryClient(registry)
    try:
        return client.push(repository, "1", json.dumps(manifest).encode(), [packed, config])
    finally:
        client.close()


@dataclass(slots=True)
class Gate:
    """What stands before the registry."""

    registry: str
    host: str = ""
    login: str | None = None
    """The Authorization header of those who may pass; None lets everybody."""
    blobs_open: asyncio.Event = field(default_factory=asyncio.Event)
    """Blobs are held back until it is set."""
    blob_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody waits for a blob."""

    def image(self, digest: str, repository: str = "flux/fresh") -> ImageReference:
        return ImageReference(f"{self.host}/{repository}@{digest}")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization")
        if self.login is not None and given != self.login:
            return web.json_response(
                {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]},
                status=401,
                headers={"WWW-Authenticate": 'Basic realm="test"', "Docker-Distribution-Api-Version": "registry/2.0"},
            )
        if "/blobs/" in request.path:
            self.blob_asked.set()
            await self.blobs_open.wait()
        url = f"http://{self.registry}{request.rel_url}"
        headers = {"Accept": request.headers.get("Accept", "*/*")}
        async with aiohttp.ClientSession() as session, session.request(request.method, url, headers=headers) as got:
            kept = {
                name: got.headers[name] for name in ("Content-Type", "Docker-Content-Digest") if name in got.headers
            }
            return web.Response(status=got.status, body=await got.read(), headers=kept)


@asynccontextmanager
async def gate_before(registry: str, login: str | None = None) -> AsyncIterator[Gate]:
    """A gate on a free port of loopback."""
    gate = Gate(registry, login=login)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", gate.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gate.host = f"127.0.0.1:{runner.addresses[0][1]}"
        yield gate
    finally:
        await runner.cleanup()

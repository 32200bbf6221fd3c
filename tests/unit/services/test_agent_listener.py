"""The agent's port: who connects and asks nothing, or asks slowly, holds no connection for long."""

import asyncio
import resource
import ssl
from pathlib import Path

from aiohttp import web

from flux.agent.identity import create
from flux.services.agent import listen
from flux.services.descriptors import allow_descriptors
from flux.services.ports import free_port


async def test_a_connection_without_a_whole_request_is_closed(tmp_path: Path) -> None:
    identity, port = create(tmp_path, "127.0.0.1"), free_port()
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with listen(web.Application(), "127.0.0.1", port, identity.tls(), request_seconds=0.5):
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: slow\r\nX-"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            writer.write(begun)
            async with asyncio.timeout(20):
                assert await reader.read() == b""
            writer.close()


def test_a_service_may_have_as_many_descriptors_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
    try:
        allow_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

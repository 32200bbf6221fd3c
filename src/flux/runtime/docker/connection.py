"""The way to one Docker Engine: an aiodocker client, opened at first use, that speaks in the port's errors.

`host` is a DOCKER_HOST (`unix://…`, `tcp://…`, `ssh://…`); None finds the Engine as the Docker client does:
DOCKER_HOST, the current context, then the usual sockets. The API version is the Engine's own.
"""

import json
from asyncio import IncompleteReadError
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiodocker
import aiohttp
from yarl import URL

from flux.runtime.docker.failures import CANNOT_CONNECT, failure, unavailable
from flux.runtime.errors import RuntimeFailure

_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)
"""Of requests that Docker answers at once; those that take as long as they take set their own."""
_ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=5)

UNREACHABLE = (TimeoutError, aiohttp.ClientError, OSError)
"""What a request may raise, beside aiodocker's own error, when the Engine does not answer."""

T = TypeVar("T")


class Connection:
    """Opens lazily, so that an agent can be built before its Engine is up."""

    def __init__(self, host: str | None = None) -> None:
        self._host = host
        self._docker: aiodocker.Docker | None = None
        self._connector: aiohttp.UnixConnector | None = None

    async def docker(self) -> aiodocker.Docker:
        """The client; raises RuntimeUnavailable when nothing says where the Engine is."""
        if self._docker is None:
            self._docker = await self._open()
        return self._docker

    async def ask(self, answer: Awaitable[T], private: Iterable[str] = ()) -> T:
        """The answer to a request, or the port's error for it, free of `private` texts."""
        found: RuntimeFailure
        try:
            return await answer
        except aiodocker.DockerError as error:
            found = failure(error.status, error.message, private)
        except UNREACHABLE as error:
            found = unavailable(str(error))
        # Raised here, outside of the handler, so that Docker's own words don't hang on to it as its context.
        raise found

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer to read piece by piece, closed at the end; raises aiodocker.DockerError when refused.

        aiodocker's own streams stay open when their reader is cancelled, and its logs don't tell stdout from stderr.
        """
        docker = await self.docker()
        if docker.api_version == "auto":
            await docker.version()
        response = await docker.session.request(
            method,
            URL(f"{docker.docker_host}/{docker.api_version}/{path}"),
            params=dict(parameters),
            headers=dict(headers or {}),
            timeout=_ENDLESS,
        )
        try:
            if response.status >= 400:
                raise aiodocker.DockerError(response.status, _message(await response.read()))
            yield response
        finally:
            response.close()

    async def socket_path(self) -> str | None:
        """The Unix socket that the Engine listens on; None when it is reached another way."""
        connector = (await self.docker()).connector
        return connector.path if isinstance(connector, aiohttp.UnixConnector) else None

    async def forget_version(self) -> None:
        """Ask for the API version again with the next request: the Engine may have been replaced by another."""
        (await self.docker()).api_version = "auto"

    async def close(self) -> None:
        """Close the client; the next use opens a new one."""
        docker, self._docker = self._docker, None
        connector, self._connector = self._connector, None
        if docker is not None:
            await docker.close()
        if connector is not None:
            await connector.close()

    async def _open(self) -> aiodocker.Docker:
        try:
            docker = aiodocker.Docker(url=self._host, timeout=_TIMEOUT)
        except (AssertionError, ValueError, aiodocker.DockerError):
            # aiodocker asserts that it found a host.
            raise unavailable("no host") from None
        if not isinstance(docker.connector, aiohttp.UnixConnector):
            return docker
        # Its connector allows 100 connections, and each follower of a log holds one: the next would wait for ever.
        path = docker.connector.path
        await docker.close()
        self._connector = aiohttp.UnixConnector(path, limit=0)
        return aiodocker.Docker(url="unix://localhost", connector=self._connector, timeout=_TIMEOUT)


def broken_stream(error: Exception) -> RuntimeFailure:
    """The port's error for a stream that ended before its end, or never began."""
    if isinstance(error, aiodocker.DockerError):
        return failure(error.status, error.message)
    return failure(CANNOT_CONNECT, str(error))


STREAM_ERRORS = (aiodocker.DockerError, IncompleteReadError, *UNREACHABLE)
"""What reading a stream may raise."""


def _message(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if text.startswith("{"):
        found: Any = json.loads(text)
        return str(found.get("message", ""))
    return text

"""A node's HTTP API as its clients see it: pinned TLS, requests signed by the app's owner, signed pings.

A request is authorised by a signature (EIP-191) over the node, the request, its time and a nonce, so it is worth
nothing at another node, later, or again. There is no operator's verb for tenants' apps: hosting an app is not owning
it.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Annotated, Any, Self
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp.http_exceptions import LineTooLong
from yarl import URL

from flux.contracts.market.types import LeaseId
from flux.contracts.nodes.types import Node, NodeId
from flux.primitives.address import to_text
from flux.primitives.hexadecimal import from_hex, to_hex
from flux.primitives.keccak import keccak256
from flux.primitives.signature import Signature, SignatureError, personal_message_hash, recover
from flux.primitives.types import Address, Hash
from flux.sdk.errors import AgentUnreachable, ClientError
from flux.sdk.exec_session import ExecClient, SessionRefused, Start, open_session
from flux.sdk.http import decode_json, read_at_most
from flux.sdk.signer import Signer

ACCOUNT_HEADER = "Flux-Account"
TIME_HEADER = "Flux-Time"
NONCE_HEADER = "Flux-Nonce"
SIGNATURE_HEADER = "Flux-Signature"
MAX_CLOCK_DIFFERENCE = 60
"""Seconds between a signed request and the node's clock."""
NONCE_BYTES = 16
_MAX_PING_BYTES = 1024
_MAX_REASON_BYTES = 300
_MAX_DOCUMENT_BYTES = 256 * 1024


class _LogLine(msgspec.Struct):
    """What a node says of one line of a log."""

    component: str
    time_ns: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    stream: str
    text: str


class AgentRefused(ClientError):
    """The node answered, and refused."""

    def __init__(self, node: NodeId, status: int, reason: str) -> None:
        super().__init__(f"node {node} refused ({status}): {reason}")
        self.status = status


def request_hash(certificate: Hash, method: str, target: str, unix_time: int, nonce: bytes) -> Hash:
    """What the owner signs. `target` is path and query as sent; the nonce tells equal requests of one second apart.

    The node is named by its certificate: numbers of nodes and leases are the same on many chains.
    """
    to = to_hex(certificate)
    text = f"flux agent request\nto: {to}\n{method} {target}\ntime: {unix_time}\nnonce: {to_hex(nonce)}"
    return personal_message_hash(text.encode())


def signed_headers(
    signer: Signer, certificate: Hash, method: str, target: str, unix_time: int, nonce: bytes | None = None
) -> dict[str, str]:
    """The headers that authorise a request, once; the nonce is drawn unless one is given."""
    nonce = os.urandom(NONCE_BYTES) if nonce is None else nonce
    signature = signer.sign_hash(request_hash(certificate, method, target, unix_time, nonce))
    return {
        ACCOUNT_HEADER: to_text(signer.address),
        TIME_HEADER: str(unix_time),
        NONCE_HEADER: to_hex(nonce),
        SIGNATURE_HEADER: to_hex(signature.to_bytes()),
    }


def ping_hash(node: NodeId, challenge: bytes) -> Hash:
    """What a node signs to show that it is alive and itself."""
    return keccak256(b"flux ping" + node.to_bytes(4, "big") + challenge)


def head_hash(node: NodeId, challenge: bytes, head: int) -> Hash:
    """What a node signs to show which head of the chain it knows."""
    return keccak256(b"flux head" + node.to_bytes(4, "big") + challenge + head.to_bytes(8, "big"))


@dataclass(frozen=True, slots=True)
class Pong:
    """A node's answer to a probe."""

    answer: bytes
    """Challenge, then the signature of its agent key."""
    head: int
    """The newest block that it knows, signed too."""


def signer_of(message: Hash, signature: bytes) -> Address | None:
    """Who signed, or None for bytes that are no signature."""
    try:
        parsed = Signature.from_bytes(signature)
        return recover(message, parsed.y_parity, parsed.r, parsed.s)
    except SignatureError:
        return None


@dataclass(frozen=True, slots=True)
class Download:
    """A body and when its parts came."""

    body: bytes
    seconds: float
    """From the request to the last byte."""
    arrivals: tuple[tuple[int, float], ...]
    """Bytes received so far, and the seconds since the request."""

    def bytes_per_second(self) -> float:
        """Of the second half, when the connection has come up to speed; 0 for an empty body."""
        if not self.arrivals:
            return 0.0
        total, end = self.arrivals[-1]
        start_bytes, start = next(mark for mark in self.arrivals if 2 * mark[0] >= total)
        if end <= start:
            return total / self.seconds
        return (total - start_bytes) / (end - start)


class AgentClient:
    """One session for any number of nodes; each connection is pinned to the certificate the chain records."""

    def __init__(self, connect_seconds: float = 10) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_seconds, sock_read=None)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def ping(self, node: Node, seconds: float) -> bytes | None:
        """The node's signed answer (challenge, then signature of its agent key), or None when none came in time."""
        challenge = os.urandom(16)
        found = await self._ping(node, seconds, challenge, f"/v1/ping?challenge={challenge.hex()}")
        return None if found is None else found[0]

    async def probe(self, node: Node, seconds: float) -> Pong | None:
        """The same, with the newest block that the node knows."""
        challenge = os.urandom(16)
        found = await self._ping(node, seconds, challenge, f"/v1/ping?challenge={challenge.hex()}&head=1")
        if found is None:
            return None
        answer, document = found
        try:
            head, signature = int(document["head"]), from_hex(document["head_signature"])
        except (ValueError, KeyError, TypeError):
            return None
        if not 0 <= head < 2**64 or signer_of(head_hash(node.id, challenge, head), signature) != node.agent:
            return None
        return Pong(answer, head)

    async def _ping(
        self, node: Node, seconds: float, challenge: bytes, target: str
    ) -> tuple[bytes, Mapping[str, Any]] | None:
        """The signed answer and the document that it came in."""
        url = f"{_base(node)}{target}"
        try:
            timeout = aiohttp.ClientTimeout(total=seconds)
            pin = _pin(node.endpoint.certificate)
            async with self._session.get(url, ssl=pin, timeout=timeout, allow_redirects=False) as response:
                answer = decode_json(await read_at_most(response, _MAX_PING_BYTES))
                signature = from_hex(answer["signature"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
            return None
        if signer_of(ping_hash(node.id, challenge), signature) != node.agent:
            return None
        return challenge + signature, answer

    async def status(self, node: Node, signer: Signer, lease: LeaseId) -> dict[str, Any]:
        """What runs for a lease: components with state, health, exit code. Raises AgentRefused, Unreachable."""
        return await self._document(node, signer, f"/v1/leases/{lease}/status")

    async def logs(
        self, node: Node, signer: Signer, lease: LeaseId, *, follow: bool, tail: int, component: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """Log lines: component, time_ns, stream, text. Raises AgentRefused, and Unreachable when they break off."""
        target = f"/v1/leases/{lease}/logs?follow={int(follow)}&tail={tail}&component={component}"
        async with self._get(node, signer, target) as response:
            try:
                async for line in response.content:
                    yield msgspec.to_builtins(msgspec.json.decode(line, type=_LogLine))
            except (aiohttp.ClientError, TimeoutError, OSError, LineTooLong, msgspec.MsgspecError) as error:
                raise AgentUnreachable(_base(node), f"its log broke off: {error or type(error).__name__}") from error

    @asynccontextmanager
    async def exec(
        self, node: Node, signer: Signer, lease: LeaseId, start: Start, component: str = ""
    ) -> AsyncIterator[ExecClient]:
        """A command in a container, to talk to. Raises Unreachable, AgentRefused."""
        target = f"/v1/leases/{lease}/exec?component={quote(component)}"
        headers = signed_headers(signer, node.endpoint.certificate, "GET", target, int(time.time()))
        pin = _pin(node.endpoint.certificate)
        try:
            async with open_session(self._session, f"{_base(node)}{target}", headers, pin, start) as session:
                yield session
        except SessionRefused as refused:
            raise AgentRefused(node.id, refused.status, str(refused)) from refused

    async def backup(self, node: Node, signer: Signer, lease: LeaseId, volumes: Sequence[str]) -> AsyncIterator[bytes]:
        """What is in volumes (none named: in all), as a tar in pieces. Whole only when it ends without an error."""
        async with self._get(node, signer, _backup_target(lease, volumes)) as response:
            try:
                async for piece in response.content.iter_any():
                    yield piece
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise AgentUnreachable(_base(node), f"the backup broke off: {error or type(error).__name__}") from error

    async def restore(
        self, node: Node, signer: Signer, lease: LeaseId, volumes: Sequence[str], tar: AsyncIterator[bytes], length: int
    ) -> None:
        """Replace what is in volumes by a tar of that many bytes; returns when the app runs with it."""
        target = _backup_target(lease, volumes)
        # The node answers a refusal before any of the body is sent.
        options = {"data": tar, "expect100": True, "headers": {"Content-Length": str(length)}}
        async with _Opened(self._session, node, signer, target, "PUT", options) as response:
            await read_at_most(response, _MAX_REASON_BYTES)

    async def stats(self, node: Node, signer: Signer, lease: LeaseId) -> dict[str, Any]:
        """Counters of a lease's running containers, by component. Raises AgentRefused, Unreachable."""
        return await self._document(node, signer, f"/v1/leases/{lease}/stats")

    async def round_trip(self, node: Node, seconds: float) -> float | None:
        """Seconds that a signed ping took on a connection that was open before; None without a good answer."""
        if not await self.ping(node, seconds):
            return None
        begun = time.perf_counter()
        answered = await self.ping(node, seconds)
        return time.perf_counter() - begun if answered else None

    async def download(self, node: Node, signer: Signer, target: str, seconds: float, most: int) -> "Download":
        """The body of a signed GET, timed. Raises AgentRefused, and Unreachable past `seconds` or `most` bytes."""
        body = bytearray()
        arrivals: list[tuple[int, float]] = []
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(seconds), self._get(node, signer, target) as response:
                async for chunk in response.content.iter_any():
                    body += chunk
                    arrivals.append((len(body), time.perf_counter() - begun))
                    if len(body) > most:
                        raise AgentUnreachable(_base(node), f"it sent more than {most} bytes")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AgentUnreachable(_base(node), str(error) or type(error).__name__) from error
        return Download(bytes(body), time.perf_counter() - begun, tuple(arrivals))

    async def _document(self, node: Node, signer: Signer, target: str) -> dict[str, Any]:
        try:
            async with self._get(node, signer, target) as response:
                answer = decode_json(await read_at_most(response, _MAX_DOCUMENT_BYTES))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise AgentUnreachable(_base(node), str(error) or type(error).__name__) from error
        if not isinstance(answer, dict):
            raise AgentUnreachable(_base(node), "it did not answer with a document")
        return answer

    def _get(self, node: Node, signer: Signer, target: str) -> "_Opened":
        return _Opened(self._session, node, signer, target)


class _Opened:
    """A signed request as a context; errors are translated once, here."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        node: Node,
        signer: Signer,
        target: str,
        method: str = "GET",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        given = dict(options or {})
        certificate, now = node.endpoint.certificate, int(time.time())
        headers = given.pop("headers", {}) | signed_headers(signer, certificate, method, target, now)
        self._node = node
        # A redirect would lead away from the certificate that the chain records.
        self._context = session.request(
            method,
            URL(f"{_base(node)}{target}", encoded=True),
            ssl=_pin(certificate),
            headers=headers,
            allow_redirects=False,
            **given,
        )

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            response = await self._context.__aenter__()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AgentUnreachable(_base(self._node), str(error) or type(error).__name__) from error
        if response.status == 200:
            return response
        try:
            reason = (await read_at_most(response, _MAX_REASON_BYTES)).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AgentUnreachable(_base(self._node), str(error) or type(error).__name__) from error
        finally:
            response.close()
        raise AgentRefused(self._node.id, response.status, reason)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._context.__aexit__(kind, error, trace)


def _backup_target(lease: LeaseId, volumes: Sequence[str]) -> str:
    query = "&".join(f"volume={quote(name, safe='')}" for name in volumes)
    return f"/v1/leases/{lease}/backup" + (f"?{query}" if query else "")


def _base(node: Node) -> str:
    host = f"[{node.endpoint.host}]" if ":" in node.endpoint.host else node.endpoint.host
    return f"https://{host}:{node.endpoint.port}"


@lru_cache(maxsize=4096)
def _pin(certificate: Hash) -> aiohttp.Fingerprint:
    """The same object for the same certificate: the pool hands a connection out again only for an equal pin, and pins
    are equal only to themselves."""
    return aiohttp.Fingerprint(certificate)

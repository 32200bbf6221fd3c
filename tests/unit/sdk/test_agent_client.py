"""The client of a node's API over real TLS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from flux.agent.head_clock import HeadClock
from flux.agent.identity import NodeIdentity, create
from flux.agent.probes.fresh import STALE, FreshPinger
from flux.contracts.nodes.types import NodeId
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U32
from flux.sdk.agent_api import AgentClient, AgentRefused, head_hash, ping_hash
from flux.sdk.signer import LocalSigner

NODE = NodeId(U32(7))
CALLER = LocalSigner(b"\x01" * 32)


class Agent:
    """A node that signs challenges, and counts the connections that they came over."""

    def __init__(self, identity: NodeIdentity) -> None:
        self._identity = identity
        self.callers: set[object] = set()

    async def ping(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.callers.add(request.transport.get_extra_info("peername"))
        challenge = bytes.fromhex(request.query["challenge"])
        signature = self._identity.signer.sign_hash(ping_hash(NODE, challenge))
        return web.json_response({"signature": to_hex(signature.to_bytes())})


class HostileAgent(Agent):
    """Answers everything with what its operator made up."""

    def __init__(self, identity: NodeIdentity, status: int, body: bytes, headers: dict[str, str]) -> None:
        super().__init__(identity)
        self._answer = (status, body, headers)

    async def ping(self, request: web.Request) -> web.Response:
        status, body, headers = self._answer
        return web.Response(status=status, body=body, headers=headers)


@asynccontextmanager
async def listening(agent: Agent, identity: NodeIdentity) -> AsyncIterator[Any]:
    """The agent's record on chain, as far as a client looks at it. A new one each time, as reads of the chain give."""
    application = web.Application()
    application.router.add_get("/v1/ping", agent.ping)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=identity.tls()).start()
    port = runner.addresses[0][1]

    def record() -> SimpleNamespace:
        endpoint = SimpleNamespace(host="127.0.0.1", port=port, certificate=identity.certificate)
        return SimpleNamespace(id=NODE, agent=identity.signer.address, endpoint=endpoint)

    try:
        yield record
    finally:
        await runner.cleanup()


@pytest.fixture
def identity(tmp_path: Path) -> NodeIdentity:
    return create(tmp_path / "node", "127.0.0.1")


async def test_pings_of_a_node_share_one_connection(identity: NodeIdentity) -> None:
    agent = Agent(identity)
    async with listening(agent, identity) as record, AgentClient() as client:
        for _ in range(5):
            assert await client.ping(record(), 10)
    assert len(agent.callers) == 1


async def test_a_node_with_another_certificate_on_chain_is_not_spoken_to(
    identity: NodeIdentity, tmp_path: Path
) -> None:
    agent = Agent(identity)
    async with listening(agent, identity) as record, AgentClient() as client:
        assert await client.ping(record(), 10)
        impostor = record()
        impostor.endpoint.certificate = create(tmp_path / "other", "127.0.0.1").certificate
        assert not await client.ping(impostor, 10)
    assert len(agent.callers) == 1


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[" * 1_000, b"[]", b"null", b"\xff", b"{}", b'{"signature": 1}', b""]
)
async def test_a_ping_that_is_answered_with_nonsense_is_not_answered(identity: NodeIdentity, body: bytes) -> None:
    async with listening(HostileAgent(identity, 200, body, {}), identity) as record, AgentClient() as client:
        assert await client.ping(record(), 10) is None


class HeadedAgent(Agent):
    """Signs for a head too, with the key of its node or another."""

    def __init__(self, identity: NodeIdentity, signer: NodeIdentity, head: int) -> None:
        super().__init__(identity)
        self._signer = signer
        self._head = head

    async def ping(self, request: web.Request) -> web.Response:
        challenge = bytes.fromhex(request.query["challenge"])
        answer = self._identity.signer.sign_hash(ping_hash(NODE, challenge))
        head = self._signer.signer.sign_hash(head_hash(NODE, challenge, self._head))
        document = {"signature": to_hex(answer.to_bytes()), "head_signature": to_hex(head.to_bytes())}
        return web.json_response({**document, "head": self._head})


async def test_a_probe_tells_the_newest_block_that_a_node_signs_for(identity: NodeIdentity) -> None:
    async with listening(HeadedAgent(identity, identity, 41), identity) as record, AgentClient() as client:
        pong = await client.probe(record(), 10)
        assert pong is not None
        assert pong.head == 41


async def test_a_head_that_the_node_did_not_sign_for_is_no_answer(identity: NodeIdentity, tmp_path: Path) -> None:
    other = create(tmp_path / "other", "127.0.0.1")
    for agent in (HeadedAgent(identity, other, 41), Agent(identity)):
        async with listening(agent, identity) as record, AgentClient() as client:
            assert await client.probe(record(), 10) is None


async def test_a_node_that_answers_and_does_not_follow_the_chain_counts_as_lost(identity: NodeIdentity) -> None:
    now = [0.0]
    heads = HeadClock(lambda: now[0])
    heads.saw(41, heads.now())
    async with listening(HeadedAgent(identity, identity, 41), identity) as record, AgentClient() as client:
        pinger = FreshPinger(client, heads)
        assert await pinger.ping(record(), 10)
        now[0] += 2
        heads.saw(42, heads.now())
        now[0] += STALE - 1
        assert await pinger.ping(record(), 10)
        now[0] += 1
        assert await pinger.ping(record(), 10) is None


async def test_a_refusal_is_read_in_part_and_whatever_its_letters(identity: NodeIdentity) -> None:
    agent = HostileAgent(identity, 500, b"\xff" * (4 << 20), {"Content-Type": "text/plain; charset=utf-8"})
    async with listening(agent, identity) as record, AgentClient() as client:
        with pytest.raises(AgentRefused) as refused:
            await client.download(record(), CALLER, "/v1/ping", 10, 100)
    assert refused.value.status == 500
    assert len(str(refused.value)) < 400


async def test_a_redirect_is_not_followed_to_where_no_certificate_is_on_chain(identity: NodeIdentity) -> None:
    asked = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.Response()

    application = web.Application()
    application.router.add_get("/{path:.*}", elsewhere)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    agent = HostileAgent(identity, 302, b"", {"Location": f"http://127.0.0.1:{runner.addresses[0][1]}/inside"})
    try:
        async with listening(agent, identity) as record, AgentClient() as client:
            assert await client.ping(record(), 10) is None
            with pytest.raises(AgentRefused):
                await client.download(record(), CALLER, "/v1/ping", 10, 100)
    finally:
        await runner.cleanup()
    assert not asked

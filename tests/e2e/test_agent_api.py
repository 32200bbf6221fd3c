"""A node's API on a running cloud: the app's owner reads status and logs, everybody else is refused."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from flux.contracts.market.types import Lease
from flux.contracts.nodes.types import Node
from flux.primitives.types import Hash
from flux.sdk.agent_api import (
    MAX_CLOCK_DIFFERENCE,
    SIGNATURE_HEADER,
    AgentClient,
    AgentRefused,
    signed_headers,
)
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.errors import Unreachable
from flux.sdk.signer import Signer
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.cloud_lab import CloudLab
from support.small_app import small_app

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]
OWNER = development_key(0, LOCAL_CHAIN_ID)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hosted(lab: CloudLab) -> AsyncIterator[tuple[Lease, Node]]:
    """An app of the first development account: its lease and the node that runs it."""
    async with lab.deployed(lab.write("read.yaml", small_app()), "read") as made:
        (lease,) = await lab.running(made["app"])
        yield lease, await Nodes(lab.client).node(lease.node)


def headers(node: Node, signer: Signer, target: str, unix_time: int) -> dict[str, str]:
    return signed_headers(signer, node.endpoint.certificate, "GET", target, unix_time)


async def get(node: Node, target: str, **options: Any) -> tuple[int, str]:
    """A plain request to the node, which presents the certificate that the chain records."""
    url = f"https://{node.endpoint.host}:{node.endpoint.port}{target}"
    pin = aiohttp.Fingerprint(node.endpoint.certificate)
    async with aiohttp.ClientSession() as session, session.get(url, ssl=pin, **options) as answer:
        return answer.status, await answer.text()


async def test_only_the_owner_reads_status_and_logs(hosted: tuple[Lease, Node]) -> None:
    lease, node = hosted
    async with AgentClient() as agents:
        status = await agents.status(node, OWNER, lease.id)
        assert status["waiting_for"] == ""
        (component,) = status["components"]
        assert (component["component"], component["state"]) == ("web", "running")
        lines = [line async for line in agents.logs(node, OWNER, lease.id, follow=False, tail=1000)]
        assert "this is instance 0" in [line["text"] for line in lines]
        others = {number: development_key(number, LOCAL_CHAIN_ID) for number in range(1, 10)}
        operators = [key for key in others.values() if key.address == node.operator]
        assert operators, "the node's operator is one of the development accounts"
        for other in (*operators, others[9]):
            with pytest.raises(AgentRefused) as refused:
                await agents.status(node, other, lease.id)
            assert refused.value.status == 403
            with pytest.raises(AgentRefused) as refused:
                await anext(agents.logs(node, other, lease.id, follow=True, tail=1))
            assert refused.value.status == 403


async def test_logs_are_followed_line_by_line(hosted: tuple[Lease, Node]) -> None:
    lease, node = hosted
    async with AgentClient() as agents:
        begun = time.time_ns()
        async with asyncio.timeout(20):
            async with aclosing(agents.logs(node, OWNER, lease.id, follow=True, tail=0)) as lines:  # type: ignore[type-var]
                new = [line async for line, _ in _first(lines, 3)]
        assert all(line["time_ns"] > begun for line in new)
        assert [line["time_ns"] for line in new] == sorted(line["time_ns"] for line in new)


async def _first(lines: Any, number: int) -> Any:
    count = 0
    async for line in lines:
        count += 1
        yield line, count
        if count == number:
            return


async def test_requests_without_a_fresh_signature_over_themselves_are_refused(hosted: tuple[Lease, Node]) -> None:
    lease, node = hosted
    target, now = f"/v1/leases/{lease.id}/status", int(time.time())
    assert (await get(node, target))[0] == 401, "unsigned"
    signed = headers(node, OWNER, target, now)
    assert (await get(node, target, headers=signed))[0] == 200
    status, reason = await get(node, target, headers=signed)
    assert (status, "already answered" in reason) == (401, True), "replayed"
    assert (await get(node, target, headers=headers(node, OWNER, target, now)))[0] == 200, "the same asked anew"
    elsewhere = headers(node, OWNER, f"/v1/leases/{lease.id}/logs", now)
    assert (await get(node, target, headers=elsewhere))[0] == 401, "signed for another path"
    other_node = node.but(endpoint=node.endpoint.but(certificate=Hash(b"\x01" * 32)))
    assert (await get(node, target, headers=headers(other_node, OWNER, target, now)))[0] == 401, "another node's"
    old = headers(node, OWNER, target, now - MAX_CLOCK_DIFFERENCE - 5)
    assert (await get(node, target, headers=old))[0] == 401, "too old"
    damaged = {**headers(node, OWNER, target, now), SIGNATURE_HEADER: "0x" + "00" * 65}
    assert (await get(node, target, headers=damaged))[0] == 401, "damaged"
    unknown = f"/v1/leases/{2**40}/status"
    assert (await get(node, unknown, headers=headers(node, OWNER, unknown, now)))[0] == 404


async def test_a_node_that_shows_another_certificate_is_not_spoken_to(hosted: tuple[Lease, Node]) -> None:
    lease, node = hosted
    async with AgentClient() as agents:
        endpoint = msgspec.structs.replace(node.endpoint, certificate=Hash(bytes(32)))
        impostor = msgspec.structs.replace(node, endpoint=endpoint)
        assert await agents.ping(node, 5)
        assert not await agents.ping(impostor, 5)
        with pytest.raises(Unreachable):
            await agents.status(impostor, OWNER, lease.id)


async def test_the_command_line_reads_logs_for_the_owner_and_nobody_else(
    lab: CloudLab, hosted: tuple[Lease, Node]
) -> None:
    read = await lab.run("app", "logs", "read", "--tail", "1000")
    assert read.code == 0
    assert "read.0/web" in read.output
    assert "this is instance 0" in read.output
    refused = await lab.run("--account", "dev9", "app", "logs", "read")
    assert refused.code == 3
    assert "only the app's owner" in refused.errors


async def test_exec_passes_streams_and_the_exit_code_on(lab: CloudLab, hosted: tuple[Lease, Node]) -> None:
    done = await lab.run("app", "exec", "read", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.output, done.errors) == (7, "out\n", "err\n")
    sent = os.urandom(2**20)
    copied = await _exec_with_input(lab, sent, "app", "exec", "-i", "read", "--", "cat")
    assert copied == (0, sent)
    refused = await lab.run("--account", "dev9", "app", "exec", "read", "--", "true")
    assert refused.code == 3
    assert "only the app's owner" in refused.errors


async def _exec_with_input(lab: CloudLab, data: bytes, *arguments: str) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "flux.cli.main",
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, **lab.environment},
    )
    output, _ = await asyncio.wait_for(process.communicate(data), 60)
    return process.returncode, output


async def test_exec_is_a_real_terminal(lab: CloudLab, hosted: tuple[Lease, Node]) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flux.cli.main", "app", "exec", "-it", "read", "--", "sh",
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **lab.environment}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""

    async def until(words: bytes) -> None:
        nonlocal seen
        async with asyncio.timeout(30):
            while words not in seen:
                seen += await asyncio.to_thread(os.read, ours, 65536)

    await until(b"# ")
    os.write(ours, b"stty size; sh -c 'echo sle''eps; exec sleep 1000'\r")
    await until(b"33 101")
    await until(b"sleeps")
    os.write(ours, b"\x03echo interr''upted\r")
    await until(b"interrupted")
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 121, 0, 0))
    process.send_signal(signal.SIGWINCH)
    while b"44 121" not in seen:
        os.write(ours, b"stty size\r")
        await until(b"1\r\n")
        seen = seen[-8:] if b"44 121" not in seen else seen
    os.write(ours, b"exit 5\r")
    assert await asyncio.wait_for(process.wait(), 30) == 5
    os.close(ours)

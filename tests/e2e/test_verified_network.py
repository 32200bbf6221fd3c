"""Validators with real CometBFT: a client that believes only them, and nodes that join by state sync."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from flux.agent.identity import create
from flux.primitives.types import flux as whole
from flux.sdk.bindings.nodes import Nodes
from flux.sdk.client import FluxClient
from flux.sdk.transport import HttpTransport
from flux.services.local_places import place
from flux.services.ports import free_port
from flux.services.registration import Declaration, register
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.beside import beside
from support.comet_network import PATIENCE, CometNode, comet_network
from support.command import Finished, run_command
from support.local_chain import HARDWARE

pytestmark = pytest.mark.e2e
BALANCE = ("wallet", "balance", "dev8", "--json")
FLUX = 10**18
JOINS = 8
"""Of four peers three serve damaged chunks, so even fewer joins meet one for certain."""


@asynccontextmanager
async def lying_proxy(url: str) -> AsyncIterator[str]:
    """An endpoint that passes everything on but makes accounts richer, in answers and in the leaves of proofs."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
            reply = await response.json(content_type=None)
        method = json.loads(body)["method"]
        if method == "eth_getBalance":
            reply["result"] = hex(int(reply["result"], 16) + FLUX)
        if method == "flux_getProof":
            reply["result"] = richer(reply["result"])
        return web.json_response(reply)

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def richer(proof: dict[str, Any]) -> dict[str, Any]:
    """A proof of one FLUX more, with the same nodes above the leaf."""
    balance = int(proof["balance"], 16)
    size = (balance.bit_length() + 7) // 8
    *way, leaf = proof["accountProof"]
    stored, more = balance.to_bytes(size, "big").hex(), (balance + FLUX).to_bytes(size, "big").hex()
    assert stored in leaf
    return {**proof, "balance": hex(balance + FLUX), "accountProof": [*way, leaf.replace(stored, more)]}


async def flux(node_url: str, home: Path, *arguments: str) -> Finished:
    return await run_command(*arguments, environment={"FLUX_HOME": str(home), "FLUX_RPC": node_url})


async def take_seat_with_more_stake(node: CometNode, folder: Path) -> None:
    """The operator of the second validator registers a machine with more stake than its seat had, and opts it in."""
    identity = create(folder / "agent", "127.0.0.1")
    site = place(0)
    declaration = Declaration("127.0.0.1", 16_127, site.location, HARDWARE, site.ask, whole(1_300))
    async with HttpTransport(node.url) as transport:
        client = FluxClient(transport)
        number = await register(client, development_key(1, LOCAL_CHAIN_ID), identity, declaration)
        await Nodes(client).activate(identity.signer)
    key = node.home / "cometbft" / "config" / "priv_validator_key.json"
    options = ("--key", str(key), "--node-home", str(folder / "agent"), "--account", "dev1")
    opted_in = await flux(node.url, folder / "home", "validator", "on", str(number), *options)
    assert opted_in.code == 0, opted_in


async def validators_hash(node: CometNode) -> str:
    block = await node.ask("flux_lightBlock")
    return str(block["signed_header"]["header"]["validators_hash"])


async def test_an_endpoint_that_lies_is_caught_also_after_the_validators_changed(tmp_path: Path) -> None:
    async with comet_network(tmp_path, [1_000, 1_000, 1_000, 1_000]) as nodes, lying_proxy(nodes[0].url) as liar:
        first = await flux(nodes[0].url, tmp_path / "home", *BALANCE, "--verify")
        assert first.code == 0, first
        assert first.document["balance"] == "1000000"

        taken_in = await flux(liar, tmp_path / "home", *BALANCE)
        assert taken_in.document["balance"] == "1000001"
        caught = await flux(liar, tmp_path / "home", *BALANCE, "--verify")
        assert caught.code == 1
        assert caught.document["error"]["kind"] == "BadProof"
        assert f"{liar} cannot be believed" in caught.document["error"]["message"]

        before = await validators_hash(nodes[0])
        await take_seat_with_more_stake(nodes[1], tmp_path)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while await validators_hash(nodes[0]) == before:
            assert asyncio.get_running_loop().time() < deadline, "the validator set did not change"
            # A local chain's blocks are trusted for 45 s only: what is trusted has to move along.
            kept_up = await flux(nodes[0].url, tmp_path / "home", *BALANCE, "--verify")
            assert kept_up.code == 0, kept_up
        other = await flux(nodes[1].url, tmp_path / "home", *BALANCE, "--verify")
        assert other.code == 0, other
        assert other.document["balance"] == "1000000"
        caught = await flux(liar, tmp_path / "home", *BALANCE, "--verify")
        assert caught.document["error"]["kind"] == "BadProof"


async def joined(nodes: list[CometNode], folder: Path, home: Path, *options: str) -> CometNode:
    """A further node, once it has caught up."""
    arguments = ("--data", str(folder), "--private", "--p2p-port", str(free_port()), "--comet-port", str(free_port()))
    made = await flux(nodes[0].url, home, "chain", "join", nodes[0].url, *arguments, *options)
    assert made.code == 0, made
    node = CometNode(folder)
    node.start()
    try:
        await node.until_height(await nodes[0].height() + 2)
        height = hex(await node.height())
        own, others = [await item.ask("eth_getBlockByNumber", height, False) for item in (node, nodes[1])]
        assert (own["hash"], own["stateRoot"]) == (others["hash"], others["stateRoot"])
    except BaseException:
        node.stop()
        raise
    return node


async def test_a_fifth_node_joins_by_state_sync_though_most_of_its_peers_serve_damaged_chunks(tmp_path: Path) -> None:
    async with comet_network(tmp_path, [1_000] * 4, "--snapshots", "60") as nodes, beside(keep_damaging(nodes[1:])):
        await nodes[0].until_height(61)
        refused = 0
        for attempt in range(JOINS):
            node = await joined(nodes, tmp_path / f"fifth{attempt}", tmp_path / "home")
            node.stop()
            assert node.log.count("snapshot restored") == 1
            refused += node.log.count("chunk refused")
            if refused:
                break
        assert refused, "no damaged chunk was served"


async def keep_damaging(nodes: list[CometNode]) -> None:
    """As soon as a snapshot is there; each only once."""
    done: set[Path] = set()
    while True:
        for node in nodes:
            for folder in (node.home / "snapshots").glob("[0-9]*"):
                if folder.name.isdigit() and folder not in done:
                    done.add(folder)
                    with suppress(FileNotFoundError):  # the node has dropped it
                        for chunk in folder.glob("[0-9]*"):
                            data = bytearray(chunk.read_bytes())
                            data[len(data) // 2] ^= 0xFF
                            chunk.write_bytes(data)
        await asyncio.sleep(0.02)


async def test_a_node_that_plays_back_every_block_has_the_same_roots_and_a_window_forgets(tmp_path: Path) -> None:
    async with comet_network(tmp_path, [1_000, 1_000]) as nodes:
        await nodes[0].until_height(10)
        node = await joined(nodes, tmp_path / "third", tmp_path / "home", "--from-genesis")
        node.stop()
        for height in ("0x1", "0x5"):
            assert await nodes[0].ask("eth_getBlockByNumber", height, False) is not None
        assert "snapshot restored" not in node.log

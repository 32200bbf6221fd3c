"""A network of validators as their operators run it: `flux chain start` for each, with a real `cometbft` beside it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flux.consensus.cometbft.config import NodeSettings, Timing
from flux.contracts.validators.types import FirstValidator
from flux.primitives.types import U64
from flux.protocol.genesis import DEVELOPMENT_ADDRESSES, Genesis
from flux.sdk.errors import ClientError
from flux.sdk.transport import HttpTransport
from flux.services.chain_home import make_node, new_local_genesis, write_genesis
from flux.services.ports import free_port
from support.waiting import until

PATIENCE = 180.0
TIMING = Timing(pause=0.2)


@dataclass(slots=True)
class CometNode:
    """One node's folder and process."""

    home: Path
    port: int = field(default_factory=free_port)
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.home / "log").read_text(errors="replace")

    def start(self) -> None:
        command = (sys.executable, "-m", "flux.cli.main", "chain", "start", "--data", str(self.home))
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.options], stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        """Stop it and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    async def ask(self, method: str, *params: object) -> Any:
        """One answer of its RPC."""
        async with HttpTransport(self.url) as transport:
            return await transport.request(method, *params)

    async def height(self) -> int:
        """Of its newest block; -1 while it does not answer."""
        try:
            return int(await self.ask("eth_blockNumber"), 16)
        except ClientError:
            return -1

    async def until_height(self, height: int) -> None:
        """Wait for a block."""

        async def is_there() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log[-3000:]
            return await self.height() >= height

        await until(is_there, PATIENCE, lambda: self.log[-3000:], poll=0.1)


def make_network(folder: Path, powers: Sequence[int]) -> tuple[Genesis, list[CometNode]]:
    """The folders of validators that know each other, on one machine."""
    nodes = [CometNode(folder / f"node{number}") for number in range(len(powers))]
    ports = [(free_port(), free_port()) for _ in powers]
    keys = [make_node(node.home, _settings(p2p, rpc)) for node, (p2p, rpc) in zip(nodes, ports, strict=True)]
    peers = [f"{key.node_id}@127.0.0.1:{p2p}" for key, (p2p, _) in zip(keys, ports, strict=True)]
    validators = [
        FirstValidator(key.consensus, DEVELOPMENT_ADDRESSES[index], U64(power))
        for index, (key, power) in enumerate(zip(keys, powers, strict=True))
    ]
    genesis = new_local_genesis(validators)
    for number, (node, (p2p, rpc)) in enumerate(zip(nodes, ports, strict=True)):
        others = tuple(peer for other, peer in enumerate(peers) if other != number)
        make_node(node.home, _settings(p2p, rpc, others))
        write_genesis(node.home, genesis)
    return genesis, nodes


@asynccontextmanager
async def comet_network(folder: Path, powers: Sequence[int], *options: str) -> AsyncIterator[list[CometNode]]:
    """Running validators."""
    _, nodes = make_network(folder, powers)
    try:
        for node in nodes:
            node.options = options
            node.start()
        for node in nodes:
            await node.until_height(2)
        yield nodes
    finally:
        for node in nodes:
            node.stop()


def _settings(p2p_port: int, rpc_port: int, peers: tuple[str, ...] = ()) -> NodeSettings:
    return NodeSettings(
        p2p_host="127.0.0.1", p2p_port=p2p_port, rpc_port=rpc_port, peers=peers, private_network=True, timing=TIMING
    )


def events(log: str, name: str) -> list[dict[str, Any]]:
    """The facts of each line of a node's log with this sentence, whatever form the log has."""
    found = []
    for line in log.splitlines():
        if name in line:
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"line": line})
    return found

"""The engine of a chain with many validators: an ABCI server for the application, `cometbft` supervised beside it."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from flux.chain.application import Application, FinalizedBlock
from flux.chain.block import Block
from flux.chain.receipt import Receipt
from flux.consensus.cometbft.bridge import Bridge
from flux.consensus.cometbft.config import ABCI_SOCKET, NodeSettings, config_text
from flux.consensus.cometbft.errors import ConsensusFailure
from flux.consensus.cometbft.genesis import MAX_BLOCK_BYTES, MAX_BUNDLE_BYTES, comet_genesis
from flux.consensus.cometbft.gossip import Gossip
from flux.consensus.cometbft.keys import read_keys
from flux.consensus.cometbft.messages.tendermint.abci import types_pb2 as abci
from flux.consensus.cometbft.process import CometProcess
from flux.consensus.cometbft.server import Calls, Quick, Slow, serve_abci
from flux.consensus.cometbft.snapshots import NoStateSync, SnapshotCalls
from flux.consensus.snapshot_port import StateSync
from flux.protocol.genesis import Genesis, chain_name

log = structlog.get_logger(__name__)
_FAILURE = "CONSENSUS FAILURE!!!"
_STANDSTILL = 10.0
"""Seconds without a block after CometBFT reported a failure; its process and its RPC live on then, useless."""
_MAX_MESSAGE = MAX_BLOCK_BYTES + (20 << 20)
"""Bytes of one message on the ABCI socket: a block, or a chunk of a snapshot, which has up to 16 MiB."""


@dataclass(frozen=True, slots=True)
class CometOptions:
    """Everything the engine is told beside the chain."""

    program: Path
    home: Path
    """CometBFT's folder, with the node's keys."""
    settings: NodeSettings = field(default_factory=NodeSettings)
    retain_blocks: int = 0
    """How many of its blocks CometBFT keeps; 0 for all."""


class CometEngine:
    """Drives the application as CometBFT decides."""

    name = "cometbft"

    def __init__(
        self,
        application: Application,
        genesis: Genesis,
        options: CometOptions,
        *,
        state_sync: StateSync | None = None,
        report: Callable[[FinalizedBlock], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Write CometBFT's configuration. Raises BadHome.

        `report` is called with each committed block, in the worker thread: dropped transactions and faults, for logs.
        """
        self._application = application
        self._options = options
        self._bridge = Bridge(application, chain_name(genesis), retain_blocks=options.retain_blocks, report=report)
        self._clock = clock
        self._snapshots = SnapshotCalls(state_sync or NoStateSync())
        self._process = CometProcess(options.program, options.home, self._heard)
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._broken: asyncio.Future[None] | None = None
        self._advanced_at = 0.0
        self._failed_at: float | None = None
        self._write(genesis)

    @property
    def pid(self) -> int | None:
        """Of the `cometbft` program while it runs."""
        return self._process.pid

    def notify(self) -> None:
        """A transaction was admitted: CometBFT asks for new ones by itself, some milliseconds apart."""

    async def run(self) -> None:
        """Serve and supervise until `stop`. Raises what makes going on impossible."""
        loop = asyncio.get_running_loop()
        self._broken = loop.create_future()
        async with AsyncExitStack() as stack:
            consensus = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="flux-consensus"))
            snapshots = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="flux-snapshots"))
            transactions = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="flux-gossip"))
            gossip = Gossip(self._application, transactions, self._clock)
            stack.callback(self._bridge.stop)
            stack.callback(self._application.subscribe(self._advanced))
            # CometBFT waits three seconds after a try in vain, so the socket is there first.
            await stack.enter_async_context(
                serve_abci(self._calls(gossip, consensus, snapshots), self._options.home / ABCI_SOCKET, _MAX_MESSAGE)
            )
            tasks: set[asyncio.Future[None]] = {
                asyncio.create_task(self._process.run(), name="cometbft"),
                asyncio.create_task(self._watch(), name="cometbft-height"),
                self._broken,
            }
            stopping = asyncio.create_task(self._until_stopped())
            try:
                done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await self._process.stop()
                self._bridge.stop()
                for task in (*tasks, stopping):
                    task.cancel()
                await asyncio.gather(*tasks, stopping, return_exceptions=True)
            for ended in done:
                ended.result()

    async def wait(self) -> None:
        """Until it ends, which it does by itself only by raising."""
        assert self._task is not None
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Stop CometBFT after the block in progress and end `run`. Stopping twice is harmless."""
        self._stopping.set()
        if self._task is not None and not self._task.done():
            await self._task

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run(), name="flux-cometbft")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _write(self, genesis: Genesis) -> None:
        options = self._options
        read_keys(options.home)
        folder = options.home / "config"
        genesis_text = comet_genesis(genesis)
        config = config_text(options.settings, MAX_BUNDLE_BYTES)
        (folder / "genesis.json").write_text(genesis_text, encoding="utf-8")
        (folder / "config.toml").write_text(config, encoding="utf-8")

    def _calls(self, gossip: Gossip, consensus: ThreadPoolExecutor, snapshots: ThreadPoolExecutor) -> Calls:
        bridge = self._bridge

        def slow(call: Quick, pool: ThreadPoolExecutor) -> Slow:
            async def run(request: abci.Request) -> abci.Response:
                try:
                    return await asyncio.get_running_loop().run_in_executor(pool, call, request)
                except Exception as error:
                    self._break(error)
                    raise

            return run

        return Calls(
            quick={
                "echo": lambda request: abci.Response(echo=abci.ResponseEcho(message=request.echo.message)),
                "info": bridge.info,
                "query": bridge.query,
                "check_tx": gossip.check,
                "insert_tx": gossip.insert,
                "reap_txs": gossip.reap,
                "extend_vote": bridge.extend_vote,
                "verify_vote_extension": bridge.verify_vote_extension,
            },
            slow={
                "init_chain": slow(bridge.init_chain, consensus),
                "prepare_proposal": slow(bridge.prepare_proposal, consensus),
                "process_proposal": slow(bridge.process_proposal, consensus),
                "finalize_block": slow(bridge.finalize_block, consensus),
                "commit": slow(bridge.commit, consensus),
                "list_snapshots": slow(self._snapshots.list, snapshots),
                "load_snapshot_chunk": slow(self._snapshots.load, snapshots),
                "offer_snapshot": slow(self._snapshots.offer, consensus),
                "apply_snapshot_chunk": slow(self._snapshots.apply, consensus),
            },
        )

    def _break(self, error: Exception) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    def _advanced(self, block: Block, receipts: list[Receipt]) -> None:
        self._advanced_at = time.monotonic()

    def _heard(self, message: str) -> None:
        if _FAILURE in message:
            self._failed_at = time.monotonic()

    async def _until_stopped(self) -> None:
        await self._stopping.wait()

    async def _watch(self) -> None:
        """Raise ConsensusFailure when the height stands still after a failure was reported."""
        while True:
            await asyncio.sleep(_STANDSTILL / 10)
            failed_at = self._failed_at
            if failed_at is None or time.monotonic() - failed_at < _STANDSTILL:
                continue
            if self._advanced_at <= failed_at:
                height = self._application.ledger.head().number
                raise ConsensusFailure(
                    f"CometBFT reported a consensus failure and block {height} is the last: see its log; if this "
                    "node alone has stopped, restore it from the others"
                )
            self._failed_at = None

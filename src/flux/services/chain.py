"""The chain process: store, application, an engine, and JSON-RPC on one port."""

import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from flux.chain.application import Application, FinalizedBlock
from flux.chain.pruning import KEEP_ALL
from flux.consensus.cometbft.config import NodeSettings
from flux.consensus.cometbft.engine import CometEngine, CometOptions
from flux.consensus.cometbft.genesis import consensus_params
from flux.consensus.cometbft.light_blocks import CometLightBlocks
from flux.consensus.cometbft.light_proxy import serve_light_proxy
from flux.consensus.cometbft.process import find_program
from flux.consensus.ports import Engine
from flux.consensus.snapshot_port import StateSync
from flux.consensus.snapshots import SnapshotTaker
from flux.consensus.solo import SoloEngine
from flux.consensus.state_sync import FileStateSync
from flux.consensus.threads import threaded_workers
from flux.database.lmdb_store import LmdbStore
from flux.database.snapshot_files import SnapshotFiles
from flux.primitives.types import Address
from flux.protocol import genesis as genesis_file
from flux.protocol.genesis import Genesis
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.registry import ProtocolFactory
from flux.rpc.server import create_app, listen, serve
from flux.services.chain_home import ChainHome, ensure_genesis
from flux.services.descriptors import allow_descriptors
from flux.services.errors import ServiceError
from flux.services.observe.chain import ChainMetrics, TimedApplication
from flux.services.observe.chain_log import tell
from flux.services.observe.server import NOWHERE, ObserveConfig, Observed, process_registry
from flux.services.observe.server import serve as serve_observed

log = structlog.get_logger(__name__)
KEPT_SNAPSHOTS = 2
DEFAULT_PRODUCER = genesis_file.DEVELOPMENT_ADDRESSES[9]


class PortTaken(Exception):
    """Another program listens where the RPC should."""


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """Everything a chain process is told at start."""

    home: Path
    """A ChainHome."""
    host: str = "127.0.0.1"
    port: int = 8545
    producer: Address = DEFAULT_PRODUCER
    """Receives the tips of a solo chain."""
    comet: NodeSettings | None = None
    """With them it takes part in consensus; without, it makes its blocks alone."""
    keep_blocks: int = KEEP_ALL
    """Newest blocks whose transactions, receipts and indices are kept; CometBFT's as well, evidence apart, which it
    keeps as long as it counts."""
    snapshot_interval: int = 0
    """Blocks from one snapshot for joining nodes to the next; 0 takes none."""
    observe: ObserveConfig = NOWHERE


async def run_chain(config: ChainConfig) -> None:
    """Run until cancelled, or until the engine cannot go on.

    Raises GenesisError, PortTaken, UpgradeRequired, ServiceError, CometError, and what opening the store raises.
    """
    home = ChainHome(config.home)
    genesis = ensure_genesis(config.home)
    allow_descriptors()
    async with AsyncExitStack() as stack:
        listener = _listen(config)
        stack.callback(listener.close)
        store = LmdbStore(home.data)
        stack.callback(store.close)
        workers = stack.enter_context(threaded_workers(os.cpu_count() or 1))
        factory = ProtocolFactory(genesis.params)
        application = TimedApplication(
            store, factory, chain_genesis(genesis, factory), workers=workers, keep_blocks=config.keep_blocks
        )
        stack.callback(application.close)
        files = SnapshotFiles(home.snapshots, KEPT_SNAPSHOTS)
        if config.snapshot_interval and config.comet is not None:
            stack.callback(SnapshotTaker(application, files, config.snapshot_interval).close)
        if config.comet is not None and (sync := config.comet.state_sync) is not None:
            server = await stack.enter_async_context(serve_light_proxy(sync.rpc, consensus_params(genesis)))
            config = replace(config, comet=replace(config.comet, state_sync=replace(sync, server=server)))
        registry = process_registry()
        metrics = ChainMetrics(application, registry, "solo" if config.comet is None else "cometbft")

        def report(finalized: FinalizedBlock) -> None:
            metrics.committed(finalized)
            tell(finalized)

        engine = _engine(config, genesis, application, FileStateSync(application, files), report)
        light_blocks = None if config.comet is None else CometLightBlocks(config.comet.rpc_port)
        rpc = create_app(application, engine, light_blocks=light_blocks, genesis=genesis_file.encode(genesis))
        await stack.enter_async_context(engine)
        await stack.enter_async_context(serve(rpc, listener))
        observed = Observed(registry, metrics.checks, metrics.refresh)
        await stack.enter_async_context(serve_observed(config.observe, observed))
        head = application.ledger.head()
        log.info("chain started", chain_id=genesis.chain_id, engine=engine.name, height=head.number, port=config.port)
        stack.callback(lambda: log.info("chain stopped"))
        await engine.wait()


def _engine(
    config: ChainConfig,
    genesis: Genesis,
    application: Application,
    state_sync: StateSync,
    report: Callable[[FinalizedBlock], None],
) -> Engine:
    if config.comet is not None:
        # Who joins from a snapshot plays back what came after it, so CometBFT keeps that much at least.
        since_snapshot = (KEPT_SNAPSHOTS + 1) * config.snapshot_interval
        retained = max(config.keep_blocks, since_snapshot) if config.keep_blocks else KEEP_ALL
        options = CometOptions(find_program(), ChainHome(config.home).comet, config.comet, retained)
        return CometEngine(application, genesis, options, state_sync=state_sync, report=report)
    if genesis.validators:
        raise ServiceError(
            f"the genesis in {config.home} names validators, so no single process may make its blocks",
            "start it with --engine cometbft",
        )
    return SoloEngine(application, config.producer, report=report)


def _listen(config: ChainConfig) -> socket.socket:
    try:
        return listen(config.host, config.port)
    except OSError as error:
        raise PortTaken(
            f"{config.host}:{config.port} cannot be listened on ({error.strerror}): choose another with --port"
        ) from error

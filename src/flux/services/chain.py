"""The chain process: store, application, solo engine, and JSON-RPC on one port."""

import os
import socket
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from flux.chain.application import Application, FinalizedBlock
from flux.consensus.solo import SoloEngine
from flux.consensus.threads import threaded_workers
from flux.database.lmdb_store import LmdbStore
from flux.primitives.hexadecimal import to_hex
from flux.primitives.types import U64, U256, Address, Timestamp, Wei
from flux.protocol import genesis as genesis_file
from flux.protocol.genesis import Allocation, Genesis, GenesisError
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.params import minimal
from flux.protocol.registry import ProtocolFactory
from flux.rpc.server import create_app, listen, serve

log = structlog.get_logger(__name__)
GENESIS_FILE = "genesis.json"
DATA_FOLDER = "data"
DEFAULT_PRODUCER = genesis_file.DEVELOPMENT_ADDRESSES[9]


class PortTaken(Exception):
    """Another program listens where the RPC should."""


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """Everything a chain process is told at start."""

    home: Path
    """Holds genesis.json and data/."""
    host: str = "127.0.0.1"
    port: int = 8545
    producer: Address = DEFAULT_PRODUCER
    """Receives the tips."""


def ensure_genesis(home: Path) -> Genesis:
    """The genesis of `home`; a local one with fast parameters is written when there is none. Raises GenesisError."""
    path = home / GENESIS_FILE
    if path.exists():
        return genesis_file.decode(path.read_text(), path)
    if (home / DATA_FOLDER).exists():
        raise GenesisError(f"{path} is missing beside existing chain data: restore it, or remove {home / DATA_FOLDER}")
    home.mkdir(parents=True, exist_ok=True)
    # A wei that nobody owns makes every local chain another one, also two that begin in the same second.
    unique = Allocation(Address(os.urandom(20)), Wei(U256(1)), "name of this chain")
    genesis = genesis_file.local(Timestamp(U64(int(time.time()))), minimal(), (unique,))
    temporary = path.with_suffix(".new")
    temporary.write_text(genesis_file.encode(genesis))
    temporary.replace(path)
    return genesis


async def run_chain(config: ChainConfig) -> None:
    """Run until cancelled. Raises GenesisError, PortTaken, UpgradeRequired, and what opening the store raises."""
    genesis = ensure_genesis(config.home)
    async with AsyncExitStack() as stack:
        listener = _listen(config)
        stack.callback(listener.close)
        store = LmdbStore(config.home / DATA_FOLDER)
        stack.callback(store.close)
        workers = stack.enter_context(threaded_workers(os.cpu_count() or 1))
        factory = ProtocolFactory(genesis.params)
        application = Application(store, factory, chain_genesis(genesis, factory), workers=workers)
        stack.callback(application.close)
        engine = SoloEngine(application, config.producer, report=_report)
        rpc = create_app(application, engine)
        await stack.enter_async_context(engine)
        await stack.enter_async_context(serve(rpc, listener))
        head = application.ledger.head()
        log.info("chain started", chain_id=genesis.chain_id, height=head.number, port=config.port)
        stack.callback(lambda: log.info("chain stopped"))
        await engine.wait()


def _listen(config: ChainConfig) -> socket.socket:
    try:
        return listen(config.host, config.port)
    except OSError as error:
        raise PortTaken(
            f"{config.host}:{config.port} cannot be listened on ({error.strerror}): choose another with --port"
        ) from error


def _report(finalized: FinalizedBlock) -> None:
    for transaction, error in finalized.dropped:
        log.info("transaction dropped", transaction=to_hex(transaction.hash), reason=str(error))
    for fault in finalized.faults:
        log.error("contract fault", fault=str(fault))

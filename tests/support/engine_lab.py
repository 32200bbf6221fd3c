"""A chain with real accounts under either engine, in this process, on a disk; for tests of what engines promise."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flux.chain.application import Application, FinalizedBlock
from flux.consensus.cometbft.config import NodeSettings, Timing
from flux.consensus.cometbft.engine import CometEngine, CometOptions
from flux.consensus.cometbft.process import find_program
from flux.consensus.ports import Engine
from flux.consensus.solo import SoloEngine, SoloTiming
from flux.consensus.threads import threaded_workers
from flux.contracts.validators.types import FirstValidator
from flux.database.lmdb_store import LmdbStore
from flux.primitives.types import U64, Address, Hash, Timestamp
from flux.protocol.genesis import DEVELOPMENT_ADDRESSES, Genesis
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.registry import ProtocolFactory
from flux.services.chain_home import ChainHome, ensure_genesis, make_node, new_local_genesis, write_genesis
from flux.services.ports import free_port
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.transactions import signed
from support.waiting import until

PRODUCER = DEVELOPMENT_ADDRESSES[9]
STRANGER = Address(b"\x22" * 20)
PATIENCE = 60.0
QUICK = Timing(pause=0.05, gossip=0.01)


def raw_transfer(account: int, nonce: int, value: int = 1, **fields: object) -> bytes:
    """A signed transfer of a development account to a stranger."""
    key = development_key(account, LOCAL_CHAIN_ID).private_key
    usual = {"maxFeePerGas": 100 * 10**9, "maxPriorityFeePerGas": 10**9, "to": "0x" + STRANGER.hex()}
    return signed(key, nonce=nonce, value=value, **{**usual, **fields})


@dataclass(slots=True)
class EngineLab:
    """A running chain."""

    engine: Engine
    application: Application
    genesis: Genesis
    reported: list[FinalizedBlock] = field(default_factory=list)

    @property
    def height(self) -> int:
        return self.application.ledger.head().number

    def balance(self, address: Address) -> int:
        with self.application.ledger.state_at() as view:
            return view.balance(address)

    def submit(self, raw: bytes) -> Hash:
        """As the RPC does."""
        parent = self.application.ledger.head().header
        transaction = self.application.submit(raw, Timestamp(parent.timestamp))
        self.engine.notify()
        return transaction

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Return once the condition holds; fail when the engine ends or it does not hold in time."""
        ended = asyncio.ensure_future(self.engine.wait())

        def holds() -> bool:
            assert not ended.done(), f"the engine ended: {ended.exception()}"
            return condition()

        try:
            await until(holds, seconds)
        finally:
            ended.cancel()

    async def included(self, transaction: Hash) -> None:
        """Wait for a receipt."""
        await self.until(lambda: self.application.ledger.find_receipt(transaction) is not None)


@asynccontextmanager
async def engine_lab(kind: str, home: Path) -> AsyncIterator[EngineLab]:
    """A chain of `solo` or `cometbft` (one validator) in a folder; it goes on where it was."""
    reported: list[FinalizedBlock] = []
    settings = NodeSettings(
        p2p_host="127.0.0.1", p2p_port=free_port(), rpc_port=free_port(), private_network=True, timing=QUICK
    )
    if kind == "cometbft":
        keys = make_node(home, settings)
        if not ChainHome(home).genesis.exists():
            write_genesis(home, new_local_genesis([FirstValidator(keys.consensus, PRODUCER, U64(1_000))]))
    genesis = ensure_genesis(home)
    async with AsyncExitStack() as stack:
        store = stack.enter_context(LmdbStore(ChainHome(home).data))
        workers = stack.enter_context(threaded_workers(2))
        factory = ProtocolFactory(genesis.params)
        chain = chain_genesis(genesis, factory)
        application = Application(store, factory, chain, workers=workers)
        stack.callback(application.close)
        engine: Engine
        if kind == "cometbft":
            options = CometOptions(find_program(), ChainHome(home).comet, settings)
            engine = CometEngine(application, genesis, options, report=reported.append)
        else:
            engine = SoloEngine(application, PRODUCER, timing=SoloTiming(idle=0.2), report=reported.append)
        await stack.enter_async_context(engine)
        yield EngineLab(engine, application, genesis, reported)

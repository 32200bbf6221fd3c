"""Several nodes of one chain under CometBFT on loopback, in this process: each with a store and an engine."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from flux.chain.application import Application, FinalizedBlock
from flux.chain.consensus_info import ConsensusInfo
from flux.chain.system_transaction import info_of
from flux.chain.world import ChainWorld
from flux.consensus.cometbft.config import NodeSettings
from flux.consensus.cometbft.engine import CometEngine, CometOptions
from flux.consensus.cometbft.keys import KEY_FILE, NodeKeys
from flux.consensus.cometbft.process import find_program
from flux.consensus.threads import threaded_workers
from flux.contracts.validators.types import FirstValidator
from flux.database.lmdb_store import LmdbStore
from flux.kernel.context import SYSTEM_ADDRESS, Block, Context, ContractStorage
from flux.kernel.contract import Contract
from flux.kernel.schedule import Clock
from flux.primitives.address import ZERO_ADDRESS
from flux.primitives.types import NO_WEI, U64, U256, Address, ChainTime, Gas, Nonce, Wei
from flux.protocol.genesis import DEVELOPMENT_ADDRESSES, Genesis
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.params import Params
from flux.protocol.registry import ProtocolFactory
from flux.sdk.call import Call
from flux.sdk.signer import LocalSigner
from flux.sdk.transaction import Draft, Fees, sign_transaction
from flux.services.chain_home import ChainHome, make_node, new_local_genesis, write_genesis
from flux.services.ports import free_port
from flux.wallet.development import LOCAL_CHAIN_ID, development_key
from support.engine_lab import QUICK, EngineLab

POWER = 1_000
C = TypeVar("C", bound=Contract)


@dataclass(slots=True)
class Place:
    """A node's folder before it runs."""

    home: Path
    keys: NodeKeys
    settings: NodeSettings

    @property
    def peer(self) -> str:
        return f"{self.keys.node_id}@127.0.0.1:{self.settings.p2p_port}"


@dataclass(slots=True)
class Network:
    """A chain and the folders of its nodes; `run` starts one of them."""

    folder: Path
    genesis: Genesis
    places: list[Place]
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def run(self, index: int) -> EngineLab:
        """Start a node; all others are its peers."""
        place = self.places[index]
        peers = tuple(other.peer for other in self.places if other is not place)
        return await self._start(place, peers)

    async def run_twin(self, index: int) -> EngineLab:
        """Another node with the same consensus key, which knows nothing of what the first has signed."""
        original = self.places[index]
        twin = prepared(self.folder / f"twin {index}")
        shutil.copy(ChainHome(original.home).comet / KEY_FILE, ChainHome(twin.home).comet / KEY_FILE)
        write_genesis(twin.home, self.genesis)
        return await self._start(twin, tuple(other.peer for other in self.places))

    async def _start(self, place: Place, peers: Sequence[str]) -> EngineLab:
        settings = NodeSettings(
            p2p_host="127.0.0.1",
            p2p_port=place.settings.p2p_port,
            rpc_port=place.settings.rpc_port,
            private_network=True,
            timing=QUICK,
            peers=tuple(peers),
        )
        reported: list[FinalizedBlock] = []
        store = self.stack.enter_context(LmdbStore(ChainHome(place.home).data))
        workers = self.stack.enter_context(threaded_workers(2))
        factory = ProtocolFactory(self.genesis.params)
        application = Application(store, factory, chain_genesis(self.genesis, factory), workers=workers)
        self.stack.callback(application.close)
        options = CometOptions(find_program(), ChainHome(place.home).comet, settings)
        engine = CometEngine(application, self.genesis, options, report=reported.append)
        await self.stack.enter_async_context(engine)
        return EngineLab(engine, application, self.genesis, reported)


def prepared(home: Path) -> Place:
    """A folder with keys."""
    settings = NodeSettings(p2p_host="127.0.0.1", p2p_port=free_port(), rpc_port=free_port(), private_network=True)
    return Place(home, make_node(home, settings), settings)


@asynccontextmanager
async def network(
    folder: Path, founders: int, others: int, params: Callable[[Params], Params]
) -> AsyncIterator[Network]:
    """So many validators of the genesis, so many nodes beside them. None runs yet; all end with the context."""
    places = [prepared(folder / str(number)) for number in range(founders + others)]
    first = [
        FirstValidator(place.keys.consensus, operator(number), U64(POWER))
        for number, place in enumerate(places[:founders])
    ]
    made = new_local_genesis(first)
    genesis = made.but(params=params(made.params))
    for place in places:
        write_genesis(place.home, genesis)
    found = Network(folder, genesis, places)
    async with found.stack:
        yield found


def operator(number: int) -> Address:
    """Of the validator with this number."""
    return DEVELOPMENT_ADDRESSES[number]


def last_info(lab: EngineLab) -> ConsensusInfo:
    """What the engine told of the newest block."""
    return info_of(lab.application.ledger.head().transactions[-1])


@contextmanager
def contract(lab: EngineLab, kind: type[C]) -> Iterator[tuple[C, Context]]:
    """A contract over the newest state of a node, and a context to read it in."""
    with lab.application.ledger.snapshot() as snapshot:
        world = ChainWorld(snapshot)
        header = lab.application.ledger.head().header
        now = ChainTime(U64(header.timestamp - Clock(ContractStorage(world, SYSTEM_ADDRESS)).gaps()))
        world.block = Block(header.number, header.timestamp, now, header.seed, header.producer)
        machine = ProtocolFactory(lab.genesis.params)(world)
        (found,) = [item for item in machine.contracts if type(item) is kind]
        yield cast(C, found), Context(ZERO_ADDRESS, NO_WEI, world.block)


def call(account: int, nonce: int, kind: type[Contract], method: str, *arguments: object, value: int = 0) -> bytes:
    """A signed call by a development account; reports of agents offer no fee."""
    (declared,) = [item for item in kind.methods.values() if item.attribute == method]
    target = Call(kind.address, declared.name, tuple(declared.arguments.values()), declared.returns)
    fee = 0 if declared.declaration.lane else 100 * 10**9
    draft = Draft(
        chain_id=U64(LOCAL_CHAIN_ID),
        nonce=Nonce(U64(nonce)),
        to=kind.address,
        value=Wei(U256(value)),
        data=target.encode(*arguments),
        gas_limit=Gas(U64(1_000_000)),
        fees=Fees(max_fee=Wei(U256(fee)), max_priority_fee=Wei(U256(min(fee, 10**9)))),
    )
    return sign_transaction(draft, LocalSigner(development_key(account, LOCAL_CHAIN_ID).private_key)).raw

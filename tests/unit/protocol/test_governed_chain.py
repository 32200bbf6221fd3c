"""A change of parameters on a real chain: blocks, admission, calls of now and of the past, each under its own state."""

from collections.abc import Iterator

import pytest

from flux.chain.application import Application
from flux.chain.consensus_info import ConsensusInfo, ValidatorUpdate
from flux.chain.ports import UpgradeRequired
from flux.chain.simulation import CallRequest
from flux.chain.transaction_errors import GasLimitExceeded
from flux.contracts.addresses import GOVERNOR, PARAMETERS
from flux.contracts.parameters.contract import Parameters
from flux.database.memory_store import MemoryStore
from flux.kernel.context import Context, World
from flux.primitives.types import NO_WEI, U64, U256, Gas, Height, Nonce, Timestamp, Wei
from flux.protocol.chain_ids import LOCAL
from flux.protocol.genesis import Allocation, Genesis
from flux.protocol.genesis_state import chain_genesis
from flux.protocol.machine import ProtocolMachine
from flux.protocol.params import Params, minimal
from flux.protocol.registry import ProtocolFactory
from flux.sdk.call import Call
from flux.sdk.transaction import Draft, Fees, sign_transaction
from support.chain_lab import PRODUCER, START, address, signer
from support.transactions import GWEI

SET = next(item for item in Parameters.methods.values() if item.name == "setParameter")
SCHEDULE = next(item for item in Parameters.methods.values() if item.name == "scheduleUpgrade")
Action = tuple[str, int]


class DecreeMachine(ProtocolMachine):
    """The protocol, with decrees of the Governor at block end."""

    decrees: dict[int, Action]

    def end_block(self, burned: Wei, info: ConsensusInfo) -> tuple[ValidatorUpdate, ...]:
        updates = super().end_block(burned, info)
        block = self._world.block
        if (action := self.decrees.get(block.height)) is not None:
            method = SET if "." in action[0] else SCHEDULE
            data = Call(PARAMETERS, method.name, tuple(method.arguments.values()), None).encode(*action)
            self.call(Context(GOVERNOR, NO_WEI, block), PARAMETERS, data)
        return updates


class Chain:
    """A chain with decrees by height."""

    def __init__(self, decrees: dict[int, Action], params: Params | None = None) -> None:
        factory = ProtocolFactory(params or minimal())

        def machine(world: World) -> DecreeMachine:
            made = DecreeMachine(world, factory.contracts)
            made.decrees = decrees
            return made

        holders = (Allocation(address(1), Wei(U256(10**21)), "user"),)
        self.genesis = Genesis(U64(LOCAL), Timestamp(U64(START)), holders, params or minimal())
        self.store = MemoryStore()
        self.application = Application(self.store, machine, chain_genesis(self.genesis, factory))

    def block(self, seconds: int = 1) -> None:
        head = self.application.ledger.head().header
        timestamp = Timestamp(U64(head.timestamp + seconds))
        self.application.commit(self.application.finalize(self.application.propose(timestamp), timestamp, PRODUCER))

    def value(self, path: str, height: int | None = None) -> int:
        """What `parameter(path)` answers at a height."""
        method = next(item for item in Parameters.methods.values() if item.name == "parameter")
        call = Call(PARAMETERS, method.name, tuple(method.arguments.values()), method.returns)
        at = None if height is None else Height(U64(height))
        result = self.application.call(CallRequest(PARAMETERS, call.encode(path)), at)
        return int(call.decode(result.return_data).value)  # type: ignore[attr-defined]

    def send(self, gas: int) -> None:
        fees = Fees(max_fee=Wei(U256(20 * GWEI)), max_priority_fee=Wei(U256(GWEI)))
        draft = Draft(LOCAL, Nonce(U64(0)), fees, Gas(U64(gas)), address(2), Wei(U256(1)), b"")
        now = self.application.ledger.head().header.timestamp
        self.application.submit(sign_transaction(draft, signer(1)).raw, now)


@pytest.fixture
def chain() -> Iterator[Chain]:
    made = Chain({2: ("chain.block_gas_limit", 60_000_000)})
    yield made
    made.application.close()


def test_every_state_is_read_under_its_own_parameters(chain: Chain) -> None:
    before = minimal().chain.block_gas_limit
    for _ in range(4):
        chain.block()
    at = [chain.value("chain.block_gas_limit", height) for height in range(5)]
    assert at == [before, before, 60_000_000, 60_000_000, 60_000_000]
    blocks = [chain.application.ledger.find_block(Height(U64(height))) for height in range(5)]
    limits = [block.header.gas_limit for block in blocks if block is not None]
    lane = minimal().chain.lane_gas_limit
    assert limits == [before + lane] * 3 + [60_000_000 + lane] * 2
    assert chain.application.all_params(Height(U64(1))).chain.block_gas_limit == before  # type: ignore[attr-defined]
    assert chain.application.all_params().chain.block_gas_limit == 60_000_000  # type: ignore[attr-defined]


def test_admission_follows_the_newest_state(chain: Chain) -> None:
    chain.block()
    chain.send(70_000_000)
    chain.application.mempool.remove(next(iter(chain.application.propose(Timestamp(U64(START + 2))))).hash)
    chain.block()
    assert chain.application.params.block_gas_limit == 60_000_000
    with pytest.raises(GasLimitExceeded):
        chain.send(70_000_000)


def test_a_chain_opened_again_goes_on_under_the_changed_parameters(chain: Chain) -> None:
    chain.block()
    chain.block()
    factory = ProtocolFactory(minimal())
    genesis = Genesis(
        U64(LOCAL), Timestamp(U64(START)), (Allocation(address(1), Wei(U256(10**21)), "user"),), minimal()
    )
    again = Application(chain.store, factory, chain_genesis(genesis, factory))
    assert again.params.block_gas_limit == 60_000_000
    again.close()


def test_an_unknown_upgrade_stops_the_node_before_its_block_and_leaves_it_readable() -> None:
    chain = Chain({1: ("swaps", START + 100)})
    chain.block()
    chain.block(seconds=20)
    chain.block(seconds=20)
    chain.block(seconds=20)
    chain.block(seconds=20)
    height = chain.application.ledger.head().number
    for _ in range(2):
        with pytest.raises(UpgradeRequired, match="swaps"):
            chain.block(seconds=29)
    assert chain.application.ledger.head().number == height
    assert chain.value("market.exclusion") == minimal().market.exclusion
    chain.block(seconds=0)
    chain.application.close()

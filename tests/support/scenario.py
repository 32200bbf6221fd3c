"""Random but repeatable chains: what a simulation needs to know of a protocol, and the counter's answer."""

import random
from collections.abc import Callable
from typing import Protocol

from flux.chain.application import Application
from flux.chain.consensus_info import NO_INFO, CommitVote, ConsensusInfo, ValidatorUpdate
from flux.chain.params import ChainParams
from flux.chain.ports import Genesis, Machine
from flux.chain.store import Store
from flux.kernel.context import World
from flux.primitives.types import U64, Address, ConsensusAddress, Timestamp
from support.chain_lab import PRODUCER, Lab, address, funded
from support.counter import COUNTER, CounterMachine
from support.transactions import PARAMS

ACCOUNTS = 12
AGENTS = (100, 101, 102)


class Scenario(Protocol):
    """A protocol and its random users."""

    params: ChainParams

    def genesis(self) -> Genesis: ...
    def machine(self, world: World) -> Machine: ...
    def transactions(self, application: Application, draw: random.Random) -> list[bytes]:
        """What is sent for the next block; some of it may be invalid. The same for the same state and draws."""
        ...

    def tell(self, application: Application, draw: random.Random) -> ConsensusInfo:
        """What the engine says of the next block."""
        ...

    def told(self, updates: tuple[ValidatorUpdate, ...]) -> None:
        """The engine hears how the validator set changes."""
        ...


class CounterScenario:
    """Every feature of the counter contract, invalid transactions among them."""

    params = PARAMS

    def __init__(self) -> None:
        self._lab: Lab | None = None

    def genesis(self) -> Genesis:
        return funded(ACCOUNTS)

    def machine(self, world: World) -> CounterMachine:
        return CounterMachine(world, self.params)

    def transactions(self, application: Application, draw: random.Random) -> list[bytes]:
        if self._lab is None:
            self._lab = Lab()
        lab = self._lab
        with application.ledger.state_at() as view:
            lab.nonces = {number: view.nonce(address(number)) for number in (*range(ACCOUNTS), *AGENTS)}
        return [self._one(lab, draw) for _ in range(draw.randrange(9))]

    def tell(self, application: Application, draw: random.Random) -> ConsensusInfo:
        votes = [CommitVote(ConsensusAddress(address(number)), number, draw.random() < 0.9) for number in range(4)]
        return draw.choice((NO_INFO, ConsensusInfo(address(0), tuple(votes), ())))

    def told(self, updates: tuple[ValidatorUpdate, ...]) -> None:
        """The counter has no validators."""

    def _one(self, lab: Lab, draw: random.Random) -> bytes:
        account = draw.randrange(ACCOUNTS)
        number = draw.randrange(2_000)
        makers: list[Callable[[], bytes]] = [
            lambda: lab.transaction(account, Address(draw.randbytes(20)), value=number),
            lambda: lab.transaction(account, address(draw.randrange(ACCOUNTS)), value=number, tip=number),
            lambda: lab.call(account, "add(uint64)", number),
            lambda: lab.call(account, "note(string)", "n" * (number % 90)),
            lambda: lab.call(account, "erase()"),
            lambda: lab.call(draw.choice(AGENTS), "tick()", lane=True),
            lambda: lab.call(account, "deposit()", value=number),
            lambda: lab.call(account, "withdraw(uint256)", number),
            lambda: lab.call(account, "remind(uint64,uint64)", number % 50, number),
            lambda: lab.call(account, "shuffle(uint64,uint16)", number, number % 20, gas=2_000_000),
            lambda: lab.call(account, "crash()", gas=60_000),
            lambda: lab.transaction(account, COUNTER, gas=23_000),
            lambda: lab.transaction(account, COUNTER, nonce=lab.nonces[account] + 3),
        ]
        return draw.choice(makers)()


def play(scenario: Scenario, store: Store, blocks: int, seed: int) -> Application:
    """A chain of so many random blocks. The application is the caller's to close."""
    application = Application(store, scenario.machine, scenario.genesis())
    draw = random.Random(seed)
    for _ in range(blocks):
        now = application.ledger.head().header.timestamp
        timestamp = Timestamp(U64(now + draw.choice((0, 0, 1, 1, 2, 7, 40))))
        application.submit_many(scenario.transactions(application, draw), timestamp)
        info = scenario.tell(application, draw)
        finalized = application.finalize(application.propose(timestamp), timestamp, PRODUCER, info)
        scenario.told(finalized.validator_updates)
        application.commit(finalized)
    return application

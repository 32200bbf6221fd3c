"""Random users of the whole protocol on a real chain: every invariant after every block, and no wei made or lost."""

import random
from collections import Counter

import pytest

from flux.chain.application import Application
from flux.contracts.benchmarks.types import NodeMeasured
from flux.contracts.governor.types import ProposalExecuted, VoteCast
from flux.contracts.market.rollout_types import RolloutChanged
from flux.contracts.market.standby_types import StandbyReady, StandbyUsed
from flux.contracts.market.types import CloseReason, LeaseAssigned, LeaseClosed, LeaseRestored
from flux.contracts.oracle.types import PriceFrozen, PriceUpdated
from flux.contracts.rewards.types import NodeRewarded
from flux.contracts.secrets.types import KeepersLow, SeedShared
from flux.contracts.slashing.types import CaseClosed, CaseOpened
from flux.contracts.staking.types import Delegated
from flux.contracts.validators.types import (
    EvidenceIgnored,
    PowerChanged,
    SeedRevealed,
    ValidatorDisabled,
    ValidatorEnabled,
    ValidatorJailed,
    ValidatorTombstoned,
)
from flux.database.memory_store import MemoryStore
from flux.kernel.context import SYSTEM_ADDRESS
from flux.kernel.events import Event, Log, event_codec
from flux.primitives.types import U64, Timestamp
from support.chain_lab import PRODUCER
from support.protocol_scenario import ProtocolScenario

BLOCKS = 250
STEPS = (0, 0, 1, 1, 1, 1, 2, 2, 7, 15, 25, 40)
"""Seconds between blocks; the last is a gap, in which protocol time stands still."""

RARE: tuple[type[Event], ...] = (
    LeaseRestored,
    RolloutChanged,
    ProposalExecuted,
    VoteCast,
    Delegated,
    NodeRewarded,
    NodeMeasured,
    PriceUpdated,
    PriceFrozen,
    CaseOpened,
    CaseClosed,
    ValidatorEnabled,
    ValidatorDisabled,
    PowerChanged,
    ValidatorJailed,
    ValidatorTombstoned,
    EvidenceIgnored,
    SeedRevealed,
    SeedShared,
    KeepersLow,
    StandbyReady,
    StandbyUsed,
)
"""What random users bring about a few times in a run. One seed may miss some; any change plays other runs."""
MISSED = 3
TOPICS = {event_codec(kind).topic0: event_codec(kind) for kind in (LeaseAssigned, LeaseClosed, *RARE)}


class Run:
    """A chain that is played and watched."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.scenario = ProtocolScenario()
        self.application = Application(MemoryStore(), self.scenario.machine, self.scenario.genesis())
        self.seen: Counter[str] = Counter()

    def block(self) -> None:
        """One block of what users send; its events are counted and every invariant is checked."""
        application = self.application
        timestamp = Timestamp(U64(application.ledger.head().header.timestamp + self.draw.choice(STEPS)))
        application.submit_many(self.scenario.transactions(application, self.draw), timestamp)
        finalized = application.finalize(
            application.propose(timestamp), timestamp, PRODUCER, self.scenario.tell(application, self.draw)
        )
        self.scenario.told(finalized.validator_updates)
        assert finalized.faults == []
        application.commit(finalized)
        for receipt in finalized.receipts:
            self.seen["done" if receipt.succeeded else "refused"] += 1
            for log in receipt.logs:
                self._count(log)
        with self.scenario.head(application) as head:
            assert head.problems() == []

    def _count(self, log: Log) -> None:
        assert log.address != SYSTEM_ADDRESS, "work of the protocol failed"
        codec = TOPICS.get(log.topics[0])
        if codec is not None:
            event = codec.decode(log.topics, log.data)
            self.seen[CloseReason(event.reason).name if isinstance(event, LeaseClosed) else type(event).__name__] += 1
            self.seen["in dollars"] += isinstance(event, LeaseAssigned) and bool(event.usd_rate)


@pytest.mark.parametrize("seed", [1, 2, 7, 20])
def test_every_invariant_holds_after_every_block_of_a_chain(seed: int) -> None:
    run = Run(seed)
    for _ in range(BLOCKS):
        run.block()
    run.application.close()
    assert run.seen["LeaseAssigned"] > BLOCKS // 20
    assert run.seen["in dollars"], run.seen
    assert min(run.seen["done"], run.seen["refused"]) > BLOCKS // 10
    assert len([reason for reason in CloseReason if run.seen[reason.name]]) >= 6, run.seen
    assert len([kind for kind in RARE if not run.seen[kind.__name__]]) <= MISSED, run.seen

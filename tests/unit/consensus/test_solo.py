"""When the solo engine makes blocks, and what it does when the disk refuses."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from flux.chain.admission import NotAccepting
from flux.chain.application import FinalizedBlock
from flux.chain.ports import UpgradeRequired
from flux.chain.store import StoreFull
from flux.consensus.ports import Engine
from flux.consensus.solo import SoloEngine, SoloTiming
from flux.consensus.threads import threaded_workers
from flux.database.memory_store import MemoryStore
from flux.primitives.types import U64, Address, Timestamp
from support.chain_lab import PRODUCER, START, Lab, address
from support.counter import CounterMachine

STRANGER = Address(b"\x77" * 20)
NEVER = 3_600.0
PATIENCE = 60.0


class Clock:
    """Unix seconds that the test sets."""

    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        return self.now


class Chain:
    """A lab whose blocks an engine makes."""

    def __init__(self, lab: Lab, engine: SoloEngine, clock: Clock) -> None:
        self.lab = lab
        self.engine = engine
        self.clock = clock

    @property
    def height(self) -> int:
        return self.lab.application.ledger.head().number

    def submit(self, raw: bytes) -> None:
        self.lab.application.submit(raw, Timestamp(U64(int(self.clock.now))))
        self.engine.notify()


@asynccontextmanager
async def running(
    lab: Lab | None = None,
    *,
    timing: SoloTiming | None = None,
    report: Callable[[FinalizedBlock], None] | None = None,
) -> AsyncIterator[Chain]:
    """An engine at work over a lab with threads, idle blocks off unless the timing says otherwise."""
    with threaded_workers(2) as workers:
        lab = lab or Lab(workers=workers)
        clock = Clock()
        chosen = timing or SoloTiming(batching=0.001, idle=NEVER)
        engine: SoloEngine = SoloEngine(lab.application, PRODUCER, clock=clock, timing=chosen, report=report)
        checked: Engine = engine
        async with checked:
            yield Chain(lab, engine, clock)
        lab.application.close()


async def until(lab: Lab, is_true: Callable[[], bool]) -> None:
    """Wait for a condition that a commit brings about."""
    loop = asyncio.get_running_loop()
    committed = asyncio.Event()
    leave = lab.application.subscribe(lambda block, receipts: void(loop.call_soon_threadsafe(committed.set)))
    try:
        async with asyncio.timeout(PATIENCE):
            while not is_true():
                await committed.wait()
                committed.clear()
    finally:
        leave()


def void(_: object) -> None:
    return None


async def test_a_waiting_transaction_gets_a_block_at_once() -> None:
    async with running() as chain:
        chain.submit(chain.lab.transaction(0, STRANGER, value=7))
        await until(chain.lab, lambda: chain.lab.balance(STRANGER) == 7)
        assert chain.height == 1
        assert chain.lab.application.ledger.head().header.producer == PRODUCER


async def test_transactions_that_come_together_share_a_block() -> None:
    async with running(timing=SoloTiming(batching=0.5, idle=NEVER)) as chain:
        for number in range(4):
            chain.submit(chain.lab.transaction(number, STRANGER, value=1))
        await until(chain.lab, lambda: chain.lab.balance(STRANGER) == 4)
        assert chain.height == 1


async def test_an_idle_chain_makes_empty_blocks_at_its_pace() -> None:
    async with running(timing=SoloTiming(idle=0.02)) as chain:
        await until(chain.lab, lambda: chain.height >= 3)
        head = chain.lab.application.ledger.head()
        assert len(head.transactions) == 1
        assert head.header.timestamp == START


async def test_scheduled_work_gets_a_block_when_the_clock_reaches_it_and_not_before() -> None:
    async with running() as chain:
        chain.submit(chain.lab.call(0, "remind(uint64,uint64)", 30, 4))
        await until(chain.lab, lambda: chain.height == 1)
        chain.clock.now = START + 29.5
        chain.engine.notify()
        chain.submit(chain.lab.transaction(1, STRANGER))
        await until(chain.lab, lambda: chain.height == 2)
        assert chain.lab.application.next_due() == START + 30
        chain.clock.now = START + 30
        chain.engine.notify()
        await until(chain.lab, lambda: chain.height == 3)
        receipts = chain.lab.application.ledger.find_receipts(chain.lab.application.ledger.head().number)
        assert receipts is not None
        assert len(receipts[-1].logs) == 1


async def test_a_clock_that_goes_back_never_makes_a_block_before_its_parent() -> None:
    async with running() as chain:
        chain.clock.now = START + 100
        chain.submit(chain.lab.transaction(0, STRANGER))
        await until(chain.lab, lambda: chain.height == 1)
        chain.clock.now = START + 50
        chain.submit(chain.lab.transaction(0, STRANGER))
        await until(chain.lab, lambda: chain.height == 2)
        assert chain.lab.now == START + 100


async def test_transactions_from_many_threads_are_all_included() -> None:
    reported: list[FinalizedBlock] = []
    async with running(report=reported.append) as chain:
        raws = [[chain.lab.transaction(account, STRANGER, value=1) for _ in range(25)] for account in range(4)]

        def send(mine: list[bytes]) -> None:
            for raw in mine:
                chain.submit(raw)

        threads = [threading.Thread(target=send, args=(mine,)) for mine in raws]
        for thread in threads:
            thread.start()
        await until(chain.lab, lambda: chain.lab.balance(STRANGER) == 100)
        for thread in threads:
            thread.join()
    assert sum(len(finalized.block.transactions) - 1 for finalized in reported) == 100
    assert not any(finalized.dropped for finalized in reported)


async def test_a_dropped_transaction_is_reported() -> None:
    reported: list[FinalizedBlock] = []
    async with running(timing=SoloTiming(batching=0.2, idle=NEVER), report=reported.append) as chain:
        chain.submit(chain.lab.call(50, "tick()", lane=True))
        chain.submit(chain.lab.call(50, "tick()", lane=True))
        await until(chain.lab, lambda: chain.height == 1)
        await chain.engine.stop()
    assert [len(finalized.dropped) for finalized in reported] == [1]


class Disk(MemoryStore):
    """A store that can be full."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.refused = threading.Event()

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        if self.is_full:
            self.refused.set()
            raise StoreFull("no room on the disk; free some space")
        super().commit(writes)


async def test_a_full_disk_stops_admission_loses_nothing_and_is_tried_again_until_there_is_room() -> None:
    disk, resumed = Disk(), threading.Event()
    timing = SoloTiming(batching=0.001, idle=NEVER, retry=0.01)
    async with running(Lab(disk), timing=timing, report=lambda _: resumed.set()) as chain:
        application = chain.lab.application
        disk.is_full = True
        chain.submit(chain.lab.transaction(0, STRANGER, value=3))
        for _ in range(2):
            assert await asyncio.to_thread(disk.refused.wait, PATIENCE)
            disk.refused.clear()
        assert chain.height == 0
        assert application.suspended == "no room on the disk; free some space"
        with pytest.raises(NotAccepting, match="free some space"):
            chain.submit(chain.lab.transaction(1, STRANGER))
        disk.is_full = False
        await until(chain.lab, lambda: chain.lab.balance(STRANGER) == 3)
        assert await asyncio.to_thread(resumed.wait, PATIENCE)
        assert application.suspended is None
        chain.submit(chain.lab.transaction(1, STRANGER, value=1, nonce=0))
        await until(chain.lab, lambda: chain.lab.balance(STRANGER) == 4)


async def test_stopping_while_the_disk_is_full_keeps_the_chain_at_its_last_block() -> None:
    disk = Disk()
    async with running(Lab(disk), timing=SoloTiming(batching=0.001, idle=NEVER, retry=NEVER)) as chain:
        disk.is_full = True
        chain.submit(chain.lab.transaction(0, STRANGER, value=3))
        assert await asyncio.to_thread(disk.refused.wait, PATIENCE)
    disk.is_full = False
    lab = Lab(disk)
    assert lab.application.ledger.head().number == 0
    assert lab.block(lab.transaction(0, STRANGER, value=3))[0].succeeded


async def test_a_bug_in_the_protocols_own_work_ends_the_engine_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: CounterMachine, burned: int, info: object) -> None:
        raise RuntimeError("a bug at block end")

    lab = Lab()
    monkeypatch.setattr(CounterMachine, "end_block", broken)
    engine = SoloEngine(lab.application, PRODUCER, timing=SoloTiming(idle=0.001))
    with pytest.raises(RuntimeError, match="a bug at block end"):
        await engine.run()
    assert lab.application.ledger.head().number == 0


async def test_stopping_ends_its_threads_and_stopping_again_is_harmless() -> None:
    before = set(threading.enumerate())
    async with running() as chain:
        chain.submit(chain.lab.transaction(0, STRANGER))
        await until(chain.lab, lambda: chain.height == 1)
        await chain.engine.stop()
        await chain.engine.stop()
    assert {thread for thread in threading.enumerate() if thread.name.startswith("flux")} <= before
    chain.engine.notify()


def test_signatures_are_recovered_by_threads_and_bad_ones_left_alone() -> None:
    lab = Lab()
    transactions = [lab.decoded(lab.transaction(number % 4, STRANGER)) for number in range(40)]
    transactions[7].r = 5
    with threaded_workers(3) as workers:
        workers.recover(transactions)
        workers.recover([])
    expected = [None if number == 7 else address(number % 4) for number in range(40)]
    found = [transaction.sender for transaction in transactions]
    assert found[:7] + found[8:] == expected[:7] + expected[8:]
    assert found[7] != address(3)


async def test_an_upgrade_that_this_software_does_not_know_ends_the_engine_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as chain:

        def refuse(*_: object) -> FinalizedBlock:
            raise UpgradeRequired("install another version")

        monkeypatch.setattr(chain.lab.application, "finalize", refuse)
        chain.submit(chain.lab.transaction(0, STRANGER, value=1))
        with pytest.raises(UpgradeRequired, match="install another version"):
            await asyncio.wait_for(chain.engine.wait(), PATIENCE)
        assert chain.height == 0

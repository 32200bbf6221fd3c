import asyncio
import threading
from collections.abc import Sequence

import pytest

from flux.chain.transaction_errors import AlreadyKnown
from flux.primitives.types import Hash, Timestamp
from flux.rpc import intake as intake_module
from flux.rpc.dispatch import Dispatcher, Limits
from flux.rpc.errors import RpcError
from flux.rpc.intake import Intake, Outcome
from flux.rpc.methods import inline, read, scan
from flux.rpc.workers import Pool


class Gate:
    """Work that stays until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        assert self.open.wait(10)
        return "done"


class TransactionPool:
    """Takes everything but b"bad"; remembers what came together. Stays in the gate when there is one."""

    def __init__(self, gate: Gate | None = None) -> None:
        self.together: list[list[bytes]] = []
        self.gate = gate
        self.failure: Exception | None = None

    def submit_many(self, raws: Sequence[bytes], now: Timestamp) -> list[Outcome]:
        self.together.append(list(raws))
        if self.gate is not None:
            self.gate()
        if self.failure is not None:
            raise self.failure
        return [AlreadyKnown() if raw == b"bad" else Hash(raw) for raw in raws]


async def test_a_slow_search_holds_up_neither_reads_nor_the_event_loop() -> None:
    gate = Gate()
    table = {"slow": scan(gate), "quick": read(lambda: "read"), "now": inline(lambda: "inline")}
    reads, scans = Pool("read", 1, 1), Pool("scan", 1, 1)
    dispatcher = Dispatcher(table, Intake(TransactionPool(), lambda: 0, lambda: None), reads, scans, {}, Limits())

    async def ask(method: str) -> bytes:
        return await dispatcher.handle(b'{"jsonrpc":"2.0","id":1,"method":"%b"}' % method.encode())

    slow = [asyncio.create_task(ask("slow")) for _ in range(2)]
    await asyncio.to_thread(gate.entered.wait)
    assert b'"read"' in await ask("quick")
    assert b'"inline"' in await ask("now")
    refused = await ask("slow")
    assert b"-32005" in refused
    assert b"try again in a moment" in refused
    batch = await dispatcher.handle(
        b'[{"jsonrpc":"2.0","id":1,"method":"slow"},{"jsonrpc":"2.0","id":2,"method":"now"}]'
    )
    assert b"-32005" in batch
    assert b'"inline"' in batch
    gate.open.set()
    assert all(b'"done"' in answer for answer in await asyncio.gather(*slow))
    assert b'"done"' in await ask("slow")
    reads.close()
    scans.close()


async def test_a_caller_that_has_gone_keeps_its_place_until_the_work_ends() -> None:
    gate = Gate()
    pool = Pool("read", 1, 0)
    gone = asyncio.create_task(pool.run(gate))
    await asyncio.to_thread(gate.entered.wait)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    with pytest.raises(RpcError):
        await pool.run(lambda: 1)
    gate.open.set()
    for _ in range(1_000):
        await asyncio.to_thread(lambda: None)
        try:
            assert await pool.run(lambda: 1) == 1
            break
        except RpcError:
            continue
    else:
        raise AssertionError("the place was never free again")
    pool.close()


async def test_a_bug_in_a_method_is_an_internal_error_without_its_text() -> None:
    def broken() -> None:
        raise RuntimeError("the secret reason")

    pool = Pool("read", 1, 1)
    dispatcher = Dispatcher(
        {"broken": inline(broken), "slow": read(broken)},
        Intake(TransactionPool(), lambda: 0, lambda: None),
        *(pool, pool),
        {},
        Limits(),
    )
    for body in (b'{"jsonrpc":"2.0","id":1,"method":"broken"}', b'{"jsonrpc":"2.0","id":1,"method":"slow"}'):
        for sent in (body, b"[" + body + b"]"):
            answer = await dispatcher.handle(sent)
            assert b"-32603" in answer
            assert b"secret" not in answer
    pool.close()


async def test_what_arrives_in_one_turn_goes_in_together() -> None:
    pool, told = TransactionPool(), []
    intake = Intake(pool, lambda: 0, lambda: told.append(1))
    outcomes = await asyncio.gather(*[intake.submit(raw) for raw in (b"a", b"bad", b"c")])
    assert pool.together == [[b"a", b"bad", b"c"]]
    assert outcomes[0] == b"a"
    assert isinstance(outcomes[1], AlreadyKnown)
    assert told == [1]
    await intake.submit(b"bad")
    assert told == [1]
    intake.close()


async def test_what_arrives_while_others_are_checked_goes_in_next() -> None:
    gate = Gate()
    pool = TransactionPool(gate)
    intake = Intake(pool, lambda: 0, lambda: None)
    first = intake.submit(b"first")
    await asyncio.to_thread(gate.entered.wait)
    rest = [intake.submit(b"%d" % number) for number in range(5)]
    gate.open.set()
    await asyncio.gather(first, *rest)
    assert pool.together == [[b"first"], [b"%d" % number for number in range(5)]]
    intake.close()


async def test_the_intake_refuses_rather_than_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_WAITING", 3)
    monkeypatch.setattr(intake_module, "MAX_TOGETHER", 2)
    gate = Gate()
    pool = TransactionPool(gate)
    intake = Intake(pool, lambda: 0, lambda: None)
    taken = [intake.submit(b"%d" % number) for number in range(3)]
    with pytest.raises(RpcError, match="too many transactions are waiting"):
        intake.submit(b"more")
    gate.open.set()
    await asyncio.gather(*taken)
    assert [len(lot) for lot in pool.together] == [2, 1]
    intake.close()


async def test_a_failure_of_the_application_reaches_every_caller_and_the_next_ones_are_served() -> None:
    pool = TransactionPool()
    intake = Intake(pool, lambda: 0, lambda: None)
    pool.failure = RuntimeError("no")
    failed = await asyncio.gather(intake.submit(b"a"), intake.submit(b"b"), return_exceptions=True)
    assert [type(item) for item in failed] == [RuntimeError, RuntimeError]
    pool.failure = None
    assert await intake.submit(b"c") == b"c"
    intake.close()


async def test_closing_the_intake_lets_nobody_wait_for_ever() -> None:
    gate = Gate()
    intake = Intake(TransactionPool(gate), lambda: 0, lambda: None)
    begun = intake.submit(b"a")
    await asyncio.to_thread(gate.entered.wait)
    waiting = intake.submit(b"b")
    begun.cancel()
    gate.open.set()
    intake.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.to_thread(lambda: None)


async def test_a_request_over_the_limit_is_refused_whatever_brought_it() -> None:
    pool = Pool("read", 1, 1)
    intake = Intake(TransactionPool(), lambda: 0, lambda: None)
    dispatcher = Dispatcher({}, intake, pool, pool, {}, Limits(body=10))
    assert b"request too large: at most 10 bytes" in await dispatcher.handle(b" " * 11)
    pool.close()
    intake.close()

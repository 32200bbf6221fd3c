"""Admission, proposals, finalize and commit, calls: what RPC and engines ask of the application."""

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from flux.chain.admission import NotAccepting
from flux.chain.application import BadBlock
from flux.chain.history import StateUnavailable
from flux.chain.mempool_limits import MempoolLimits
from flux.chain.ports import Workers, recover_in_turn
from flux.chain.simulation import CallRequest, ContractFault, ExecutionReverted, OutOfGas
from flux.chain.state_root import code_of
from flux.chain.store import StoreFull
from flux.chain.transaction import Transaction
from flux.chain.transaction_errors import (
    AlreadyKnown,
    FeeCapTooLow,
    GasLimitExceeded,
    InsufficientFunds,
    IntrinsicGasTooLow,
    InvalidSender,
    LaneRefused,
    NonceTooLow,
    OversizedData,
    TransactionError,
    Undecodable,
    WrongChain,
)
from flux.kernel.revert_data import encode_error
from flux.primitives.types import U32, U64, U256, Address, Gas, Hash, Height, Timestamp, Wei
from flux.sdk.client import LANE_GAS
from support.chain_lab import FUNDS, PRODUCER, Lab, address, with_params
from support.counter import COUNTER, TickedAlready, TooMuch, encode
from support.transactions import GWEI

STRANGER = Address(b"\x77" * 20)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def submit(lab: Lab, raw: bytes) -> Hash:
    return lab.application.submit(raw, lab.now)


def view_call(lab: Lab, signature: str, *arguments: object, number: int | None = None) -> int:
    height = None if number is None else Height(U64(number))
    result = lab.application.call(CallRequest(COUNTER, encode(signature, *arguments)), height)
    assert result.revert_data is None
    return int.from_bytes(result.return_data, "big")


class TestAdmission:
    def test_a_submitted_transaction_waits_and_then_is_in_the_next_block(self, lab: Lab) -> None:
        raw = lab.transaction(0, STRANGER, value=5)
        assert not lab.application.has_work(lab.now)
        transaction_hash = submit(lab, raw)
        assert lab.application.has_work(lab.now)
        assert lab.application.find_pending(transaction_hash) == lab.decoded(raw)
        assert lab.application.pending_nonce(address(0)) == 1
        lab.produce()
        assert lab.application.find_pending(transaction_hash) is None
        assert lab.application.ledger.find_receipt(transaction_hash) is not None
        assert not lab.application.has_work(lab.now)
        assert lab.application.pending_nonce(address(0)) == 1

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"nonce": 0}, NonceTooLow),
            ({"value": FUNDS}, InsufficientFunds),
            ({"fee": GWEI - 1}, FeeCapTooLow),
            ({"gas": 20_999}, IntrinsicGasTooLow),
            ({"gas": 300_000_001}, GasLimitExceeded),
            ({"chain_id": 1}, WrongChain),
            ({"data": bytes(300_000), "gas": 5_000_000}, OversizedData),
            ({"lane": True}, FeeCapTooLow),
            ({"lane": True, "gas": LANE_GAS + 1}, GasLimitExceeded),
        ],
    )
    def test_a_bad_transaction_is_refused_with_ethereums_words(
        self, lab: Lab, fields: dict[str, Any], error: type[TransactionError]
    ) -> None:
        lab.block(lab.transaction(0, STRANGER))
        with pytest.raises(error, match=re.escape(error.words)):
            submit(lab, lab.transaction(0, STRANGER, **fields))
        assert len(lab.application.mempool) == 0

    def test_the_same_transaction_twice_is_known(self, lab: Lab) -> None:
        raw = lab.transaction(0, STRANGER)
        submit(lab, raw)
        with pytest.raises(AlreadyKnown):
            submit(lab, raw)

    def test_a_batch_answers_for_each_and_recovers_signatures_together(self) -> None:
        batches: list[int] = []

        def recover(transactions: Sequence[Transaction]) -> None:
            batches.append(len(transactions))
            recover_in_turn(transactions)

        lab = Lab(workers=Workers(recover, nullcontext()))
        good = [lab.transaction(0, STRANGER) for _ in range(3)]
        forged = bytearray(lab.transaction(1, STRANGER))
        forged[-40] ^= 1
        answers = lab.application.submit_many([good[0], b"\xc0", good[1], bytes(forged), good[2], good[0]], lab.now)
        hashes = [lab.decoded(raw).hash for raw in good]
        assert [answers[0], answers[2], answers[4]] == hashes
        assert isinstance(answers[1], Undecodable)
        assert isinstance(answers[3], InvalidSender | InsufficientFunds)
        assert isinstance(answers[5], AlreadyKnown)
        assert batches == [5]
        assert not lab.produce().dropped
        assert all(lab.application.ledger.find_receipt(found) for found in hashes)

    def test_a_report_is_tried_before_it_is_taken(self, lab: Lab) -> None:
        lab.block(lab.call(50, "tick()", lane=True))
        with pytest.raises(LaneRefused) as caught:
            submit(lab, lab.call(50, "tick()", lane=True))
        assert caught.value.data == encode_error(TickedAlready(address(50), lab.application.ledger.head().number))
        lab.block()
        submit(lab, lab.call(50, "tick()", lane=True, nonce=1))
        assert not lab.produce().dropped

    def test_a_transaction_whose_nonce_another_used_leaves_and_those_behind_it_stay(self, lab: Lab) -> None:
        lab.block(lab.transaction(0, address(60), value=10**18))
        spend = submit(lab, lab.transaction(60, STRANGER, value=9 * 10**17))
        behind = submit(lab, lab.transaction(60, STRANGER, value=1))
        finalized = lab.finalize([lab.transaction(60, STRANGER, value=8 * 10**17, nonce=0, fee=30 * GWEI)])
        lab.application.commit(finalized)
        assert lab.application.find_pending(spend) is None
        assert lab.application.find_pending(behind) is not None
        assert not lab.produce().dropped
        assert lab.application.ledger.find_receipt(behind) is not None

    def test_a_report_overtaken_by_the_state_is_dropped_with_its_reason(self, lab: Lab) -> None:
        lab.block(lab.call(0, "add(uint64)", 1))
        first = submit(lab, lab.call(50, "tick()", lane=True))
        second = submit(lab, lab.call(50, "tick()", lane=True))
        produced = lab.produce()
        assert [dropped.hash for dropped, _ in produced.dropped] == [second]
        assert lab.application.ledger.find_receipt(first) is not None
        assert lab.application.find_pending(second) is None
        assert isinstance(lab.application.find_dropped(second), LaneRefused)
        assert lab.application.find_dropped(first) is None

    def test_what_does_not_fit_a_block_waits_for_the_next(self) -> None:
        lab = Lab(params=with_params(block_gas_limit=Gas(U64(50_000))))
        hashes = [submit(lab, lab.transaction(number % 2, STRANGER)) for number in range(5)]
        sizes = [len(lab.produce().block.transactions) - 1 for _ in range(4)]
        assert sizes == [2, 2, 1, 0]
        assert all(lab.application.ledger.find_receipt(found) for found in hashes)

    def test_a_suspended_application_refuses_and_keeps_what_it_has(self, lab: Lab) -> None:
        submit(lab, lab.transaction(0, STRANGER))
        lab.application.suspend("no room on the disk")
        assert lab.application.suspended == "no room on the disk"
        with pytest.raises(NotAccepting, match="not accepted now: no room on the disk"):
            submit(lab, lab.transaction(1, STRANGER))
        (answer,) = lab.application.submit_many([lab.transaction(2, STRANGER)], lab.now)
        assert isinstance(answer, NotAccepting)
        lab.application.resume()
        submit(lab, lab.transaction(3, STRANGER))
        assert len(lab.produce().block.transactions) == 3

    def test_the_mempool_is_only_touched_under_the_guard(self) -> None:
        class Guard:
            held = 0

            def __enter__(self) -> None:
                self.held += 1

            def __exit__(self, *_: object) -> None:
                self.held -= 1

        guard = Guard()
        lab = Lab(workers=Workers(recover_in_turn, guard))
        touched: list[str] = []

        def watch(name: str, method: Callable[..., object]) -> Callable[..., object]:
            def watched(*arguments: object, **options: object) -> object:
                assert guard.held, f"{name} without the guard"
                touched.append(name)
                return method(*arguments, **options)

            return watched

        for name in ("add", "select", "committed", "pending_nonce", "find", "has_executable", "remove"):
            setattr(lab.application.mempool, name, watch(name, getattr(lab.application.mempool, name)))
        lab.block(lab.call(0, "add(uint64)", 1))
        submit(lab, lab.call(50, "tick()", lane=True))
        submit(lab, lab.call(50, "tick()", lane=True))
        lab.application.pending_nonce(address(50))
        lab.application.find_pending(Hash(bytes(32)))
        lab.application.has_work(lab.now)
        lab.produce()
        assert set(touched) == {"add", "select", "committed", "pending_nonce", "find", "has_executable", "remove"}

    def test_limits_of_the_mempool_are_the_nodes_choice(self) -> None:
        lab = Lab(limits=MempoolLimits(per_account=2))
        answers = lab.application.submit_many([lab.transaction(0, STRANGER) for _ in range(3)], lab.now)
        assert [isinstance(answer, TransactionError) for answer in answers] == [False, False, True]


class TestBlocks:
    def test_finalize_persists_nothing_and_keeps_its_answer(self, lab: Lab) -> None:
        raws = [lab.transaction(0, STRANGER, value=5)]
        first = lab.finalize(raws)
        assert lab.finalize(raws) is first
        assert lab.balance(STRANGER) == 0
        assert lab.application.ledger.head().number == 0
        lab.application.commit(first)
        assert lab.balance(STRANGER) == 5

    def test_another_proposal_for_the_same_height_starts_from_the_committed_state(self, lab: Lab) -> None:
        first = lab.finalize([lab.transaction(0, STRANGER, value=5)])
        second = lab.finalize([lab.transaction(1, STRANGER, value=7)])
        assert lab.finalize([lab.transaction(0, STRANGER, value=5, nonce=0)]) is first
        for number in range(20):
            lab.finalize([lab.transaction(2, STRANGER, value=number, nonce=0)])
        again = lab.finalize([lab.transaction(0, STRANGER, value=5, nonce=0)])
        assert (again.block, again is first) == (first.block, False)
        lab.application.commit(second)
        assert lab.balance(STRANGER) == 7

    def test_time_producer_and_order_are_part_of_a_blocks_identity(self, lab: Lab) -> None:
        transactions = [lab.decoded(lab.transaction(number, STRANGER)) for number in range(2)]
        later = Timestamp(U64(lab.now + 2))
        blocks = {
            lab.application.finalize(chosen, time, producer).block.hash
            for chosen in (transactions, transactions[::-1])
            for time in (lab.now, later)
            for producer in (PRODUCER, STRANGER)
        }
        assert len(blocks) == 8

    def test_a_block_before_its_parent_is_refused(self, lab: Lab) -> None:
        with pytest.raises(BadBlock, match="before its parent"):
            lab.application.finalize([], Timestamp(U64(lab.now - 1)), PRODUCER)

    def test_blocks_may_share_a_second(self, lab: Lab) -> None:
        lab.block(seconds=0)
        lab.block(seconds=0)
        assert lab.application.ledger.head().number == 2

    def test_a_block_that_does_not_follow_the_head_is_not_committed(self, lab: Lab) -> None:
        finalized = lab.finalize([])
        lab.application.commit(finalized)
        with pytest.raises(BadBlock, match="does not follow"):
            lab.application.commit(finalized)

    def test_listeners_hear_of_every_committed_block_until_they_leave(self, lab: Lab) -> None:
        heard: list[tuple[int, int, int]] = []

        def listener(block: Any, receipts: Any) -> None:
            assert lab.application.ledger.head() == block
            heard.append((block.number, len(block.transactions), len(receipts)))

        leave = lab.application.subscribe(listener)
        lab.block(lab.transaction(0, STRANGER))
        leave()
        lab.block()
        assert heard == [(1, 2, 2)]

    def test_the_base_fee_rises_with_use_and_falls_with_time(self) -> None:
        lab = Lab(params=with_params(gas_target_per_second=Gas(U64(1_000)), base_fee_update_fraction=U64(100_000)))
        start = lab.application.next_base_fee(lab.now)
        lab.block(*[lab.transaction(0, STRANGER) for _ in range(10)])
        risen = lab.application.next_base_fee(lab.now)
        assert risen > start
        assert start < lab.application.next_base_fee(Timestamp(U64(lab.now + 10))) < risen
        assert lab.application.next_base_fee(Timestamp(U64(lab.now - 99))) == risen
        assert lab.application.next_base_fee(Timestamp(U64(lab.now + 1_000))) == start
        assert lab.finalize([], seconds=10).block.header.base_fee == lab.application.next_base_fee(
            Timestamp(U64(lab.now + 10))
        )

    def test_a_full_disk_loses_nothing(self) -> None:
        lab = Lab()
        transaction_hash = submit(lab, lab.transaction(0, STRANGER, value=3))
        finalized = lab.application.finalize(lab.application.propose(lab.now), lab.now, PRODUCER)

        def refuse(writes: object) -> None:
            raise StoreFull("no room")

        commit, lab.store.commit = lab.store.commit, refuse  # type: ignore[method-assign]
        with pytest.raises(StoreFull):
            lab.application.commit(finalized)
        assert lab.application.find_pending(transaction_hash) is not None
        lab.store.commit = commit  # type: ignore[method-assign]
        lab.application.commit(finalized)
        assert lab.application.ledger.find_receipt(transaction_hash) is not None


class TestCalls:
    def test_a_call_sees_the_newest_state_and_leaves_no_trace(self, lab: Lab) -> None:
        lab.block(lab.call(0, "add(uint64)", 5))
        before = lab.finalize([]).block.header.state_root
        result = lab.application.call(CallRequest(COUNTER, encode("add(uint64)", 7), address(0)))
        assert int.from_bytes(result.return_data, "big") == 12
        assert len(result.logs) == 1
        assert view_call(lab, "count(address)", address(0)) == 5
        assert lab.finalize([]).block.header.state_root == before

    def test_a_call_may_look_at_an_earlier_height(self, lab: Lab) -> None:
        for _ in range(4):
            lab.block(lab.call(0, "add(uint64)", 5))
        assert [view_call(lab, "count(address)", address(0), number=number) for number in range(5)] == [
            0,
            5,
            10,
            15,
            20,
        ]
        with pytest.raises(StateUnavailable):
            view_call(lab, "count(address)", address(0), number=5)

    def test_a_call_runs_at_the_time_of_its_block(self, lab: Lab) -> None:
        lab.block(seconds=7)
        lab.block(seconds=500)
        assert view_call(lab, "time()", number=1) == lab.now - 500
        assert view_call(lab, "time()") == lab.now - 500

    def test_a_revert_comes_back_as_data(self, lab: Lab) -> None:
        result = lab.application.call(CallRequest(COUNTER, encode("add(uint64)", 5_000)))
        assert result.revert_data == encode_error(TooMuch(U64(5_000), U64(1_000)))

    def test_a_call_of_an_account_without_a_contract_returns_nothing(self, lab: Lab) -> None:
        result = lab.application.call(CallRequest(STRANGER, b"\x01"))
        assert (result.return_data, result.revert_data, result.gas_used) == (b"", None, 21_016)

    def test_gas_is_bounded_by_the_chain_and_by_the_caller(self) -> None:
        lab = Lab(params=with_params(call_gas_limit=Gas(U64(25_000))))
        for gas in (None, Gas(U64(10**9)), Gas(U64(1))):
            with pytest.raises(OutOfGas, match="out of gas"):
                lab.application.call(CallRequest(COUNTER, encode("add(uint64)", 1), gas=gas))
        with pytest.raises(OutOfGas):
            lab.application.call(CallRequest(STRANGER, gas=Gas(U64(20_000))))

    def test_value_must_be_there(self, lab: Lab) -> None:
        with pytest.raises(InsufficientFunds):
            lab.application.call(CallRequest(COUNTER, encode("deposit()"), STRANGER, Wei(U256(1))))
        assert (
            lab.application.call(CallRequest(COUNTER, encode("deposit()"), address(0), Wei(U256(1)))).revert_data
            is None
        )

    def test_a_bug_in_a_contract_is_a_typed_error_with_its_cause(self, lab: Lab) -> None:
        with pytest.raises(ContractFault) as caught:
            lab.application.call(CallRequest(COUNTER, encode("crash()")))
        assert isinstance(caught.value.__cause__, KeyError)

    def test_an_estimate_is_enough_and_exact_for_a_transfer(self, lab: Lab) -> None:
        assert lab.application.estimate_gas(CallRequest(STRANGER, sender=address(0))) == 21_000
        data = encode("note(string)", "some text")
        estimate = lab.application.estimate_gas(CallRequest(COUNTER, data, address(0)))
        (receipt, _) = lab.block(lab.transaction(0, COUNTER, data, gas=estimate))
        assert receipt.succeeded
        assert receipt.gas_used <= estimate <= receipt.gas_used * 1.07

    def test_an_estimate_of_what_reverts_raises_its_error(self, lab: Lab) -> None:
        with pytest.raises(ExecutionReverted, match="execution reverted") as caught:
            lab.application.estimate_gas(CallRequest(COUNTER, encode("add(uint64)", 5_000)))
        assert caught.value.data == encode_error(TooMuch(U64(5_000), U64(1_000)))
        assert caught.value.code == 3

    def test_calls_in_threads_do_not_disturb_blocks_or_each_other(self, lab: Lab) -> None:
        lab.block(lab.call(0, "add(uint64)", 5), lab.call(1, "shuffle(uint64,uint16)", 0, 40, gas=2_000_000))
        expected = lab.finalize([]).block.header.state_root
        failures: list[object] = []

        def read() -> None:
            for _ in range(30):
                if view_call(lab, "count(address)", address(0)) != 5:
                    failures.append("count")
                lab.application.call(CallRequest(COUNTER, encode("shuffle(uint64,uint16)", 0, 9), address(1)))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(10):
            assert lab.finalize([], seconds=number).block.header.state_root == expected
        for thread in threads:
            thread.join()
        assert failures == []

    def test_a_contract_has_a_marker_for_code_and_other_accounts_have_none(self, lab: Lab) -> None:
        assert lab.application.code(COUNTER) == code_of("Counter") == b"\xfeflux:Counter"
        assert lab.application.code(STRANGER) == b""


def test_bytes_of_a_transaction_are_limited_at_the_door() -> None:
    lab = Lab(params=with_params(max_transaction_bytes=U32(200)))
    submit(lab, lab.transaction(0, STRANGER))
    with pytest.raises(OversizedData):
        submit(lab, lab.transaction(0, STRANGER, data=bytes(200)))

"""What blocks do to the state: validity, gas, fees, reverts, the protocol lane, the system transaction."""

from typing import Any

import pytest

from flux.chain.call import LANE_CALL_GAS
from flux.chain.executor import BlockFull
from flux.chain.system_transaction import is_system
from flux.chain.transaction_errors import (
    FeeCapTooLow,
    GasLimitExceeded,
    InsufficientFunds,
    IntrinsicGasTooLow,
    LaneRefused,
    NonceTooHigh,
    NonceTooLow,
    OversizedData,
    TransactionError,
)
from flux.kernel.errors import InsufficientBalance, NotPayable, UnknownMethod
from flux.kernel.events import event_codec
from flux.kernel.revert_data import encode_error
from flux.primitives.types import U16, U32, U64, U256, Address, Gas, Wei
from support.chain_lab import FUNDS, PRODUCER, Lab, address, with_params
from support.counter import COUNTER, Added, Rang, TickedAlready, TooMuch, encode
from support.transactions import GWEI, PARAMS, RECIPIENT, signed

STRANGER = Address(b"\x77" * 20)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def refused(lab: Lab, *raws: bytes) -> TransactionError:
    """Why the last of the transactions did not get into a block."""
    finalized = lab.finalize(raws)
    assert len(finalized.dropped) == 1
    return finalized.dropped[0][1]


def test_a_transfer_costs_21000_gas_burns_the_base_fee_and_tips_the_producer(lab: Lab) -> None:
    receipts = lab.block(lab.transaction(0, STRANGER, value=5, fee=3 * GWEI, tip=GWEI))
    assert (receipts[0].succeeded, receipts[0].gas_used, receipts[0].effective_gas_price) == (True, 21_000, 2 * GWEI)
    assert lab.balance(STRANGER) == 5
    assert lab.balance(address(0)) == FUNDS - 5 - 21_000 * 2 * GWEI
    assert lab.balance(PRODUCER) == 21_000 * GWEI
    with lab.application.ledger.state_at() as view:
        assert view.nonce(address(0)) == 1
        burned = view.value(COUNTER, b"\x05")
    assert burned is not None
    assert int.from_bytes(burned, "big") == 21_000 * GWEI


def test_a_transfer_to_oneself_costs_only_the_fee(lab: Lab) -> None:
    lab.block(lab.transaction(0, address(0), value=FUNDS // 2))
    assert lab.balance(address(0)) == FUNDS - 21_000 * 2 * GWEI


def test_data_to_an_account_without_a_contract_is_paid_for_and_ignored(lab: Lab) -> None:
    (receipt, _) = lab.block(lab.transaction(0, STRANGER, data=b"\x00\x01", value=1))
    assert (receipt.succeeded, receipt.gas_used) == (True, 21_000 + 4 + 16)


def test_a_call_pays_intrinsic_declared_and_stored_gas_and_keeps_its_logs(lab: Lab) -> None:
    data = encode("add(uint64)", 7)
    (receipt, _) = lab.block(lab.transaction(0, COUNTER, data))
    calldata = sum(16 if byte else 4 for byte in data)
    stored = (1 + 20) + 1 + 1 + 1
    assert receipt.gas_used == 21_000 + calldata + 5_000 + stored * PARAMS.gas_stored_byte
    assert [log.topics[0] for log in receipt.logs] == [_topic(Added)]
    assert lab.balance(address(0)) == FUNDS - receipt.gas_used * 2 * GWEI


def test_a_revert_costs_gas_keeps_its_error_and_changes_nothing_else(lab: Lab) -> None:
    (receipt, _) = lab.block(lab.call(0, "add(uint64)", 5_000))
    assert (receipt.succeeded, receipt.logs) == (False, ())
    assert receipt.revert_data == encode_error(TooMuch(U64(5_000), U64(1_000)))
    assert lab.balance(address(0)) == FUNDS - receipt.gas_used * 2 * GWEI
    with lab.application.ledger.state_at() as view:
        assert view.value(COUNTER, b"\x02" + address(0)) is None
        assert view.nonce(address(0)) == 1


def test_running_out_of_gas_takes_all_of_it_and_changes_nothing_else(lab: Lab) -> None:
    text = "x" * 500
    enough = 21_000 + 5_000 + 16 * 700 + 50 * 400
    for gas in (26_000 + 16 * 520, enough):
        (receipt, _) = lab.block(lab.call(0, "note(string)", text, gas=gas))
        assert (receipt.succeeded, receipt.gas_used, receipt.revert_data) == (False, gas, b"")
    with lab.application.ledger.state_at() as view:
        assert view.value(COUNTER, b"\x03" + address(0)) is None


def test_value_reaches_a_payable_method_and_is_returned_by_a_revert(lab: Lab) -> None:
    receipts = lab.block(lab.call(0, "deposit()", value=900), lab.call(1, "add(uint64)", 1, value=5))
    assert [receipt.succeeded for receipt in receipts] == [True, False, True]
    assert receipts[1].revert_data == encode_error(NotPayable(Wei(U256(5))))
    assert lab.balance(COUNTER) == 900
    (receipt, _) = lab.block(lab.call(1, "withdraw(uint256)", 900))
    assert receipt.succeeded
    assert lab.balance(COUNTER) == 0
    (receipt, _) = lab.block(lab.call(1, "withdraw(uint256)", 1))
    assert receipt.revert_data == encode_error(InsufficientBalance(COUNTER, Wei(U256(0)), Wei(U256(1))))


def test_plain_value_sent_to_a_contract_is_refused_as_an_unknown_method(lab: Lab) -> None:
    (receipt, _) = lab.block(lab.transaction(0, COUNTER, value=3, gas=50_000))
    assert receipt.revert_data == encode_error(UnknownMethod(b""))
    assert lab.balance(COUNTER) == 0


def test_a_bug_in_a_contract_fails_the_transaction_is_reported_and_does_not_stop_the_block(lab: Lab) -> None:
    finalized = lab.finalize([lab.call(0, "crash()"), lab.call(1, "add(uint64)", 1)])
    assert [receipt.succeeded for receipt in finalized.receipts] == [False, True, True]
    assert finalized.receipts[0].gas_used == 200_000
    assert [type(fault.error) for fault in finalized.faults] == [KeyError]


def test_cumulative_gas_and_the_header_count_every_transaction(lab: Lab) -> None:
    receipts = lab.block(lab.transaction(0, STRANGER), lab.call(1, "add(uint64)", 1), lab.call(2, "tick()", lane=True))
    total = 0
    for receipt in receipts:
        total += receipt.gas_used
        assert receipt.cumulative_gas_used == total
    assert lab.application.ledger.head().header.gas_used == total


def test_the_system_transaction_is_last_and_carries_the_logs_of_due_work(lab: Lab) -> None:
    lab.block(lab.call(0, "remind(uint64,uint64)", 10, 6), lab.call(0, "remind(uint64,uint64)", 10, 1_001))
    assert lab.application.next_due() == lab.now + 10
    assert lab.block(seconds=9)[-1].logs == ()
    receipts = lab.block(seconds=1)
    assert is_system(lab.application.ledger.head().transactions[-1])
    assert [log.topics for log in receipts[-1].logs] == [(_topic(Rang), (6).to_bytes(32, "big"))]
    assert lab.application.next_due() is None


def test_protocol_time_stands_still_in_a_gap(lab: Lab) -> None:
    lab.block(lab.call(0, "remind(uint64,uint64)", 10, 6))
    due = lab.application.next_due()
    assert due is not None
    lab.block(seconds=1_000)
    assert lab.application.next_due() == due + 1_000


class TestLane:
    def test_a_report_that_succeeds_is_free_for_an_account_without_funds(self, lab: Lab) -> None:
        (receipt, _) = lab.block(lab.call(50, "tick()", lane=True))
        assert (receipt.succeeded, receipt.effective_gas_price) == (True, 0)
        assert lab.balance(address(50)) == 0
        with lab.application.ledger.state_at() as view:
            assert view.nonce(address(50)) == 1

    def test_a_report_that_would_fail_is_not_included(self, lab: Lab) -> None:
        first, second = lab.call(50, "tick()", lane=True), lab.call(50, "tick()", lane=True)
        finalized = lab.finalize([first, second, lab.transaction(1, STRANGER)])
        (dropped, error), *rest = finalized.dropped
        assert (dropped.raw, rest) == (second, [])
        assert isinstance(error, LaneRefused)
        assert error.data == encode_error(TickedAlready(address(50), finalized.block.number))
        assert [receipt.succeeded for receipt in finalized.receipts] == [True, True, True]

    def test_a_report_short_of_gas_is_not_included(self, lab: Lab) -> None:
        assert "out of gas" in str(refused(lab, lab.call(50, "tick()", lane=True, gas=22_000)))

    def test_nothing_but_a_report_is_free(self, lab: Lab) -> None:
        assert isinstance(refused(lab, lab.call(0, "add(uint64)", 1, lane=True)), FeeCapTooLow)
        assert isinstance(refused(lab, lab.call(1, "tick()", lane=True, value=1)), FeeCapTooLow)
        assert isinstance(refused(lab, lab.transaction(2, STRANGER, lane=True)), FeeCapTooLow)

    def test_a_report_carries_nothing_that_would_be_kept_for_free(self, lab: Lab) -> None:
        junk = [{"address": RECIPIENT, "storageKeys": ["0x" + "ab" * 32] * 10}]
        free: dict[str, object] = {
            "to": COUNTER, "value": 0, "gas": 200_000, "data": encode("tick()"), "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
        }  # fmt: skip
        assert isinstance(refused(lab, signed(**free, accessList=junk)), FeeCapTooLow)
        lab.block(signed(**free, accessList=[]))

    def test_a_report_cannot_fill_the_lane_by_asking_for_gas(self, lab: Lab) -> None:
        error = refused(lab, lab.call(50, "tick()", lane=True, gas=LANE_CALL_GAS + 1))
        assert isinstance(error, GasLimitExceeded)
        lab.block(lab.call(51, "tick()", lane=True, gas=LANE_CALL_GAS))

    def test_reports_and_payers_have_rooms_of_their_own(self) -> None:
        lab = Lab(params=with_params(block_gas_limit=Gas(U64(21_000)), lane_gas_limit=Gas(U64(30_000))))
        raws = [
            lab.transaction(0, STRANGER),
            lab.transaction(1, STRANGER),
            lab.call(50, "tick()", lane=True, gas=30_000),
            lab.call(51, "tick()", lane=True, gas=30_000),
        ]
        finalized = lab.finalize(raws)
        assert [dropped.raw for dropped, _ in finalized.dropped] == [raws[1], raws[3]]
        assert {type(error) for _, error in finalized.dropped} == {BlockFull}

    def test_free_gas_does_not_raise_the_base_fee(self, lab: Lab) -> None:
        lab.block(lab.call(50, "tick()", lane=True), lab.call(51, "tick()", lane=True))
        assert lab.application.ledger.head().header.excess_gas == 0
        lab.block(lab.transaction(0, STRANGER))
        assert lab.application.ledger.head().header.excess_gas == 21_000


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"nonce": 1}, NonceTooHigh),
        ({"value": FUNDS}, InsufficientFunds),
        ({"fee": GWEI - 1}, FeeCapTooLow),
        ({"gas": 20_999}, IntrinsicGasTooLow),
        ({"gas": 300_000_001}, GasLimitExceeded),
    ],
)
def test_an_invalid_transaction_is_left_out_and_changes_nothing(
    lab: Lab, fields: dict[str, Any], error: type[TransactionError]
) -> None:
    finalized = lab.finalize([lab.transaction(0, STRANGER, **fields)])
    assert [type(found) for _, found in finalized.dropped] == [error]
    assert len(finalized.block.transactions) == 1
    empty = Lab()
    assert finalized.block.header.state_root == empty.finalize([]).block.header.state_root


def test_a_used_nonce_is_too_low(lab: Lab) -> None:
    lab.block(lab.transaction(0, STRANGER))
    error = refused(lab, lab.transaction(0, STRANGER, nonce=0))
    assert isinstance(error, NonceTooLow)
    assert str(error) == "nonce too low: next nonce 1, tx nonce 0"


def test_funds_must_cover_the_highest_possible_fee(lab: Lab) -> None:
    lab.block(lab.transaction(0, address(60), value=21_000 * 4 * GWEI))
    assert isinstance(refused(lab, lab.transaction(60, STRANGER, fee=5 * GWEI)), InsufficientFunds)
    (receipt, _) = lab.block(lab.transaction(60, STRANGER, fee=4 * GWEI, nonce=0))
    assert receipt.succeeded


def test_a_block_takes_no_more_bytes_than_its_limit() -> None:
    lab = Lab(params=with_params(max_block_bytes=U32(5_000), max_transaction_bytes=U32(4_000)))
    big = lab.transaction(0, STRANGER, data=bytes(3_000))
    assert isinstance(refused(lab, big, lab.transaction(1, STRANGER, data=bytes(3_000))), BlockFull)
    lab = Lab(params=with_params(max_block_bytes=U32(5_000), max_transaction_bytes=U32(2_000)))
    oversized = Lab().decoded(Lab().transaction(0, STRANGER, data=bytes(6_000)))
    finalized = lab.application.finalize([oversized], lab.now, PRODUCER)
    assert isinstance(finalized.dropped[0][1], OversizedData)


def test_the_seed_of_a_block_is_fixed_by_its_parent(lab: Lab) -> None:
    one, other = lab.finalize([]), lab.finalize([lab.transaction(0, STRANGER)])
    assert one.block.header.seed == other.block.header.seed
    lab.block()
    assert lab.finalize([]).block.header.seed != one.block.header.seed


def test_the_price_of_a_stored_byte_is_a_parameter() -> None:
    used = []
    for price in (50, 60):
        lab = Lab(params=with_params(gas_stored_byte=U16(price)))
        (receipt, _) = lab.block(lab.call(0, "note(string)", "hello"))
        used.append(receipt.gas_used)
    assert used[1] - used[0] == 10 * (1 + 20 + 1 + len("hello"))


def _topic(event: type[Any]) -> bytes:
    return event_codec(event).topic0

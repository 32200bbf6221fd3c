import pytest
import rlp as reference_rlp  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from flux.chain.receipt import CorruptReceipts, Receipt, decode_receipts, encode_receipts, make_receipt
from flux.kernel.events import Log
from flux.primitives.bloom import EMPTY_BLOOM, may_contain
from flux.primitives.types import U64, U256, Address, Gas, Hash, Wei

LOG = Log(Address(b"\x01" * 20), (Hash(b"\x02" * 32), Hash(b"\x03" * 32)), b"data")

logs = st.builds(
    Log,
    st.binary(min_size=20, max_size=20).map(Address),
    st.lists(st.binary(min_size=32, max_size=32).map(Hash), max_size=4).map(tuple),
    st.binary(max_size=70),
)
outcomes = st.tuples(
    st.booleans(),
    st.integers(0, 2**32),
    st.lists(logs, max_size=3),
    st.sampled_from([0, 1, 2]),
    st.integers(0, 2**256 - 1),
    st.binary(max_size=70),
)


def receipts_of(items: list[tuple[bool, int, list[Log], int, int, bytes]]) -> list[Receipt]:
    receipts = []
    cumulative = 0
    for succeeded, gas, entries, kind, price, revert in items:
        cumulative += gas
        receipts.append(
            make_receipt(
                succeeded=succeeded,
                cumulative_gas_used=Gas(U64(cumulative)),
                gas_used=Gas(U64(gas)),
                logs=entries,
                transaction_type=kind,
                effective_gas_price=Wei(U256(price)),
                revert_data=revert,
            )
        )
    return receipts


@given(st.lists(outcomes, max_size=5))
def test_the_receipts_of_a_block_read_back(items: list[tuple[bool, int, list[Log], int, int, bytes]]) -> None:
    receipts = receipts_of(items)
    assert decode_receipts(encode_receipts(receipts)) == receipts


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_the_encoding_under_the_receipts_root_is_ethereums(kind: int) -> None:
    (receipt,) = receipts_of([(True, 21_000, [LOG], kind, 5, b"")])
    payload = reference_rlp.encode([1, 21_000, receipt.bloom, [[LOG.address, list(LOG.topics), LOG.data]]])
    assert receipt.encode() == (bytes([kind]) if kind else b"") + payload


def test_a_failed_receipt_encodes_its_status_as_nothing_and_keeps_the_reason_beside_it() -> None:
    (receipt,) = receipts_of([(False, 21_000, [], 2, 5, b"why")])
    assert receipt.encode() == b"\x02" + reference_rlp.encode([0, 21_000, EMPTY_BLOOM, []])
    assert receipt.revert_data == b"why"


def test_the_bloom_holds_addresses_and_topics() -> None:
    (receipt,) = receipts_of([(True, 1, [LOG], 2, 5, b"")])
    assert all(may_contain(receipt.bloom, value) for value in (LOG.address, *LOG.topics))
    assert not may_contain(receipt.bloom, b"\x09" * 20)


@given(st.binary(max_size=60).filter(lambda data: data != b"\x90"))
def test_random_bytes_are_no_receipts(data: bytes) -> None:
    with pytest.raises(CorruptReceipts):
        decode_receipts(data)

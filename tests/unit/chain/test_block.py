import pytest
import rlp as reference_rlp  # type: ignore[import-untyped]
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from flux.chain.block import Block, CorruptBlock, Header, decode_block, decode_header, encode_block
from flux.chain.system_transaction import system_transaction
from flux.chain.transaction import decode
from flux.primitives import rlp
from flux.primitives.types import U64, U256, Address, Gas, Hash, Height, Timestamp, Wei
from support.transactions import CHAIN_ID, signed


def header(number: int = 5, **changes: object) -> Header:
    fields: dict[str, object] = {
        "parent_hash": Hash(b"\x01" * 32),
        "producer": Address(b"\x02" * 20),
        "state_root": Hash(b"\x03" * 32),
        "transactions_root": Hash(b"\x04" * 32),
        "receipts_root": Hash(b"\x05" * 32),
        "logs_bloom": b"\x06" * 256,
        "number": Height(U64(number)),
        "gas_limit": Gas(U64(300_000_000)),
        "gas_used": Gas(U64(21_000)),
        "timestamp": Timestamp(U64(1_700_000_000)),
        "excess_gas": Gas(U64(7)),
        "seed": Hash(b"\x07" * 32),
        "base_fee": Wei(U256(10**9)),
    }
    return Header(**(fields | changes))  # type: ignore[arg-type]


def block(number: int = 5) -> Block:
    if number == 0:
        return Block(header(0), ())
    sent = [decode(signed(nonce=nonce), CHAIN_ID) for nonce in range(3)] + [decode(signed(gasPrice=1), CHAIN_ID)]
    made = header(number)
    return Block(made, (*sent, system_transaction(made.number, made.parent_hash)))


def test_the_hash_of_a_header_is_the_keccak_of_ethereums_encoding() -> None:
    made = header()
    fields = [
        *(made.parent_hash, keccak(reference_rlp.encode([])), made.producer, made.state_root, made.transactions_root),
        *(made.receipts_root, made.logs_bloom, 0, 5, 300_000_000, 21_000, 1_700_000_000),
        *((7).to_bytes(8, "big"), made.seed, bytes(8), 10**9),
    ]
    assert made.hash == keccak(reference_rlp.encode(fields))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1), st.integers(0, 2**64 - 1))
def test_a_header_reads_back_from_its_encoding(number: int, excess: int, fee: int, time: int) -> None:
    made = header(number, excess_gas=Gas(U64(excess)), base_fee=Wei(U256(fee)), timestamp=Timestamp(U64(time)))
    assert decode_header(made.encode()) == made
    assert decode_header(made.encode()).hash == made.hash


@pytest.mark.parametrize(
    ("index", "value"), [(0, b"\x01"), (1, b"\x01" * 32), (6, b""), (7, b"\x01"), (8, b"\x00"), (12, b""), (14, b"")]
)
def test_what_is_no_header_of_flux_is_refused(index: int, value: bytes) -> None:
    items = rlp.decode_flat(header().encode())
    items[index] = value
    with pytest.raises(CorruptBlock):
        decode_header(rlp.encode(items))


@given(st.binary(max_size=100))
def test_random_bytes_are_no_header_and_no_block(data: bytes) -> None:
    with pytest.raises(CorruptBlock, match="not a block header"):
        decode_header(data)
    with pytest.raises(CorruptBlock, match="not a stored block"):
        decode_block(data, CHAIN_ID)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_block_reads_back_with_its_senders_and_its_system_transaction(number: int) -> None:
    made = block(number)
    read = decode_block(encode_block(made), CHAIN_ID)
    assert read == made
    assert (read.hash, read.number) == (made.header.hash, number)
    assert [transaction.sender for transaction in read.transactions] == [
        transaction.recover() for transaction in made.transactions
    ]


def test_the_size_of_a_block_is_that_of_ethereums_encoding() -> None:
    made = block()
    body = [tx.raw if tx.type else reference_rlp.decode(tx.raw) for tx in made.transactions]
    assert made.size == len(reference_rlp.encode([reference_rlp.decode(made.header.encode()), body, []]))

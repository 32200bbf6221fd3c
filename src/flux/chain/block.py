"""Blocks: Ethereum-shaped headers (the fields of the London fork) and the transactions under them.

The hash of a header is the keccak of its RLP, as on Ethereum; what Ethereum leaves to the producer (extra data) holds
the fee accumulator. How blocks are stored is here too; how they are made is the executor's.
"""

from dataclasses import dataclass, field

import msgspec

from flux.chain.consensus_info import CorruptInfo, decode_info, encode_info
from flux.chain.system_transaction import info_of, system_transaction
from flux.chain.transaction import Transaction, decode
from flux.primitives import rlp
from flux.primitives.bloom import BLOOM_SIZE
from flux.primitives.keccak import keccak256
from flux.primitives.types import U64, U256, Address, Gas, Hash, Height, Timestamp, Wei

EMPTY_OMMERS_HASH = keccak256(rlp.encode([]))
BLOCK_NONCE = bytes(8)
_DIFFICULTY = b""
_EXTRA_SIZE = 8

_pack = msgspec.msgpack.Encoder().encode


class CorruptBlock(ValueError):
    """Stored bytes are not a block or header."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a block commits to."""

    parent_hash: Hash
    producer: Address
    """`miner` on Ethereum: gets the tips."""
    state_root: Hash
    transactions_root: Hash
    receipts_root: Hash
    logs_bloom: bytes
    """256 bytes over the logs of all receipts."""
    number: Height
    gas_limit: Gas
    gas_used: Gas
    timestamp: Timestamp
    excess_gas: Gas
    """The fee accumulator after this block (`fees.accumulated`); extra data on the wire, 8 bytes."""
    seed: Hash
    """`mixHash` / `prevRandao` on Ethereum: what contracts draw from."""
    base_fee: Wei
    """Wei per gas."""
    hash: Hash = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", keccak256(self.encode()))

    @property
    def extra_data(self) -> bytes:
        """The fee accumulator as it stands in the header."""
        return self.excess_gas.to_bytes(_EXTRA_SIZE, "big")

    def encode(self) -> bytes:
        """RLP in Ethereum's field order; its keccak is the block hash."""
        return rlp.encode(
            [
                self.parent_hash,
                EMPTY_OMMERS_HASH,
                self.producer,
                self.state_root,
                self.transactions_root,
                self.receipts_root,
                self.logs_bloom,
                _DIFFICULTY,
                rlp.encode_int(self.number),
                rlp.encode_int(self.gas_limit),
                rlp.encode_int(self.gas_used),
                rlp.encode_int(self.timestamp),
                self.extra_data,
                self.seed,
                BLOCK_NONCE,
                rlp.encode_int(self.base_fee),
            ]
        )


def decode_header(data: bytes) -> Header:
    """The header that `data` is the encoding of. Raises CorruptBlock for anything else."""
    try:
        items = rlp.decode_flat(data)
        parent, ommers, producer, state, transactions, receipts, bloom, difficulty, *rest = items
        number, gas_limit, gas_used, timestamp, extra, seed, nonce, fee = rest
        fixed = (parent, 32), (producer, 20), (state, 32), (transactions, 32), (receipts, 32), (seed, 32)
        if any(len(item) != size for item, size in fixed) or len(bloom) != BLOOM_SIZE or len(extra) != _EXTRA_SIZE:
            raise CorruptBlock("a field of the header has the wrong size")
        if (ommers, difficulty, nonce) != (EMPTY_OMMERS_HASH, _DIFFICULTY, BLOCK_NONCE):
            raise CorruptBlock("the header has ommers, a difficulty or a nonce, which Flux blocks have not")
        return Header(
            Hash(parent),
            Address(producer),
            Hash(state),
            Hash(transactions),
            Hash(receipts),
            bloom,
            Height(U64(rlp.decode_int(number))),
            Gas(U64(rlp.decode_int(gas_limit))),
            Gas(U64(rlp.decode_int(gas_used))),
            Timestamp(U64(rlp.decode_int(timestamp))),
            Gas(U64(int.from_bytes(extra, "big"))),
            Hash(seed),
            Wei(U256(rlp.decode_int(fee))),
        )
    except (rlp.RlpError, ValueError) as error:
        raise CorruptBlock(f"not a block header: {error}") from error


@dataclass(frozen=True, slots=True)
class Block:
    """A header and its transactions; the last one is the system transaction (genesis has none)."""

    header: Header
    transactions: tuple[Transaction, ...]

    @property
    def hash(self) -> Hash:
        """The header's."""
        return self.header.hash

    @property
    def number(self) -> Height:
        """Height; genesis is 0."""
        return self.header.number

    @property
    def size(self) -> int:
        """Bytes of the block in Ethereum's wire encoding (header, transactions, no ommers)."""
        body = sum(_wire_size(transaction) for transaction in self.transactions)
        content = len(self.header.encode()) + len(rlp.list_prefix(body)) + body + 1
        return len(rlp.list_prefix(content)) + content


def encode_block(block: Block) -> bytes:
    """The stored form. Senders are kept, so that reading a block recovers no signatures."""
    signed = block.transactions[:-1]
    senders = b"".join([transaction.recover() for transaction in signed])
    info = encode_info(info_of(block.transactions[-1])) if block.transactions else b""
    return _pack((block.header.encode(), [transaction.raw for transaction in signed], senders, info))


_StoredBlock = msgspec.msgpack.Decoder(tuple[bytes, list[bytes], bytes, bytes])


def decode_block(data: bytes, chain_id: int) -> Block:
    """The block of `encode_block`. Raises CorruptBlock when the bytes are something else."""
    try:
        encoded_header, raws, senders, info = _StoredBlock.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CorruptBlock(f"not a stored block: {error}") from error
    header = decode_header(encoded_header)
    if header.number == 0:
        return Block(header, ())
    transactions = []
    for index, raw in enumerate(raws):
        transaction = decode(raw, chain_id, max_bytes=len(raw))
        transaction.sender = Address(senders[20 * index : 20 * index + 20])
        transactions.append(transaction)
    try:
        transactions.append(system_transaction(header.number, header.parent_hash, decode_info(info)))
    except CorruptInfo as error:
        raise CorruptBlock(f"block {header.number}: {error}") from error
    return Block(header, tuple(transactions))


def _wire_size(transaction: Transaction) -> int:
    """A typed transaction stands in a block body as a string."""
    size = len(transaction.raw)
    if transaction.type == 0:
        return size
    return size + (1 if size < 56 else 1 + len(rlp.encode_int(size)))

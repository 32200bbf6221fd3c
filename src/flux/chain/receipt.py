"""Receipts: what became of each transaction. Ethereum's encoding for the receipts root, a compact one for the disk."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from flux.kernel.events import Log
from flux.primitives import rlp
from flux.primitives.bloom import EMPTY_BLOOM, bloom_of
from flux.primitives.types import U64, U256, Address, Gas, Hash, Wei


class CorruptReceipts(ValueError):
    """Stored bytes are not the receipts of a block."""


class Receipt(NamedTuple):
    """The outcome of one transaction."""

    succeeded: bool
    cumulative_gas_used: Gas
    """Of this transaction and those before it in the block."""
    gas_used: Gas
    logs: tuple[Log, ...]
    bloom: bytes
    transaction_type: int
    effective_gas_price: Wei
    """Wei per gas that the sender paid."""
    revert_data: bytes
    """The custom error of a failed transaction: selector and fields; empty otherwise. Not part of the receipts root."""

    def encode(self) -> bytes:
        """The encoding under the receipts root (EIP-2718, EIP-658)."""
        logs = [(log.address, log.topics, log.data) for log in self.logs]
        status = b"\x01" if self.succeeded else b""
        payload = rlp.encode((status, rlp.encode_int(self.cumulative_gas_used), self.bloom, logs))
        return bytes((self.transaction_type,)) + payload if self.transaction_type else payload


def make_receipt(
    *,
    succeeded: bool,
    cumulative_gas_used: Gas,
    gas_used: Gas,
    logs: Sequence[Log],
    transaction_type: int,
    effective_gas_price: Wei,
    revert_data: bytes = b"",
) -> Receipt:
    """A receipt with the bloom of its logs."""
    return Receipt(
        succeeded,
        cumulative_gas_used,
        gas_used,
        tuple(logs),
        bloom_of([(log.address, log.topics) for log in logs]) if logs else EMPTY_BLOOM,
        transaction_type,
        effective_gas_price,
        revert_data,
    )


_pack = msgspec.msgpack.Encoder().encode
_StoredLog = tuple[bytes, list[bytes], bytes]
_StoredReceipt = tuple[bool, int, list[_StoredLog], int, bytes, bytes]
_stored = msgspec.msgpack.Decoder(list[_StoredReceipt])


def encode_receipts(receipts: Sequence[Receipt]) -> bytes:
    """The stored form of a block's receipts; blooms and cumulative gas follow from the rest."""
    return _pack(
        [
            (
                receipt.succeeded,
                receipt.gas_used,
                receipt.logs,
                receipt.transaction_type,
                rlp.encode_int(receipt.effective_gas_price),
                receipt.revert_data,
            )
            for receipt in receipts
        ]
    )


def decode_receipts(data: bytes) -> list[Receipt]:
    """The receipts of `encode_receipts`. Raises CorruptReceipts when the bytes are something else."""
    try:
        plain = _stored.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CorruptReceipts(f"not stored receipts: {error}") from error
    receipts = []
    cumulative = 0
    for succeeded, gas_used, logs, kind, price, revert_data in plain:
        cumulative += gas_used
        receipts.append(
            make_receipt(
                succeeded=succeeded,
                cumulative_gas_used=Gas(U64(cumulative)),
                gas_used=Gas(U64(gas_used)),
                logs=[Log(Address(address), tuple(map(Hash, topics)), content) for address, topics, content in logs],
                transaction_type=kind,
                effective_gas_price=Wei(U256(int.from_bytes(price, "big"))),
                revert_data=revert_data,
            )
        )
    return receipts

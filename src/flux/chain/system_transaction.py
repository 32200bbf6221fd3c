"""What the protocol does by itself in a block, recorded as the block's one system transaction, always the last.

It is a legacy-shaped transaction without fee and signature, so that every Ethereum tool can show it and index its logs;
no client can send one, because `transaction.decode` refuses its v.
"""

from flux.chain.transaction import LEGACY, Transaction
from flux.kernel.context import SYSTEM_ADDRESS
from flux.primitives import rlp
from flux.primitives.types import Hash, Height


def system_transaction(height: Height, parent_hash: Hash) -> Transaction:
    """The system transaction of the block at `height`: its nonce is the height and its data the parent's hash."""
    body = [rlp.encode_int(height), b"", b"", SYSTEM_ADDRESS, b"", parent_hash, b"", b"", b""]
    return Transaction(
        LEGACY,
        0,
        height,
        0,
        0,
        0,
        SYSTEM_ADDRESS,
        0,
        parent_hash,
        (),
        0,
        0,
        0,
        rlp.encode(body),
        Hash(bytes(32)),
        SYSTEM_ADDRESS,
    )


def is_system(transaction: Transaction) -> bool:
    """Whether this is a block's system transaction."""
    return transaction.sender == SYSTEM_ADDRESS

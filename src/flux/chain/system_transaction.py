"""What the protocol does by itself in a block, recorded as the block's one system transaction, always the last.

It is a legacy-shaped transaction without fee and signature, so that every Ethereum tool can show it and index its logs;
no client can send one, because `transaction.decode` refuses its v. What the engine tells of the block is in its data.
"""

from flux.chain.consensus_info import NO_INFO, ConsensusInfo, decode_info, encode_info
from flux.chain.transaction import LEGACY, Transaction
from flux.kernel.context import SYSTEM_ADDRESS
from flux.primitives import rlp
from flux.primitives.types import Hash, Height

_HASH_SIZE = 32


def system_transaction(height: Height, parent_hash: Hash, info: ConsensusInfo = NO_INFO) -> Transaction:
    """Of the block at `height`: its nonce is the height, its data the parent's hash, then the encoded info if any."""
    data = parent_hash + encode_info(info)
    body = [rlp.encode_int(height), b"", b"", SYSTEM_ADDRESS, b"", data, b"", b"", b""]
    return Transaction(
        LEGACY,
        0,
        height,
        0,
        0,
        0,
        SYSTEM_ADDRESS,
        0,
        data,
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


def info_of(transaction: Transaction) -> ConsensusInfo:
    """What the engine told of the block whose system transaction this is. Raises CorruptInfo."""
    return decode_info(transaction.data[_HASH_SIZE:])

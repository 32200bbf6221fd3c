"""Forgetting old blocks: a node may keep a window of blocks, receipts and indices, and drops what leaves it.

State is never pruned here (its earlier versions are, in history.py), and genesis always stays.
"""

from typing import Final

from flux.chain import tables
from flux.chain.block import decode_block
from flux.chain.history import KEPT_HEIGHTS
from flux.chain.state_root import Writes
from flux.chain.store import Snapshot
from flux.primitives.types import U64, Height

KEEP_ALL: Final = 0
LEAST_KEPT: Final = KEPT_HEIGHTS + 1
"""Blocks; earlier states are read with their headers, so those must be there."""
MAX_PER_COMMIT: Final = 8
"""Blocks dropped with one new one: a smaller window is reached soon, and no commit becomes long."""


def check_window(keep_blocks: int) -> None:
    """Raise ValueError for a window that would take away what the node itself reads."""
    if keep_blocks != KEEP_ALL and keep_blocks < LEAST_KEPT:
        raise ValueError(
            f"a node keeps all blocks (0) or at least {LEAST_KEPT}, since it answers for that many states; "
            f"got {keep_blocks}"
        )


def prune_blocks(snapshot: Snapshot, first: Height, wanted: Height, chain_id: int) -> tuple[Writes, Height]:
    """The deletions that drop blocks from `first` on up to before `wanted`, some at a time, and what is first then."""
    writes: Writes = {}
    number = first
    while number < wanted and number < first + MAX_PER_COMMIT:
        writes |= _dropped(snapshot, number, chain_id)
        number = Height(U64(number + 1))
    if number != first:
        writes[tables.META_FIRST] = number.to_bytes(8, "big")
    return writes, number


def _dropped(snapshot: Snapshot, number: Height, chain_id: int) -> Writes:
    stored = snapshot.get(tables.block(number))
    if stored is None:
        return {}
    block = decode_block(stored, chain_id)
    keys = [tables.block(number), tables.receipts(number), tables.bloom(number), tables.number(block.hash)]
    keys += [tables.transaction(transaction.hash) for transaction in block.transactions]
    return dict.fromkeys(keys)

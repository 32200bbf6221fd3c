"""Decoded blocks and receipts used last: clients ask for what was just committed.

Bounded by their transactions, and by their number, so that a chain with little to do does not fill memory for hours.

Entries are immutable and every step is one dictionary operation, so threads may share it.
"""

from itertools import accumulate
from typing import Final

from flux.chain.block import Block
from flux.chain.receipt import Receipt
from flux.primitives.types import Height

_MAX_WEIGHT: Final = 40_000
"""Transactions and receipts kept, some 1 KiB each; empty blocks count as one."""
_MAX_BLOCKS: Final = 128
"""Blocks kept, whatever is in them; an empty one takes some 10 KiB with its header and receipts."""


class RecentBlocks:
    """A cache by height, the oldest entry leaving first."""

    def __init__(self, max_weight: int = _MAX_WEIGHT, max_blocks: int = _MAX_BLOCKS) -> None:
        self._max_weight = max_weight
        self._max_blocks = max_blocks
        self._blocks: dict[int, Block] = {}
        self._receipts: dict[int, list[Receipt]] = {}
        self._log_indices: dict[int, list[int]] = {}
        self._weight = 0

    def find_block(self, number: Height) -> Block | None:
        """The block, if it is kept."""
        return self._blocks.get(number)

    def find_receipts(self, number: Height) -> list[Receipt] | None:
        """The receipts, if they are kept. The list is shared: read only."""
        return self._receipts.get(number)

    def put_block(self, block: Block) -> None:
        """Keep a block."""
        self._make_room(1 + len(block.transactions))
        self._blocks[block.number] = block

    def put_receipts(self, number: Height, receipts: list[Receipt]) -> None:
        """Keep receipts."""
        self._make_room(1 + len(receipts))
        self._receipts[number] = receipts

    def first_log_indices(self, number: Height, receipts: list[Receipt]) -> list[int]:
        """For each receipt of a block, how many logs the block has before it."""
        indices = self._log_indices.get(number)
        if indices is None:
            indices = list(accumulate((len(receipt.logs) for receipt in receipts), initial=0))
            if number in self._receipts:
                self._log_indices[number] = indices
        return indices

    def _make_room(self, weight: int) -> None:
        self._weight += weight
        is_long = max(len(self._blocks), len(self._receipts)) >= self._max_blocks
        if is_long or self._weight > self._max_weight:
            self._drop_half(weight)

    def _drop_half(self, newest: int) -> None:
        """Drop the entries put first; rarely called, so it may take its time."""
        blocks, receipts = list(self._blocks.items()), list(self._receipts.items())
        kept_blocks, kept_receipts = blocks[len(blocks) // 2 :], receipts[len(receipts) // 2 :]
        if newest > self._max_weight // 2:
            kept_blocks, kept_receipts = [], []
        self._blocks = dict(kept_blocks)
        self._receipts = dict(kept_receipts)
        self._log_indices = {}
        self._weight = newest + sum(1 + len(block.transactions) for _, block in kept_blocks)
        self._weight += sum(1 + len(items) for _, items in kept_receipts)

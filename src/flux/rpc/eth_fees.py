"""eth_*: what gas costs."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from flux.chain.application import Application
from flux.chain.block import Block
from flux.chain.receipt import Receipt
from flux.primitives.types import U64, WEI_PER_GWEI, Height, Timestamp, Wei
from flux.rpc import parameters
from flux.rpc.blocks import get_block
from flux.rpc.errors import InvalidParameter
from flux.rpc.format import Json
from flux.rpc.methods import Table, inline, scan
from flux.rpc.parameters import BlockSelector

MAX_BLOCKS = 1_024
MAX_PERCENTILES = 100
QUIET_TIP = WEI_PER_GWEI // 10
"""Wei per gas suggested while blocks have room."""
_USUAL_PERCENTILE = 60.0


class Fees:
    """Prices and their history."""

    def __init__(self, application: Application, clock: Callable[[], int]) -> None:
        self._application = application
        self._clock = clock

    def table(self) -> Table:
        """The methods."""
        percentiles = parameters.list_of(_percentile, MAX_PERCENTILES)
        return {
            "eth_gasPrice": inline(self.gas_price),
            "eth_maxPriorityFeePerGas": inline(self.priority_fee),
            "eth_feeHistory": scan(self.history, parameters.count, parameters.block_number, percentiles, required=2),
        }

    def gas_price(self) -> str:
        """The next block's base fee and a usual tip."""
        return hex(self._next_base_fee() + self._tip())

    def priority_fee(self) -> str:
        """A usual tip."""
        return hex(self._tip())

    def history(self, count: int, newest: BlockSelector, percentiles: Sequence[float] = ()) -> Json:
        """Base fees, how full blocks were, and tips at percentiles of the gas used (of at most 1,024 blocks)."""
        if any(low > high for low, high in pairwise(percentiles)):
            raise InvalidParameter("invalid reward percentile: percentiles must rise")
        if count == 0:
            return {"oldestBlock": "0x0", "gasUsedRatio": None}
        last = get_block(self._application, newest)
        blocks = [last]
        for number in range(last.number - 1, max(-1, last.number - min(count, MAX_BLOCKS)), -1):
            blocks.append(get_block(self._application, Height(U64(number))))
        blocks.reverse()
        body: Json = {
            "oldestBlock": hex(blocks[0].number),
            "baseFeePerGas": [hex(block.header.base_fee) for block in blocks] + [hex(self._fee_after(last))],
            "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in blocks],
        }
        if percentiles:
            body["reward"] = [[hex(tip) for tip in self._rewards(block, percentiles)] for block in blocks]
        return body

    def _rewards(self, block: Block, percentiles: Sequence[float]) -> list[int]:
        receipts = self._application.ledger.find_receipts(block.number) or []
        return tips_at(_tips(block, receipts), percentiles)

    def _fee_after(self, block: Block) -> Wei:
        if block.number == self._application.ledger.head().number:
            return self._next_base_fee()
        return get_block(self._application, Height(U64(block.number + 1))).header.base_fee

    def _next_base_fee(self) -> Wei:
        return self._application.next_base_fee(Timestamp(U64(self._clock())))

    def _tip(self) -> int:
        """While the newest block was less than half full any tip is served at once; else what most of it paid."""
        head = self._application.ledger.head()
        if head.header.gas_used * 2 < head.header.gas_limit:
            return QUIET_TIP
        (tip,) = self._rewards(head, (_USUAL_PERCENTILE,))
        return max(tip, QUIET_TIP)


def tips_at(tips: Sequence[tuple[int, int]], percentiles: Sequence[float]) -> list[int]:
    """Of (wei per gas, gas used), the tips at percentiles of the gas, as eth_feeHistory defines them."""
    ordered = sorted(tips)
    total = sum(gas for _, gas in ordered)
    found = []
    index, reached = 0, ordered[0][1] if ordered else 0
    for percentile in percentiles:
        while index < len(ordered) - 1 and reached < total * percentile / 100:
            index += 1
            reached += ordered[index][1]
        found.append(ordered[index][0] if ordered else 0)
    return found


def _tips(block: Block, receipts: Sequence[Receipt]) -> list[tuple[int, int]]:
    """Of paying transactions; the protocol lane and the system transaction pay nothing."""
    base_fee = block.header.base_fee
    return [
        (receipt.effective_gas_price - base_fee, receipt.gas_used)
        for receipt in receipts
        if receipt.effective_gas_price >= base_fee
    ]


def _percentile(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 100:
        return float(value)
    raise InvalidParameter(f"invalid reward percentile: expected a number from 0 to 100, got {parameters.shown(value)}")

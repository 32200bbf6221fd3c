"""Which waiting transactions go into the next block, and in what order.

Free ones as they came, then paying ones by tip and among equals as they came; one sender's always by nonce.
"""

from collections.abc import Iterable
from heapq import heappop, heappush

from flux.chain.mempool_account import Account, Entry
from flux.chain.transaction import Transaction
from flux.primitives.types import Gas, Wei

SMALLEST_GAS = 21_000
"""No transaction has a lower gas limit, so less room than this is none."""


def select(accounts: Iterable[Account], gas: Gas, size: int, lane_gas: Gas, base_fee: Wei) -> list[Transaction]:
    """The transactions: gas limits of paying ones at most `gas`, of free ones `lane_gas`; `size` bytes in all.

    A transaction for which there is no room left holds back its sender's later ones, and nobody else's.
    """
    lane: list[tuple[int, Account, Entry]] = []
    paying: list[tuple[int, int, Account, Entry]] = []

    def enter(account: Account, entry: Entry) -> None:
        if entry.transaction.is_free:
            heappush(lane, (entry.sequence, account, entry))
        elif (tip := entry.transaction.effective_tip(base_fee)) >= 0:
            heappush(paying, (-tip, entry.sequence, account, entry))

    for account in accounts:
        if (first := account.first()) is not None:
            enter(account, first)
    selected: list[Transaction] = []
    free_left, paid_left = int(lane_gas), int(gas)
    while True:
        if lane:
            _, account, entry = heappop(lane)
            if entry.transaction.gas_limit > free_left or len(entry.transaction.raw) > size:
                continue
            free_left -= entry.transaction.gas_limit
        elif paying and paid_left >= SMALLEST_GAS:
            _, _, account, entry = heappop(paying)
            if entry.transaction.gas_limit > paid_left or len(entry.transaction.raw) > size:
                continue
            paid_left -= entry.transaction.gas_limit
        else:
            return selected
        size -= len(entry.transaction.raw)
        selected.append(entry.transaction)
        if (successor := account.ready_at(entry.transaction.nonce + 1)) is not None:
            enter(account, successor)
